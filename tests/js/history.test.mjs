import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistory } from "../../assets/js/ink/history.js";

const stroke = (x) => ({ pen: "pen", points: [x, x] });

function memory(kept = {}) {
  return {
    getItem: (key) => kept[key] ?? null,
    setItem: (key, text) => {
      kept[key] = text;
    },
  };
}

test("an undone stroke comes back with redo", () => {
  const history = createHistory(memory());
  history.add(stroke(1));
  history.add(stroke(2));
  assert.equal(history.undo(), true);
  assert.deepEqual(history.shown(), [stroke(1)]);
  assert.equal(history.redo(), true);
  assert.deepEqual(history.shown(), [stroke(1), stroke(2)]);
  assert.equal(history.redo(), false);
});

test("a new stroke ends what could be redone", () => {
  const history = createHistory(memory());
  history.add(stroke(1));
  history.undo();
  history.add(stroke(2));
  assert.equal(history.redoable(), false);
});

test("clearing hides what was drawn, and can be undone", () => {
  const history = createHistory(memory());
  history.add(stroke(1));
  assert.equal(history.clear(), true);
  assert.deepEqual(history.shown(), []);
  assert.equal(history.clear(), false);
  history.undo();
  assert.deepEqual(history.shown(), [stroke(1)]);
});

test("a picture and the clearing before it are undone and redone together", () => {
  const history = createHistory(memory());
  const picture = { picture: "data:,", caption: "", box: [0, 0, 1000, 1000] };
  history.add(stroke(1));
  history.clear();
  history.add(picture);
  history.undo();
  assert.deepEqual(history.shown(), [stroke(1)]);
  history.redo();
  assert.deepEqual(history.shown(), [picture]);
});

test("what was kept is recalled, undone strokes included", () => {
  const storage = memory();
  const history = createHistory(storage);
  history.add(stroke(1));
  history.add(stroke(2));
  history.undo();
  history.keep();
  const again = createHistory(storage);
  assert.deepEqual(again.recall(), [stroke(1), stroke(2)]);
  assert.deepEqual(again.shown(), [stroke(1)]);
  again.redo();
  assert.deepEqual(again.shown(), [stroke(1), stroke(2)]);
});

test("storage that refuses, is empty or holds something else leaves the sheet as it is", () => {
  const refuse = () => {
    throw new Error("refused");
  };
  for (const storage of [{ getItem: refuse, setItem: refuse }, memory(), memory({ "mnist-ink": "{" })]) {
    const history = createHistory(storage);
    history.add(stroke(1));
    assert.equal(history.recall(), null);
    assert.deepEqual(history.shown(), [stroke(1)]);
    history.keep();
  }
});

test("what lies before a cleared sheet is forgotten once there are more than 200 events", () => {
  const history = createHistory(memory());
  history.add(stroke(0));
  history.clear();
  for (let i = 0; i < 199; i++) history.add(stroke(i));
  while (history.undo());
  assert.deepEqual(history.shown(), []);
  let redone = 0;
  while (history.redo()) redone++;
  assert.equal(redone, 200);
});

test("where not all fits, what is on the sheet is kept", () => {
  const kept = {};
  const small = {
    ...memory(kept),
    setItem: (key, text) => {
      if (text.length > 300) throw new Error("full");
      kept[key] = text;
    },
  };
  const history = createHistory(small);
  const picture = (name) => ({ picture: name.repeat(100), caption: "", box: [0, 0, 1, 1] });
  for (const name of ["a", "b", "c"]) {
    history.clear();
    history.add(picture(name));
    history.keep();
  }
  assert.deepEqual(createHistory(small).recall(), [picture("c")]);
});

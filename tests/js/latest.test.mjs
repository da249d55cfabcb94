import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { followSheet, latestOnly, Unanswered } from "../../assets/js/latest.js";

// A server whose answers the test gives: `answers` holds what settles each request, in order.
function server() {
  const answers = [];
  const ask = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  return { answers, ask };
}

const settled = () => new Promise((done) => setImmediate(done));

test("of what changes while a request is under way only the last is asked for", async () => {
  const { answers, ask } = server();
  const shown = [];
  let drawn = 0;
  const asked = [];
  const changed = latestOnly(
    () => {
      asked.push(drawn);
      return ask();
    },
    (answer) => shown.push(answer),
  );
  for (drawn = 1; drawn < 5; drawn += 1) changed();
  drawn = 4;
  assert.deepEqual(asked, [1]);
  answers[0].resolve("first");
  await settled();
  assert.deepEqual([asked, shown], [[1, 4], ["first"]]);
  answers[1].resolve("second");
  await settled();
  assert.deepEqual([asked.length, shown], [2, ["first", "second"]]);
});

test("a request that is refused is not repeated, and the next change is asked for", async () => {
  const { answers, ask } = server();
  const changed = latestOnly(ask, () => assert.fail("nothing was answered"));
  changed();
  answers[0].reject(new Unanswered("422", false));
  await settled();
  assert.equal(answers.length, 1);
  changed();
  assert.equal(answers.length, 2);
});

test("a server that is busy is asked again, less and less often, until it answers", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { answers, ask } = server();
  const shown = [];
  const changed = latestOnly(ask, (answer) => shown.push(answer));
  changed();
  for (const wait of [1000, 2000, 4000]) {
    answers.at(-1).reject(new Unanswered("503", true));
    await settled();
    const before = answers.length;
    mock.timers.tick(wait - 1);
    assert.equal(answers.length, before);
    mock.timers.tick(1);
    assert.equal(answers.length, before + 1);
  }
  answers.at(-1).resolve("answer");
  await settled();
  assert.deepEqual(shown, ["answer"]);
  mock.timers.reset();
});

test("once a server has answered, the next time that it is busy is waited for as the first was", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { answers, ask } = server();
  const changed = latestOnly(ask, () => {});
  for (const _ of ["first", "second"]) {
    changed();
    answers.at(-1).reject(new Unanswered("503", true));
    await settled();
    const before = answers.length;
    mock.timers.tick(1000);
    assert.equal(answers.length, before + 1);
    answers.at(-1).resolve("answer");
    await settled();
  }
  mock.timers.reset();
});

test("what another window superseded is asked for again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { answers, ask } = server();
  const shown = [];
  latestOnly(ask, (answer) => shown.push(answer))();
  answers[0].resolve(null);
  await settled();
  mock.timers.tick(1000);
  assert.equal(answers.length, 2);
  answers[1].resolve("answer");
  await settled();
  assert.deepEqual(shown, ["answer"]);
  mock.timers.reset();
});

test("nothing is asked while it is not worth asking", () => {
  let seen = false;
  let asked = 0;
  const changed = latestOnly(
    () => {
      asked += seen ? 1 : 0;
      return seen ? new Promise(() => {}) : null;
    },
    () => {},
  );
  changed();
  assert.equal(asked, 0);
  seen = true;
  changed();
  assert.equal(asked, 1);
});

// Asks for a drawing, and is never answered.
const noting =
  (asked) =>
  ({ number }) => {
    asked.push(number);
    return new Promise(() => {});
  };

// A sheet and a view without a browser.
function stage({ drawn = 0, width = 100 } = {}) {
  const followers = [];
  const observed = [];
  globalThis.ResizeObserver = class {
    constructor(seen) {
      observed.push(seen);
    }
    observe() {}
  };
  const sheet = { latest: () => ({ number: drawn }), onUpdate: (follower) => followers.push(follower) };
  const draw = () => {
    drawn += 1;
    for (const follower of followers) follower();
  };
  return { sheet, element: { clientWidth: width }, draw, resize: () => observed.map((seen) => seen()) };
}

test("a view that comes after the drawing asks for it at once, and one before any drawing does not", () => {
  for (const drawn of [0, 3]) {
    const { sheet, element } = stage({ drawn });
    const asked = [];
    followSheet(element, sheet, noting(asked), () => {});
    assert.deepEqual(asked, drawn ? [3] : []);
  }
});

test("a hidden view asks once it is seen, for the latest drawing only", () => {
  const { sheet, element, draw, resize } = stage({ width: 0 });
  const asked = [];
  followSheet(element, sheet, noting(asked), () => {});
  draw();
  draw();
  assert.deepEqual(asked, []);
  element.clientWidth = 100;
  resize();
  assert.deepEqual(asked, [2]);
});

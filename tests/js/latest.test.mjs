import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { latestOnly } from "../../assets/js/latest.js";

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

test("a request that fails is not repeated, and the next change is asked for", async () => {
  mock.method(console, "warn", () => {});
  const { answers, ask } = server();
  const changed = latestOnly(ask, () => assert.fail("nothing was answered"));
  changed();
  answers[0].reject(new Error("503"));
  await settled();
  assert.equal(answers.length, 1);
  changed();
  assert.equal(answers.length, 2);
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
  const changed = latestOnly(() => (seen ? (asked += 1, new Promise(() => {})) : null), () => {});
  changed();
  assert.equal(asked, 0);
  seen = true;
  changed();
  assert.equal(asked, 1);
});

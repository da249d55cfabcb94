import assert from "node:assert/strict";
import { test } from "node:test";
import { percent } from "../../assets/js/percent.js";

test("a probability is never written as 0 % or 100 %", () => {
  const written = [0, 0.004, 0.005, 0.124, 0.125, 0.994, 0.995, 1].map(percent);
  assert.deepEqual(
    written,
    ["< 1", "< 1", "1", "12", "13", "99", "> 99", "> 99"].map((text) => `${text}\u202f%`),
  );
});

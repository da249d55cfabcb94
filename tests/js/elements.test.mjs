import assert from "node:assert/strict";
import { test } from "node:test";
import { find, findAll } from "../../assets/js/elements.js";

class Canvas {}
class Paragraph {}

const canvas = new Canvas();
const root = {
  querySelector: (selector) => ({ canvas, p: new Paragraph() })[selector] ?? null,
  querySelectorAll: () => [canvas, new Paragraph()],
};

test("an element of the expected kind is found", () => {
  assert.equal(find(root, "canvas", Canvas), canvas);
});

test("a missing element, or one of another kind, is an error that names it", () => {
  assert.throws(() => find(root, ".pad", Canvas), /^TypeError: expected Canvas at \.pad, got null$/);
  assert.throws(() => find(root, "p", Canvas), /Canvas at p/);
  assert.throws(() => findAll(root, "*", Canvas), /Canvas at \*/);
});

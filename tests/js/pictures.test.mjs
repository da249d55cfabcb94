import assert from "node:assert/strict";
import { test } from "node:test";
import { isLight } from "../../assets/js/ink/pictures.js";

const pixels = (...all) => Uint8ClampedArray.from(all.flat());

test("light ink on nothing is light; dark ink on nothing, and anything on opaque paper, is not", () => {
  const [clear, white, black] = [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [0, 0, 0, 255],
  ];
  assert.equal(isLight(pixels(clear, clear, white)), true);
  assert.equal(isLight(pixels(clear, clear, black)), false);
  assert.equal(isLight(pixels(white, white, black)), false);
  assert.equal(isLight(pixels(white, black, white)), false);
});

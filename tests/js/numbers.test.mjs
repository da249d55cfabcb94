import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, floats, number, signedBytes } from "../../assets/js/inside/numbers.js";

test("numbers have a real minus, and nought has none", () => {
  assert.deepEqual(
    [1.234, -1.234, -0.001, 0].map((value) => number(value)),
    ["1.23", "−1.23", "0.00", "0.00"],
  );
  assert.deepEqual([number(-0.00004, 4), number(-0.4, 0), number(-0.6, 0)], ["0.0000", "0", "−1"]);
});

test("what the server packs comes out as it went in", () => {
  const packed = (values) => Buffer.from(values.buffer).toString("base64");
  assert.deepEqual([...bytes(packed(Uint8Array.of(0, 128, 255)))], [0, 128, 255]);
  assert.deepEqual([...signedBytes(packed(Int8Array.of(-127, 0, 127)))], [-127, 0, 127]);
  assert.deepEqual([...floats(packed(Float32Array.of(-0.5, 2.75)))], [-0.5, 2.75]);
});

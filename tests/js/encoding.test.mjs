import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { cut, deflate, greys, inkedBox, toDrawing } from "../../assets/js/ink/encoding.js";

test("the inked box goes a pen's width beyond the points, in whole pixels of the sheet", () => {
  const stroke = { pen: "pen", points: [500, 500, 600, 700] };
  assert.deepEqual(inkedBox([stroke], 1000), [448, 448, 652, 752]);
  assert.deepEqual(inkedBox([stroke], 100), [44, 44, 66, 76]);
});

test("the inked box ends at the sheet's edge and takes in pictures", () => {
  const events = [
    { pen: "pen", points: [10, 990] },
    { picture: "data:,", box: [100, 200, 300, 400] },
  ];
  assert.deepEqual(inkedBox(events, 500), [0, 100, 200, 500]);
});

test("the eraser inks nothing", () => {
  const [left, top, right, bottom] = inkedBox([{ pen: "eraser", points: [500, 500] }], 500);
  assert.ok(right <= left && bottom <= top);
});

test("grey is luminance", () => {
  const data = [255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255];
  assert.deepEqual([...greys({ data, width: 5, height: 1 })], [255, 0, 76, 150, 29]);
});

test("the crop holds all that is not paper and no more", () => {
  const grey = new Uint8Array(20).fill(255); // 5 wide, 4 high
  grey[1 * 5 + 3] = 7;
  grey[2 * 5 + 1] = 8;
  const { left, top, width, height, grey: crop } = cut(grey, 5);
  assert.deepEqual([left, top, width, height], [1, 1, 3, 2]);
  assert.deepEqual([...crop], [255, 255, 7, 8, 255, 255]);
});

test("nothing but paper has no crop", () => {
  assert.equal(cut(new Uint8Array(20).fill(255), 5), null);
});

test("deflated bytes are raw deflate in base64, however many", async () => {
  const bytes = Uint8Array.from({ length: 60000 }, (_, i) => (i * i * 31 + (i >> 3)) & 255);
  const packed = Buffer.from(await deflate(bytes), "base64");
  assert.deepEqual(new Uint8Array(inflateRawSync(packed)), bytes);
});

test("an update names its number, the sheet's size, and the crop's place and size", async () => {
  const crop = { left: 3, top: 4, width: 2, height: 1, grey: Uint8Array.of(0, 9) };
  const { ink, ...rest } = await toDrawing(7, [560, 560], crop);
  assert.deepEqual(rest, { number: 7, sheet: [560, 560], crop: [3, 4, 2, 1] });
  assert.deepEqual([...inflateRawSync(Buffer.from(ink, "base64"))], [0, 9]);
});

test("a blank sheet's update has no crop and no ink", async () => {
  assert.deepEqual(await toDrawing(8, [560, 560], null), { number: 8, sheet: [560, 560], crop: null, ink: "" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { cut, deflate, greys, inkedBox, penLines, toDrawing } from "../../assets/js/ink/encoding.js";

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
  const { ink, ...rest } = await toDrawing(7, [560, 560], crop, [[3, 4]]);
  assert.deepEqual(rest, { number: 7, sheet: [560, 560], crop: [3, 4, 2, 1], lines: [[3, 4]] });
  assert.deepEqual([...inflateRawSync(Buffer.from(ink, "base64"))], [0, 9]);
});

test("a blank sheet's update has no crop and no ink", async () => {
  const blank = { number: 8, sheet: [560, 560], crop: null, ink: "", lines: [] };
  assert.deepEqual(await toDrawing(8, [560, 560], null, [[3, 4]]), blank);
});

test("the pen's lines go in pixels, without points that lie close together, in the order drawn", () => {
  const first = { pen: "pen", points: [100, 100, 104, 100, 120, 100, 200, 300, 202, 301] };
  const second = { pen: "pen", points: [900, 1200] };
  assert.deepEqual(penLines([first, { pen: "eraser", points: [1, 1] }, second], 500), [
    [50, 50, 60, 50, 100, 150, 101, 151],
    [450, 500],
  ]);
});

test("beside a picture, or in too many lines, the pen's lines tell nothing", () => {
  const line = { pen: "pen", points: [1, 1] };
  assert.deepEqual(penLines([line, { picture: "data:,", box: [0, 0, 9, 9] }], 500), []);
  assert.equal(penLines(Array(60).fill(line), 500).length, 60);
  assert.deepEqual(penLines(Array(61).fill(line), 500), []);
  const endless = { pen: "pen", points: Array.from({ length: 2002 }, (_, i) => (i * 487) % 1000) };
  assert.deepEqual(penLines([line, endless], 560), []);
});

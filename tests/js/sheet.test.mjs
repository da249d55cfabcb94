import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createSheet } from "../../assets/js/ink/sheet.js";

// Canvases on which all is black: the part that can hold ink is then the crop.
const black = (_left, _top, width, height) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) });
const context = new Proxy({ getImageData: black }, { get: (made, name) => made[name] ?? (() => {}) });
globalThis.document = { createElement: () => ({ getContext: () => context, setAttribute() {}, append() {} }) };
globalThis.Image = class {
  width = 20;
  height = 10;
  async decode() {}
};

const storage = (kept = null) => ({ getItem: () => kept, setItem() {} });
const pad = (marks = []) => ({ show() {}, mark: (boxes) => marks.push(boxes) });

// What `action` has the sheet send first, and how many updates it begins.
async function sent(sheet, action) {
  const before = sheet.begun();
  const update = new Promise((done) => sheet.onUpdate(() => done(sheet.latest())));
  await action();
  return { ...(await update), begun: sheet.begun() - before };
}

function draw(sheet, x, y) {
  sheet.begin("pen", x, y);
  sheet.extend(x + 100, y);
  sheet.end();
}

// The crop, [left, top, width, height], of ink in units from (left, top) to (right, bottom) on a sheet of 560 pixels.
function cropOf(left, top, right, bottom) {
  const [x, y] = [left - 52, top - 52].map((units) => Math.floor(0.56 * units));
  return [x, y, Math.ceil(0.56 * (right + 52)) - x, Math.ceil(0.56 * (bottom + 52)) - y];
}

test("before any pad has been seen the sheet is blank and of 560 pixels, and so is what is drawn on it", async () => {
  const sheet = createSheet(storage());
  assert.deepEqual(sheet.latest(), { number: 0, sheet: [560, 560], crop: null, ink: "", lines: [] });
  assert.deepEqual((await sent(sheet, () => draw(sheet, 200, 200))).sheet, [560, 560]);
});

test("what is sent is as large as the large pad, or smaller by a whole factor", async () => {
  const sheet = createSheet(storage());
  for (const [side, expected] of [
    [400, 400],
    [900, 450],
    [1200, 400],
  ]) {
    sheet.fit(side);
    assert.deepEqual((await sent(sheet, () => draw(sheet, 200, 200))).sheet, [expected, expected]);
  }
});

test("each stroke is one update, which carries all ink up to the newest", async () => {
  const sheet = createSheet(storage());
  const first = await sent(sheet, () => draw(sheet, 200, 200));
  assert.deepEqual([first.number, first.begun, first.crop], [1, 1, cropOf(200, 200, 300, 200)]);
  const second = await sent(sheet, () => draw(sheet, 500, 700));
  assert.deepEqual([second.number, second.begun, second.crop], [2, 1, cropOf(200, 200, 600, 700)]);
});

test("the stroke in hand is sent too, at most every 60 milliseconds", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const sheet = createSheet(storage());
  const begun = await sent(sheet, () => {
    sheet.begin("pen", 200, 200);
    mock.timers.tick(60);
  });
  assert.deepEqual([begun.begun, begun.crop], [1, cropOf(200, 200, 200, 200)]);
  const moved = await sent(sheet, () => {
    for (let x = 210; x <= 400; x += 10) {
      sheet.extend(x, 200);
      sheet.moved();
    }
    mock.timers.tick(60);
  });
  assert.deepEqual([moved.begun, moved.crop], [1, cropOf(200, 200, 400, 200)]);
  mock.timers.reset();
});

test("an update that is ready late does not replace a newer one", async () => {
  const { Response } = globalThis;
  const packed = []; // settles each update's ink, in order
  globalThis.Response = class {
    arrayBuffer = () => new Promise((done) => packed.push(() => done(new ArrayBuffer(0))));
  };
  const sheet = createSheet(storage());
  draw(sheet, 200, 200);
  draw(sheet, 500, 700);
  globalThis.Response = Response;
  for (const place of [1, 0]) {
    packed[place]();
    await new Promise(setImmediate);
    assert.equal(sheet.latest().number, 2);
  }
});

test("undo, redo and clear are one update each, and none where there is nothing to do", async () => {
  const sheet = createSheet(storage());
  await sent(sheet, () => draw(sheet, 200, 200));
  await sent(sheet, () => draw(sheet, 500, 700));
  const [one, both] = [cropOf(200, 200, 300, 200), cropOf(200, 200, 600, 700)];
  for (const [action, crop] of [
    [sheet.undo, one],
    [sheet.redo, both],
    [sheet.clear, null],
  ]) {
    const update = await sent(sheet, action);
    assert.deepEqual([update.begun, update.crop], [1, crop]);
  }
  sheet.clear();
  sheet.redo();
  assert.equal(sheet.begun(), 5);
});

test("a picture is one update, of its own pixels, and its boxes come back where it lies", async () => {
  const sheet = createSheet(storage());
  const marks = [];
  sheet.join(pad(marks));
  const update = await sent(sheet, () => sheet.paint("data:,", "a caption"));
  assert.deepEqual([update.begun, update.sheet, update.crop], [1, [20, 10], [0, 0, 20, 10]]);
  assert.equal(sheet.caption(), "a caption");
  sheet.mark(update.number, [{ box: [0, 0, 0.5, 1], name: "4", chosen: true }]);
  const boxes = [{ box: [0.15, 0.325, 0.5, 0.675], name: "4", chosen: true }];
  assert.deepEqual(marks.at(-1), boxes);
  const later = [];
  sheet.join(pad(later));
  assert.deepEqual(later, [boxes]);
  const drawnOver = await sent(sheet, () => draw(sheet, 200, 200));
  assert.deepEqual(drawnOver.sheet, [560, 560]);
  assert.deepEqual([marks.at(-1), later.at(-1)], [[], []]);
});

test("a picture takes the place of what was drawn, and one undo brings that back", async () => {
  const sheet = createSheet(storage());
  const { crop } = await sent(sheet, () => draw(sheet, 200, 200));
  await sheet.paint("data:,");
  while (sheet.latest().number < sheet.begun()) await new Promise(setImmediate);
  assert.deepEqual(sheet.latest().sheet, [20, 10]);
  assert.deepEqual((await sent(sheet, sheet.undo)).crop, crop);
});

test("the first pad has what was kept sent; one that joins later sends nothing again", async () => {
  const stroke = { pen: "pen", points: [200, 200, 300, 200] };
  const sheet = createSheet(storage(JSON.stringify({ done: [stroke], undone: [] })));
  await new Promise(setImmediate);
  assert.equal(sheet.begun(), 0);
  const update = await sent(sheet, () => sheet.join(pad()));
  assert.deepEqual([update.begun, update.crop], [1, cropOf(200, 200, 300, 200)]);
  sheet.join(pad());
  assert.equal(sheet.begun(), 1);
});

test("a pad on a blank sheet has nothing sent", () => {
  const sheet = createSheet(storage());
  sheet.join(pad());
  assert.equal(sheet.begun(), 0);
});

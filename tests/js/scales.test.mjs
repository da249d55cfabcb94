import assert from "node:assert/strict";
import { test } from "node:test";
import { linearTicks, logTicks, nearest, niceCeiling, scales, short } from "../../assets/js/chart/scales.js";

const near = (value, expected) => assert.ok(Math.abs(value - expected) < 1e-6, `${value} is not ${expected}`);

test("numbers are written short", () => {
  const written = [0, 0.25, 1234, 12345, 60000, 1500000, 0.0004].map(short);
  assert.deepEqual(written, ["0", "0.25", "1230", "12.3k", "60k", "1.5M", "4e-4"]);
});

test("a nice ceiling is 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual([1, 1.5, 3, 7, 42, 200].map(niceCeiling), [1, 2, 5, 10, 50, 200]);
});

test("linear ticks are round and within the axis", () => {
  assert.deepEqual(linearTicks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(linearTicks(0.1, 0.9, 4), [0.2, 0.4, 0.6, 0.8]);
});

test("a low axis has more than a single tick beside its first", () => {
  assert.deepEqual(linearTicks(0, 1.06, 2), [0, 0.5, 1]);
});

test("log ticks are powers of ten, with 2 and 5 times them where the axis is short", () => {
  assert.deepEqual(logTicks(1, 1000), [1, 10, 100, 1000]);
  assert.deepEqual(logTicks(1, 10), [1, 2, 5, 10]);
});

test("of many powers of ten a log axis names every second or third, so that no two overlap", () => {
  assert.deepEqual(logTicks(1, 1e9), [1, 1e2, 1e4, 1e6, 1e8]);
  assert.deepEqual(logTicks(1, 1e15), [1, 1e3, 1e6, 1e9, 1e12, 1e15]);
});

test("a log axis leaves out what it cannot show and keeps equal ratios equally far apart", () => {
  const chart = {
    series: [
      {
        name: "loss",
        points: [
          [0, 0],
          [1, 0.01],
          [2, 1],
        ],
      },
    ],
    marks: [],
  };
  const { y, y0 } = scales(chart, true, 600, 300);
  assert.ok(y0 > 0);
  near(y(0.01) - y(0.1), y(0.1) - y(1));
});

test("an axis that grows stops at its end, and a pixel leads back to its x", () => {
  const chart = {
    series: [
      {
        name: "a",
        points: [
          [0, 1],
          [340, 2],
        ],
      },
    ],
    x_grows: true,
    x_high: 400,
  };
  const { x, back, x1 } = scales(chart, false, 600, 300);
  assert.equal(x1, 400);
  near(back(x(123)), 123);
});

test("a chart without points still has scales", () => {
  const { x0, x1, y0, y1 } = scales({ series: [] }, false, 600, 300);
  assert.ok([x0, x1, y0, y1].every(Number.isFinite) && x1 > x0 && y1 > y0);
});

test("the nearest point is found on either side", () => {
  const points = [
    [0, 0],
    [10, 0],
    [20, 0],
    [30, 0],
  ];
  assert.deepEqual(
    [-5, 4, 6, 14, 26, 99].map((at) => nearest(points, at)),
    [0, 0, 1, 1, 3, 3],
  );
});

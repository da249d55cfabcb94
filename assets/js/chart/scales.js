// Where a chart's points stand, and its ticks: numbers in, numbers out.
/** @import { Plot, Series } from "../types.js" */

/** @typedef {(value: number) => number} Scale */
/** @typedef {ReturnType<typeof scales>} Scales */

const LETTER = 7.2; // pixels, about the width of a bold letter at 12 pixels

// A number in a few characters.
/** @param {number} value */
export function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  if (size !== 0 && size < 1e-3) return value.toExponential(0);
  return String(+value.toPrecision(3));
}

/** @param {number} value above 0 */
export function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5].find((nice) => nice * power >= value * 0.999999) ?? 10;
  return factor * power;
}

/** @type {(low: number, high: number, wanted: number) => number[]} */
export function linearTicks(low, high, wanted) {
  let step = niceCeiling((high - low) / wanted);
  if (step > (high - low) / 2) step = niceCeiling((high - low) / wanted / 2); // one tick beside the first tells too little
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step)
    ticks.push(+tick.toPrecision(12));
  return ticks;
}

/** @type {(low: number, high: number) => number[]} */
export function logTicks(low, high) {
  const factors = Math.log10(high / low) < 1.5 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  const every = Math.ceil(ticks.length / 7);
  return ticks.filter((_, index) => index % every === 0);
}

/**
 * Scales for what is to be drawn: the x axis grows in nice steps so that it seldom jumps. `back` gives the x of a pixel.
 *
 * @param {Plot} chart
 * @param {boolean} useLog
 * @param {number} width pixels
 * @param {number} height
 */
export function scales(chart, useLog, width, height) {
  const points = chart.series.flatMap((series) => series.points).filter(([, y]) => !useLog || y > 0);
  const longest = Math.max(0, ...chart.series.map((series) => (series.label ? series.name.length : 0)));
  const room = Math.min(longest * LETTER + 14, width * 0.3);
  const box = { left: 46, top: chart.y_name ? 24 : 10, right: width - Math.max(room, 14), bottom: height - 34 };
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const x0 = chart.x_low ?? 0;
  let x1 = Math.max(x0 + 1e-9, ...xs);
  if (chart.x_high !== undefined)
    x1 = chart.x_grows ? Math.min(niceCeiling(Math.max(x1, 10)), chart.x_high) : chart.x_high;
  else if (chart.x_grows) x1 = niceCeiling(Math.max(x1, 10));
  let y0 = chart.y_low ?? (useLog ? Math.min(...ys) : Math.min(0, ...ys));
  let y1 = chart.y_high ?? Math.max(...ys);
  if (!ys.length) [y0, y1] = [chart.y_low ?? 0, chart.y_high ?? 1];
  if (useLog) {
    y0 = y0 > 0 ? y0 : Math.min(...ys, 1);
    [y0, y1] = [y0 / 1.15, Math.max(y1, y0 * 2) * 1.15];
  } else if (chart.y_high === undefined) y1 = y0 + (y1 - y0 || 1) * 1.06;
  /** @type {Scale} */
  const place = (value) => (useLog ? Math.log(value) : value);
  /** @type {Scale} */
  const x = (value) => box.left + ((value - x0) / (x1 - x0 || 1)) * (box.right - box.left);
  /** @type {Scale} */
  const y = (value) => box.bottom - ((place(value) - place(y0)) / (place(y1) - place(y0))) * (box.bottom - box.top);
  /** @type {Scale} */
  const back = (pixel) => x0 + ((pixel - box.left) / (box.right - box.left)) * (x1 - x0);
  return { useLog, box, x, y, back, x0, x1, y0, y1 };
}

/**
 * The index of the point that lies nearest to `at` in x.
 *
 * @param {Series["points"]} points
 * @param {number} at
 */
export function nearest(points, at) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] > at) high = middle;
    else low = middle;
  }
  return Math.abs(points[low][0] - at) <= Math.abs(points[high][0] - at) ? low : high;
}

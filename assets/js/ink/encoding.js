// What the server gets: the sheet's ink, cropped, in grey levels. No DOM: pixels come in as data.
import { PEN, UNITS } from "./units.js";

/**
 * @import { DrawingUpdate } from "../types.js"
 * @import { InkEvent } from "./history.js"
 */

/**
 * Pixels of the sheet, a byte each, 255 for paper.
 * @typedef {{ left: number, top: number, width: number, height: number, grey: Uint8Array<ArrayBuffer> }} Crop
 */

const APART = 4; // pixels between two points of a line that is sent
const MOST_LINES = 60; // as the server has it, `pad.DrawingUpdate`
const LONGEST_LINE = 2000; // numbers, likewise

/**
 * The part of a sheet of `side` pixels that can hold ink, in its pixels: [left, top, right, bottom]. Without ink, right
 * is left of left.
 *
 * @param {InkEvent[]} events
 * @param {number} side
 */
export function inkedBox(events, side) {
  const box = [UNITS, UNITS, 0, 0];
  /** @type {(left: number, top: number, right: number, bottom: number) => void} */
  const grow = (left, top, right, bottom) => {
    box[0] = Math.min(box[0], left);
    box[1] = Math.min(box[1], top);
    box[2] = Math.max(box[2], right);
    box[3] = Math.max(box[3], bottom);
  };
  for (const event of events) {
    if (event.picture) grow(event.box[0], event.box[1], event.box[0] + event.box[2], event.box[1] + event.box[3]);
    if (event.pen !== "pen") continue;
    for (let i = 0; i < event.points.length; i += 2) {
      const [x, y] = event.points.slice(i, i + 2);
      grow(x - PEN, y - PEN, x + PEN, y + PEN);
    }
  }
  /** @type {(units: number, round: (value: number) => number) => number} */
  const pixels = (units, round) => Math.min(side, Math.max(0, round((units * side) / UNITS)));
  return [...box.slice(0, 2).map((u) => pixels(u, Math.floor)), ...box.slice(2).map((u) => pixels(u, Math.ceil))];
}

/** @type {(data: ArrayLike<number>, i: number) => number} */
const luminance = (data, i) => (data[i] * 299 + data[i + 1] * 587 + data[i + 2] * 114 + 500) / 1000;

// RGBA pixels -> one byte each, 255 for white.
/** @param {Pick<ImageData, "data" | "width" | "height">} pixels */
export function greys({ data, width, height }) {
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) grey[i] = luminance(data, 4 * i);
  return grey;
}

/**
 * Whatever of `grey`, `width` pixels wide, is not paper; null when all is.
 *
 * @param {Uint8Array} grey
 * @param {number} width
 * @returns {Crop | null}
 */
export function cut(grey, width) {
  let [minX, minY, maxX, maxY] = [width, Infinity, -1, -1];
  for (let i = 0; i < grey.length; i++) {
    if (grey[i] === 255) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    minX = Math.min(minX, x);
    maxX = Math.max(maxX, x);
    minY = Math.min(minY, y);
    maxY = y;
  }
  if (maxY < 0) return null;
  const [cropWidth, cropHeight] = [maxX + 1 - minX, maxY + 1 - minY];
  const crop = new Uint8Array(cropWidth * cropHeight);
  for (let y = minY, i = 0; y <= maxY; y++, i += cropWidth) {
    crop.set(grey.subarray(y * width + minX, y * width + maxX + 1), i);
  }
  return { left: minX, top: minY, width: cropWidth, height: cropHeight, grey: crop };
}

// Raw deflate (RFC 1951), in base64.
/** @param {Uint8Array<ArrayBuffer>} bytes */
export async function deflate(bytes) {
  const stream = new CompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  writer.write(bytes);
  writer.close();
  const packed = new Uint8Array(await new Response(stream.readable).arrayBuffer());
  let text = "";
  for (let i = 0; i < packed.length; i += 8192) text += String.fromCharCode(...packed.subarray(i, i + 8192));
  return btoa(text);
}

/**
 * The pen's lines on a sheet of `side` pixels, in the order drawn: x, y, x, y, ... in its pixels. None where a picture
 * lies on it, or where there are more than the server takes.
 *
 * @param {InkEvent[]} events
 * @param {number} side
 * @returns {number[][]}
 */
export function penLines(events, side) {
  if (events.some((event) => event.picture)) return [];
  const pixel = (/** @type {number} */ units) => Math.min(side, Math.max(0, Math.round((units * side) / UNITS)));
  const lines = events.flatMap((event) => (event.pen === "pen" ? [thin(event.points.map(pixel))] : []));
  return lines.length > MOST_LINES || lines.some((line) => line.length > LONGEST_LINE) ? [] : lines;
}

// Points that are some pixels apart, and the last.
/** @param {number[]} points */
function thin(points) {
  const kept = points.slice(0, 2);
  for (let i = 2; i < points.length; i += 2) {
    const [lastX, lastY] = kept.slice(-2);
    const far = Math.hypot(points[i] - lastX, points[i + 1] - lastY) >= APART;
    if (far || i === points.length - 2) kept.push(points[i], points[i + 1]);
  }
  return kept;
}

/**
 * An update of the sheet as the server takes it.
 *
 * @param {number} number
 * @param {[number, number]} sheet its width and height in pixels
 * @param {Crop | null} crop its ink, if any
 * @param {number[][]} [lines] the pen's, where they are known
 * @returns {Promise<DrawingUpdate>}
 */
export async function toDrawing(number, sheet, crop, lines = []) {
  if (!crop) return { number, sheet, crop: null, ink: "", lines: [] };
  const { left, top, width, height, grey } = crop;
  return { number, sheet, crop: [left, top, width, height], ink: await deflate(grey), lines };
}

// One sheet of ink, shown by every pad on the page (`../pad.js`).
//
// It is kept as strokes and pictures, never as pixels: a reload, a turned phone or another tab paints it again.
import { cut, greys, inkedBox, penLines, toDrawing } from "./encoding.js";
import { createHistory } from "./history.js";
import { createPictures, pixelsOf, shrink } from "./pictures.js";
import { Surface } from "./surface.js";
import { SMALL_PICTURE, UNITS } from "./units.js";

/**
 * @import { DrawingUpdate } from "../types.js"
 * @import { Crop } from "./encoding.js"
 * @import { Box, InkEvent, Stroke } from "./history.js"
 */

/**
 * A rectangle over what was read as one digit: left, top, right, bottom in parts of the sheet, and what it is read as.
 * @typedef {{ box: number[], name: string, chosen: boolean }} Mark
 */

/**
 * What shows the sheet: it joins, and hears of each change.
 * @typedef {{ show: () => void, mark: (boxes: Mark[]) => void }} SheetView
 */

/** @typedef {ReturnType<typeof createSheet>} Sheet */

const LARGEST = 560; // pixels; what is sent is cut from a sheet of at most this size
const EVERY = 60; // milliseconds between two updates while the pen moves
const FRAMES = 50; // updates whose boxes may still come back
/** @type {Box} */
const WHOLE = [0, 0, UNITS, UNITS];
/** @type {DrawingUpdate} */
const BLANK = { number: 0, sheet: [LARGEST, LARGEST], crop: null, ink: "", lines: [] };

/** @param {Pick<Storage, "getItem" | "setItem">} storage both may throw */
export function createSheet(storage) {
  const history = createHistory(storage);
  const pictures = createPictures();
  /** @type {Set<SheetView>} */
  const pads = new Set();
  /** @type {Set<() => void>} */
  const listeners = new Set(); // of each change
  /** @type {Set<() => void>} */
  const followers = new Set(); // of each update for the server
  /** @type {Map<number, Box>} */
  const frames = new Map(); // update's number -> the part of the sheet that it showed, for boxes that come back
  // `begun` is the number of the newest, begun at `at`; `latest` went out last; `timer` will begin the next.
  const updates = { begun: 0, latest: BLANK, at: 0, timer: 0 };
  /** @type {Stroke | null} */
  let stroke = null; // the one being drawn
  /** @type {Mark[]} */
  let boxed = []; // what was read, where it lies on the sheet
  let playing = 0; // the animation frame that draws on by itself
  let repaint = 0; // grows whenever more than the latest event changed

  /** @param {HTMLCanvasElement} canvas */
  const surface = (canvas) => new Surface(canvas, () => ({ events: history.shown(), stroke, repaint }), pictures);

  // What is sent is painted on a sheet of its own: as large as the page's large pad is on screen, or smaller by a
  // whole factor, so that small pads and fine screens send the same.
  const plate = surface(document.createElement("canvas"));
  const fit = (/** @type {number} */ side) => plate.resize(Math.round(side / Math.ceil(side / LARGEST)));
  fit(LARGEST); // until the large pad has been seen

  // --- what the server gets -----------------------------------------------------------------------------------

  /** @type {(events: InkEvent[]) => Crop | null} */
  function crop(events) {
    const [left, top, right, bottom] = inkedBox(events, plate.side);
    if (right <= left || bottom <= top) return null;
    plate.render();
    const found = cut(greys(plate.pixels(left, top, right - left, bottom - top)), right - left);
    return found && { ...found, left: left + found.left, top: top + found.top };
  }

  // The picture on the sheet, where nothing else has been finished there.
  function onlyPicture() {
    const [event, another] = history.shown();
    return event?.picture && !another ? event : null;
  }

  // A picture alone on the sheet goes with its own pixels: what was photographed, not what was laid out.
  /** @param {number} number */
  async function encode(number) {
    const alone = stroke ? null : onlyPicture();
    const image = alone && pictures.get(alone.picture);
    frames.set(number, image ? alone.box : WHOLE);
    frames.delete(number - FRAMES);
    const events = stroke ? [...history.shown(), stroke] : history.shown();
    if (!image) {
      const { side } = plate;
      return toDrawing(number, [side, side], crop(events), penLines(events, side));
    }
    const { width, height } = image;
    return toDrawing(number, [width, height], { left: 0, top: 0, width, height, grey: greys(pixelsOf(image)) });
  }

  async function send() {
    clearTimeout(updates.timer);
    updates.timer = 0;
    updates.at = performance.now();
    const drawing = await encode(++updates.begun);
    if (drawing.number < updates.latest.number) return; // a later one was ready first
    updates.latest = drawing;
    for (const follower of followers) follower();
  }

  function sendSoon() {
    updates.timer ||= setTimeout(send, Math.max(0, updates.at + EVERY - performance.now()));
  }

  // --- what may happen to the sheet ----------------------------------------------------------------------------

  function show() {
    for (const pad of pads) pad.show();
    for (const listener of listeners) listener();
  }

  function changed(everything = false) {
    if (everything) repaint++;
    showBoxes([]); // until what is there now has been read
    show();
    send();
    history.keep();
  }

  /** @param {InkEvent} event */
  function add(event) {
    history.add(event);
    changed();
  }

  /** @type {(pen: Stroke["pen"], x: number, y: number) => void} */
  function begin(pen, x, y) {
    halt();
    stroke = { pen, points: [x, y] };
    moved();
  }

  /** @type {(x: number, y: number) => void} */
  function extend(x, y) {
    if (!stroke) return;
    const [lastX, lastY] = stroke.points.slice(-2);
    if (Math.hypot(x - lastX, y - lastY) >= 1) stroke.points.push(x, y);
  }

  function moved() {
    show();
    sendSoon();
  }

  function end() {
    const finished = stroke;
    stroke = null;
    if (finished) add(finished);
  }

  function cancel() {
    stroke = null;
    changed();
  }

  function undo() {
    halt();
    if (!stroke && history.undo()) changed(true);
  }

  function redo() {
    halt();
    if (!stroke && history.redo()) changed(true);
  }

  function clear() {
    halt();
    stroke = null;
    if (history.clear()) changed(true);
  }

  // --- drawings that draw themselves ---------------------------------------------------------------------------

  function halt() {
    if (!playing) return;
    cancelAnimationFrame(playing);
    playing = 0;
    end();
  }

  // Draws `strokes` in about `milliseconds`, as a hand would.
  /** @param {number[][]} strokes each x, y, x, y, ... in units */
  function play(strokes, milliseconds = 700) {
    clear();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (still) {
      for (const points of strokes) add({ pen: "pen", points });
      return;
    }
    const total = strokes.reduce((sum, points) => sum + points.length / 2, 0);
    const start = performance.now();
    let [index, drawn, before] = [0, 0, 0];
    const step = (/** @type {number} */ now) => {
      const goal = Math.min(total, Math.ceil(((now - start) / milliseconds) * total));
      while (before + drawn < goal) {
        const points = strokes[index];
        const [x, y] = points.slice(2 * drawn, 2 * drawn + 2);
        if (drawn === 0) stroke = { pen: "pen", points: [x, y] };
        else extend(x, y);
        drawn++;
        if (2 * drawn < points.length) continue;
        before += drawn;
        [index, drawn] = [index + 1, 0];
        end();
      }
      playing = goal < total ? requestAnimationFrame(step) : 0;
      moved();
    };
    playing = requestAnimationFrame(step);
  }

  // --- pictures -------------------------------------------------------------------------------------------------

  // Lays a picture on a cleared sheet, as large as fits; one can undo it.
  /** @param {string} picture a data URL */
  async function paint(picture, caption = "") {
    halt();
    const { width, height } = await pictures.remember(picture);
    const room = Math.max(width, height) > SMALL_PICTURE ? UNITS : 0.7 * UNITS;
    const scale = room / Math.max(width, height);
    const [across, down] = [width * scale, height * scale];
    clear();
    add({ picture, caption, box: [(UNITS - across) / 2, (UNITS - down) / 2, across, down] });
  }

  // Lays a file on the sheet. Returns a sentence where that fails, else an empty text.
  /** @param {File} file */
  async function take(file) {
    try {
      await paint(await shrink(file));
      return "";
    } catch {
      return "This browser cannot show that file as a picture. Try a PNG or a JPEG, to which HEIC can be exported.";
    }
  }

  // --- pads -----------------------------------------------------------------------------------------------------

  /** @param {SheetView} pad */
  function join(pad) {
    pads.add(pad);
    pad.show();
    pad.mark(boxed);
    if (!updates.begun && history.shown().length) send();
  }

  /**
   * Boxes that the server found in update `number`, in parts of what that update showed.
   *
   * @param {number} number
   * @param {Mark[]} boxes
   */
  function mark(number, boxes) {
    const [left, top, width, height] = frames.get(number) ?? WHOLE;
    const place = (/** @type {number[]} */ [x, y, right, bottom]) =>
      [left + x * width, top + y * height, left + right * width, top + bottom * height].map((side) => side / UNITS);
    showBoxes(boxes.map((each) => ({ ...each, box: place(each.box) })));
  }

  /** @param {Mark[]} boxes in parts of the sheet */
  function showBoxes(boxes) {
    boxed = boxes;
    for (const pad of pads) pad.mark(boxed);
  }

  async function recall() {
    const events = history.recall();
    if (!events) return;
    await Promise.all(events.map((event) => event.picture && pictures.remember(event.picture)));
    repaint++;
    show();
    if (pads.size) send();
  }

  recall();
  return {
    surface,
    show,
    fit,
    join,
    mark,
    begin,
    extend,
    moved,
    end,
    cancel,
    undo,
    redo,
    clear,
    play,
    paint,
    take,
    drawing: () => stroke !== null,
    empty: () => !stroke && !history.shown().length,
    caption: () => onlyPicture()?.caption ?? "",
    undoable: history.undoable,
    redoable: history.redoable,
    begun: () => updates.begun,
    latest: () => updates.latest,
    /** @param {() => void} listener */
    onChange: (listener) => listeners.add(listener),
    /** @param {() => void} follower */
    onUpdate: (follower) => followers.add(follower),
  };
}

// One sheet of ink, shown by every pad on the page (`../pad.js`).
//
// It is kept as strokes and pictures, never as pixels: a reload, a turned phone or another tab paints it again.
// Pads join it and hear of each change: `pad.show()` and `pad.mark(boxes)` are called.
import { cut, greys, inkedBox, toDrawing } from "./encoding.js";
import { createHistory } from "./history.js";
import { createPictures, pixelsOf, shrink } from "./pictures.js";
import { Surface } from "./surface.js";
import { SMALL_PICTURE, UNITS } from "./units.js";

/** @import { DrawingUpdate } from "../types.js" */

const LARGEST = 560; // pixels; what is sent is cut from a sheet of at most this size
const EVERY = 60; // milliseconds between two updates while the pen moves
const FRAMES = 50; // updates whose boxes may still come back
const WHOLE = [0, 0, UNITS, UNITS];
/** @type {DrawingUpdate} */
const BLANK = { number: 0, sheet: [LARGEST, LARGEST], crop: null, ink: "" };

export function createSheet(storage) {
  const history = createHistory(storage);
  const pictures = createPictures();
  const pads = new Set();
  const listeners = new Set(); // of each change
  const followers = new Set(); // of each update for the server
  const frames = new Map(); // update's number -> the part of the sheet that it showed, for boxes that come back
  // `begun` is the number of the newest, begun at `at`; `latest` went out last.
  const updates = { begun: 0, latest: BLANK, at: 0, timer: null };
  let stroke = null; // the one being drawn
  let playing = null; // the animation frame that draws on by itself
  let repaint = 0; // grows whenever more than the latest event changed

  const surface = (canvas) => new Surface(canvas, () => ({ events: history.shown(), stroke, repaint }), pictures);

  // What is sent is painted on a sheet of its own: as large as the page's large pad is on screen, or smaller by a
  // whole factor, so that small pads and fine screens send the same.
  const plate = surface(document.createElement("canvas"));
  const fit = (side) => plate.resize(Math.round(side / Math.ceil(side / LARGEST)));
  fit(LARGEST); // until the large pad has been seen

  // --- what the server gets -----------------------------------------------------------------------------------

  function crop(events) {
    const [left, top, right, bottom] = inkedBox(events, plate.side);
    if (right <= left || bottom <= top) return null;
    plate.render();
    const found = cut(greys(plate.pixels(left, top, right - left, bottom - top)), right - left);
    return found && { ...found, left: left + found.left, top: top + found.top };
  }

  // A picture alone on the sheet goes with its own pixels: what was photographed, not what was laid out.
  async function encode(number) {
    const events = stroke ? [...history.shown(), stroke] : history.shown();
    const image = events.length === 1 && events[0].picture && pictures.get(events[0].picture);
    frames.set(number, image ? events[0].box : WHOLE);
    frames.delete(number - FRAMES);
    if (!image) return toDrawing(number, [plate.side, plate.side], crop(events));
    const { width, height } = image;
    return toDrawing(number, [width, height], { left: 0, top: 0, width, height, grey: greys(pixelsOf(image)) });
  }

  async function send() {
    clearTimeout(updates.timer);
    updates.timer = null;
    updates.at = performance.now();
    const drawing = await encode(++updates.begun);
    if (drawing.number < updates.latest.number) return; // a later one was ready first
    updates.latest = drawing;
    for (const follower of followers) follower();
  }

  function sendSoon() {
    updates.timer ??= setTimeout(send, Math.max(0, updates.at + EVERY - performance.now()));
  }

  // --- what may happen to the sheet ----------------------------------------------------------------------------

  function show() {
    for (const pad of pads) pad.show();
    for (const listener of listeners) listener();
  }

  function changed(everything = false) {
    if (everything) repaint++;
    for (const pad of pads) pad.mark([]); // until what is there now has been read
    show();
    send();
    history.keep();
  }

  function add(event) {
    history.add(event);
    changed();
  }

  function begin(pen, x, y) {
    halt();
    stroke = { pen, points: [x, y] };
    moved();
  }

  function extend(x, y) {
    const points = stroke.points;
    if (Math.hypot(x - points.at(-2), y - points.at(-1)) < 1) return;
    points.push(x, y);
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
    playing = null;
    end();
  }

  // Draws `strokes`, lists of [x, y, x, y, ...] in units, in about `milliseconds`, as a hand would.
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
    const step = (now) => {
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
      playing = goal < total ? requestAnimationFrame(step) : null;
      moved();
    };
    playing = requestAnimationFrame(step);
  }

  // --- pictures -------------------------------------------------------------------------------------------------

  // Lays a picture (a data URL) on a cleared sheet, as large as fits; one can undo it.
  async function paint(picture, caption = "") {
    halt();
    const { width, height } = await pictures.remember(picture);
    const room = Math.max(width, height) > SMALL_PICTURE ? UNITS : 0.7 * UNITS;
    const scale = room / Math.max(width, height);
    const size = [width * scale, height * scale];
    clear();
    add({ picture, caption, box: [...size.map((side) => (UNITS - side) / 2), ...size] });
  }

  // Lays a file on the sheet. Returns a sentence where that fails, else an empty text.
  async function take(file) {
    try {
      await paint(await shrink(file));
      return "";
    } catch {
      return "This browser cannot show that file as a picture. Try a PNG or a JPEG, to which HEIC can be exported.";
    }
  }

  // --- pads -----------------------------------------------------------------------------------------------------

  function join(pad) {
    pads.add(pad);
    pad.show();
    if (!updates.begun && history.shown().length) send();
  }

  // Boxes that the server found in update `number`, in parts of what that update showed.
  function mark(number, boxes) {
    const [left, top, width, height] = frames.get(number) ?? WHOLE;
    const place = ([x, y, right, bottom]) =>
      [left + x * width, top + y * height, left + right * width, top + bottom * height].map((side) => side / UNITS);
    for (const pad of pads) pad.mark(boxes.map((each) => ({ ...each, box: place(each.box) })));
  }

  async function recall() {
    const events = history.recall();
    if (!events) return;
    await Promise.all(events.filter((event) => event.picture).map((event) => pictures.remember(event.picture)));
    repaint++;
    show();
    if (pads.size) send();
  }

  const only = () => (history.shown().length === 1 ? history.shown()[0] : {});

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
    caption: () => only().caption || "",
    undoable: history.undoable,
    redoable: history.redoable,
    begun: () => updates.begun,
    latest: () => updates.latest,
    onChange: (listener) => listeners.add(listener),
    onUpdate: (follower) => followers.add(follower),
  };
}

// One sheet of ink, shown by every pad on the page (`pad.js`).
//
// The sheet measures 1000 by 1000 units whatever its size on screen, and is kept as strokes and pictures, never as
// pixels: a reload, a turned phone or another tab paints it again. Pads join it (`window.ink.join`) and hear of each
// change; what the server gets is the sheet's ink, cropped, in grey levels (see `encode`).
(() => {
  const UNITS = 1000;
  const PEN = 52; // units; as thick as MNIST's pens are for a digit that fills half the sheet
  const ERASER = 110;
  const SHEET = 560; // pixels; what is sent is cut from a sheet of at most this size
  const PICTURE = 512; // pixels; the longer side of a picture laid on the sheet
  const SMALL_PICTURE = 64; // pixels; up to here every grey level counts, and JPEG would change some
  const EVERY = 60; // milliseconds between two updates while the pen moves
  const HISTORY = 200; // events; from here on, what lies before a cleared sheet is forgotten
  const KEY = "mnist-ink";
  const PAPER = "#ffffff";
  const INK = "#161b26"; // what the server makes of it is black

  // What has happened, oldest first. An event is a stroke {pen: "pen" | "eraser", points: [x, y, x, y, ...]},
  // a picture {picture: data URL, caption, box: [left, top, width, height]}, or {clear: true}. Events are never changed.
  let done = [];
  let undone = [];
  let stroke = null; // the one being drawn
  let repaint = 0; // grows whenever more than the latest event changed
  let sent = 0; // the number of the latest update
  const frames = new Map(); // update's number -> the part of the sheet that it showed, for boxes that come back
  const pads = new Set();
  const listeners = new Set();

  const shown = () => done.slice(done.findLastIndex((event) => event.clear) + 1);

  // --- painting -----------------------------------------------------------------------------------------------

  // Through the midpoints of the pointer's positions, which are the curve's handles: smooth at any speed.
  function trace(context, { pen, points }) {
    context.strokeStyle = pen === "eraser" ? PAPER : INK;
    context.lineWidth = pen === "eraser" ? ERASER : PEN;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(points[0], points[1]);
    for (let i = 2; i < points.length - 2; i += 2) {
      const [x, y, nextX, nextY] = points.slice(i, i + 4);
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(points.at(-2) + 0.1, points.at(-1)); // the tenth of a unit makes a tap a dot
    context.stroke();
  }

  const images = new Map(); // data URL -> its decoded image, once it is

  function lay(context, { picture, box }) {
    const image = images.get(picture);
    if (!image) return;
    context.imageSmoothingEnabled = image.width > SMALL_PICTURE;
    context.drawImage(image, ...box);
  }

  const put = (context, event) => (event.picture ? lay(context, event) : trace(context, event));

  // A square canvas that shows the sheet: what is finished on `base`, the stroke in hand over it.
  class Surface {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d", { willReadFrequently: true });
      this.base = document.createElement("canvas");
      this.baseContext = this.base.getContext("2d", { willReadFrequently: true });
      this.painted = { repaint: -1, events: 0 };
      this.side = 0; // pixels
    }

    resize(side) {
      if (this.side === side) return;
      this.side = side;
      for (const canvas of [this.canvas, this.base]) canvas.width = canvas.height = side;
      for (const context of [this.context, this.baseContext]) context.scale(side / UNITS, side / UNITS);
      this.painted.repaint = -1;
    }

    render() {
      const events = shown();
      if (this.painted.repaint !== repaint) {
        this.baseContext.fillStyle = PAPER;
        this.baseContext.fillRect(0, 0, UNITS, UNITS);
        this.painted = { repaint, events: 0 };
      }
      for (const event of events.slice(this.painted.events)) put(this.baseContext, event);
      this.painted.events = events.length;
      this.context.save();
      this.context.resetTransform();
      this.context.drawImage(this.base, 0, 0);
      this.context.restore();
      if (stroke) trace(this.context, stroke);
    }
  }

  // What is sent is painted on a sheet of its own: as large as the page's large pad is on screen, or smaller by a
  // whole factor, so that small pads and fine screens send the same.
  const plate = new Surface(document.createElement("canvas"));
  const fitPlate = (side) => plate.resize(Math.round(side / Math.ceil(side / SHEET)));

  // --- what the server gets -----------------------------------------------------------------------------------

  // The part of the sheet that can hold ink, in the plate's pixels: [left, top, right, bottom].
  function inked(events) {
    const box = [UNITS, UNITS, 0, 0];
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
    const pixels = (units, round) => Math.min(plate.side, Math.max(0, round((units * plate.side) / UNITS)));
    return [...box.slice(0, 2).map((u) => pixels(u, Math.floor)), ...box.slice(2).map((u) => pixels(u, Math.ceil))];
  }

  const luminance = (data, i) => (data[i] * 299 + data[i + 1] * 587 + data[i + 2] * 114 + 500) / 1000;

  function greys({ data, width, height }) {
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < grey.length; i++) grey[i] = luminance(data, 4 * i);
    return grey;
  }

  // Whatever of `box` is not paper; null when all is.
  function cut([left, top, right, bottom]) {
    if (right <= left || bottom <= top) return null;
    const width = right - left;
    const grey = greys(plate.context.getImageData(left, top, width, bottom - top));
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
    const crop = new Uint8Array((maxX + 1 - minX) * (maxY + 1 - minY));
    for (let y = minY, i = 0; y <= maxY; y++, i += maxX + 1 - minX) {
      crop.set(grey.subarray(y * width + minX, y * width + maxX + 1), i);
    }
    const [cropWidth, cropHeight] = [maxX + 1 - minX, maxY + 1 - minY];
    const sheet = [plate.side, plate.side];
    return { sheet, left: left + minX, top: top + minY, width: cropWidth, height: cropHeight, grey: crop };
  }

  // A picture alone on the sheet goes with its own pixels: what was photographed, not what was laid out.
  function whole({ picture }) {
    const image = images.get(picture);
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { width, height } = image;
    return { sheet: [width, height], left: 0, top: 0, width, height, grey: greys(context.getImageData(0, 0, width, height)) };
  }

  async function deflate(bytes) {
    const stream = new CompressionStream("deflate-raw");
    const writer = stream.writable.getWriter();
    writer.write(bytes);
    writer.close();
    const packed = new Uint8Array(await new Response(stream.readable).arrayBuffer());
    let text = "";
    for (let i = 0; i < packed.length; i += 8192) text += String.fromCharCode(...packed.subarray(i, i + 8192));
    return btoa(text);
  }

  // "NUMBER SHEETxSHEET WIDTHxHEIGHT+LEFT+TOP DATA": a crop of the sheet, one byte a pixel, 255 for paper,
  // deflated, in base64. Without ink the crop is 0x0 and there is no data.
  async function encode(number) {
    const events = stroke ? [...shown(), stroke] : shown();
    const alone = events.length === 1 && events[0].picture && images.has(events[0].picture) ? events[0] : null;
    let crop = null;
    if (alone) {
      crop = whole(alone);
    } else if (events.length) {
      plate.render();
      crop = cut(inked(events));
    }
    frames.set(number, alone ? alone.box : [0, 0, UNITS, UNITS]);
    frames.delete(number - 50);
    if (!crop) return `${number} ${plate.side}x${plate.side} 0x0+0+0 `;
    const { sheet, left, top, width, height, grey } = crop;
    return `${number} ${sheet.join("x")} ${width}x${height}+${left}+${top} ${await deflate(grey)}`;
  }

  let timer = null;
  let sentAt = 0;
  let told = 0; // the number of the latest update that went out

  async function send() {
    clearTimeout(timer);
    timer = null;
    sentAt = performance.now();
    const number = ++sent;
    const value = await encode(number);
    if (number < told) return; // a later one was ready first
    told = number;
    for (const pad of pads) pad.take(value);
  }

  function sendSoon() {
    timer ??= setTimeout(send, Math.max(0, sentAt + EVERY - performance.now()));
  }

  // --- what may happen to the sheet ----------------------------------------------------------------------------

  function show() {
    for (const pad of pads) pad.show();
    for (const listener of listeners) listener();
  }

  function keep() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ done, undone }));
    } catch {
      // Storage is refused or full: the ink then lasts as long as the page.
    }
  }

  function changed(everything = false) {
    if (everything) repaint++;
    show();
    send();
    keep();
  }

  function add(event) {
    done.push(event);
    undone = [];
    const start = done.findIndex((each, i) => each.clear && done.length - i <= HISTORY);
    if (done.length > HISTORY && start > 0) done = done.slice(start);
    changed(Boolean(event.clear));
  }

  function begin(pen, x, y) {
    halt();
    stroke = { pen, points: [x, y] };
    show();
    sendSoon();
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
    if (stroke || !done.length) return;
    undone.push(done.pop());
    if (undone.at(-1).picture && done.at(-1)?.clear) undone.push(done.pop()); // both came with the picture
    changed(true);
  }

  function redo() {
    halt();
    if (stroke || !undone.length) return;
    done.push(undone.pop());
    if (done.at(-1).clear && undone.at(-1)?.picture) done.push(undone.pop());
    changed(true);
  }

  function clear() {
    halt();
    stroke = null;
    if (shown().length) add({ clear: true });
  }

  // --- drawings that draw themselves ---------------------------------------------------------------------------

  let playing = null;

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
    if (still) return strokes.forEach((points) => add({ pen: "pen", points }));
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

  async function decode(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    return image;
  }

  async function remember(picture) {
    if (!images.has(picture)) images.set(picture, await decode(picture));
    return images.get(picture);
  }

  // Lays a picture (a data URL) on a cleared sheet, as large as fits; one can undo it.
  async function paint(picture, caption = "") {
    halt();
    const { width, height } = await remember(picture);
    const room = Math.max(width, height) > SMALL_PICTURE ? UNITS : 0.7 * UNITS;
    const scale = room / Math.max(width, height);
    const size = [width * scale, height * scale];
    clear();
    add({ picture, caption, box: [...size.map((side) => (UNITS - side) / 2), ...size] });
  }

  // A file from the visitor's disk, clipboard or camera: made smaller here, so that little travels.
  async function take(file) {
    const address = URL.createObjectURL(file);
    try {
      const image = await decode(address);
      const scale = Math.min(1, PICTURE / Math.max(image.width, image.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(image.width * scale));
      canvas.height = Math.max(1, Math.round(image.height * scale));
      const context = canvas.getContext("2d");
      context.fillStyle = PAPER;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.imageSmoothingQuality = "high";
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      const small = Math.max(canvas.width, canvas.height) <= SMALL_PICTURE;
      await paint(small ? canvas.toDataURL("image/png") : canvas.toDataURL("image/jpeg", 0.92));
      return "";
    } catch {
      return "This browser cannot show that file as a picture. Try a PNG or a JPEG.";
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  // --- pads -----------------------------------------------------------------------------------------------------

  function join(pad) {
    pads.add(pad);
    // Gradio fills in a pad's first value after its script; what the sheet already holds comes after that.
    setTimeout(() => {
      pad.show();
      if (shown().length) send();
    });
  }

  // Boxes that the server found in update `number`, in parts of what that update showed.
  function mark(number, boxes) {
    const [left, top, width, height] = frames.get(number) ?? [0, 0, UNITS, UNITS];
    const place = ([x, y, right, bottom]) =>
      [left + x * width, top + y * height, left + right * width, top + bottom * height].map((side) => side / UNITS);
    for (const pad of pads) pad.mark(boxes.map((each) => ({ ...each, box: place(each.box) })));
  }

  async function recall() {
    let kept;
    try {
      kept = JSON.parse(sessionStorage.getItem(KEY));
    } catch {
      return; // refused, or not ours
    }
    if (!kept) return;
    ({ done, undone } = kept);
    await Promise.all([...done, ...undone].filter((event) => event.picture).map((event) => remember(event.picture)));
    repaint++;
    show();
    if (pads.size) send();
  }

  recall();

  window.ink = {
    UNITS,
    Surface,
    fitPlate,
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
    empty: () => !stroke && !shown().length,
    caption: () => (shown().length === 1 && shown()[0].caption) || "",
    undoable: () => done.length > 0,
    redoable: () => undone.length > 0,
    latest: () => sent,
    onChange: (listener) => listeners.add(listener),
  };
})();

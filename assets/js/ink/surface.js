// Painting: strokes and pictures on a square canvas.
import { contextOf } from "../elements.js";
import { ERASER, INK, PAPER, PEN, SMALL_PICTURE, UNITS } from "./units.js";

/** @import { Box, InkEvent, Stroke } from "./history.js" */

// Through the midpoints of the pointer's positions, which are the curve's handles: smooth at any speed.
/** @type {(context: CanvasRenderingContext2D, stroke: Stroke) => void} */
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
  const [endX, endY] = points.slice(-2);
  context.lineTo(endX + 0.1, endY); // the tenth of a unit makes a tap a dot
  context.stroke();
}

/** @type {(context: CanvasRenderingContext2D, image: HTMLImageElement | undefined, box: Box) => void} */
function lay(context, image, box) {
  if (!image) return; // not decoded yet
  context.imageSmoothingEnabled = image.width > SMALL_PICTURE;
  context.drawImage(image, ...box);
}

// A canvas that shows what `view()` returns. What is finished stands on `base`, the stroke in hand over it.
export class Surface {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => { events: InkEvent[], stroke: Stroke | null, repaint: number }} view `repaint` grows whenever more than
   *     the latest event changed
   * @param {{ get: (picture: string) => HTMLImageElement | undefined }} pictures decoded images
   */
  constructor(canvas, view, pictures) {
    this.canvas = canvas;
    this.view = view;
    this.pictures = pictures;
    this.context = contextOf(canvas, { willReadFrequently: true });
    this.base = document.createElement("canvas");
    this.baseContext = contextOf(this.base, { willReadFrequently: true });
    this.painted = { repaint: -1, events: 0 };
    this.side = 0; // pixels
  }

  /** @param {number} side pixels */
  resize(side) {
    if (this.side === side) return;
    this.side = side;
    for (const canvas of [this.canvas, this.base]) canvas.width = canvas.height = side;
    for (const context of [this.context, this.baseContext]) context.scale(side / UNITS, side / UNITS);
    this.painted.repaint = -1;
  }

  render() {
    const { events, stroke, repaint } = this.view();
    if (this.painted.repaint !== repaint) {
      this.baseContext.fillStyle = PAPER;
      this.baseContext.fillRect(0, 0, UNITS, UNITS);
      this.painted = { repaint, events: 0 };
    }
    for (const event of events.slice(this.painted.events)) this.put(event);
    this.painted.events = events.length;
    this.context.save();
    this.context.resetTransform();
    this.context.drawImage(this.base, 0, 0);
    this.context.restore();
    if (stroke) trace(this.context, stroke);
  }

  /** @param {InkEvent} event */
  put(event) {
    if (event.picture) lay(this.baseContext, this.pictures.get(event.picture), event.box);
    else if (event.pen) trace(this.baseContext, event);
  }

  /** @type {(left: number, top: number, width: number, height: number) => ImageData} */
  pixels(left, top, width, height) {
    return this.context.getImageData(left, top, width, height);
  }
}

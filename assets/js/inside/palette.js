// Colours for values. Zero is the sheet itself; the farther a value is from zero, the more ink: blue above, orange below.
import { contextOf } from "../elements.js";

const WEAK = 0.6; // the power that lets weak values be seen beside strong ones

/** @typedef {ReturnType<typeof createPalette>} Palette */

/** @param {HTMLElement} root its style names the colours */
export function createPalette(root) {
  // `signed` has a colour for each of -127 to 127, `ink` for each of 0 to 255.
  let mixed = { key: "", signed: new Uint32Array(255), ink: new Uint32Array(256) };

  // Takes the colours from the page's style, which a dark scheme changes.
  function mix() {
    const style = getComputedStyle(root);
    const [above, below, ink] = ["--curve-1", "--curve-2", "--ink"].map((name) => style.getPropertyValue(name).trim());
    const key = above + below + ink;
    if (mixed.key === key) return;
    /** @type {(hex: string, alpha: number) => number} */
    const colour = (hex, alpha) => {
      const rgb = parseInt(hex.slice(1), 16);
      return ((Math.round(alpha) << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0; // as canvas stores it
    };
    /** @param {number} at */
    const signed = (at) => colour(at < 127 ? below : above, 255 * (Math.abs(at - 127) / 127) ** WEAK);
    mixed = {
      key,
      signed: Uint32Array.from({ length: 255 }, (_, at) => signed(at)),
      ink: Uint32Array.from({ length: 256 }, (_, at) => colour(ink, at)),
    };
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} width pixels
   * @param {number} height
   * @param {(i: number) => number} strength of each pixel, from -1 to 1; of ink on paper from 0 to 1
   * @param {boolean} plain ink on paper
   */
  function paint(canvas, width, height, strength, plain = false) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = contextOf(canvas);
    const image = context.createImageData(width, height);
    const colours = new Uint32Array(image.data.buffer);
    for (let i = 0; i < colours.length; i += 1) {
      const s = Math.max(-1, Math.min(1, strength(i)));
      colours[i] = plain ? mixed.ink[Math.round(255 * s)] : mixed.signed[Math.round(127 * s) + 127];
    }
    context.putImageData(image, 0, 0);
  }

  return { mix, paint };
}

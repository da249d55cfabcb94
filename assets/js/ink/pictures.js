// Pictures for the sheet: decoded once, and made smaller before they are laid on it.
import { contextOf, html } from "../elements.js";
import { PAPER, SMALL_PICTURE } from "./units.js";

const DARK = "#000000"; // what light ink is laid on
const LONGEST = 512; // pixels; the longer side of a picture laid on the sheet

/** @param {string} source an address */
async function decode(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

// Data URLs and their decoded images.
export function createPictures() {
  /** @type {Map<string, HTMLImageElement>} */
  const images = new Map();
  return {
    get: (/** @type {string} */ picture) => images.get(picture),
    async remember(/** @type {string} */ picture) {
      const image = images.get(picture) ?? (await decode(picture));
      images.set(picture, image);
      return image;
    },
  };
}

// An image's own pixels, as RGBA data.
/** @param {HTMLImageElement} image */
export function pixelsOf(image) {
  const canvas = html("canvas", { width: image.width, height: image.height });
  const context = contextOf(canvas, { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

// Whether RGBA pixels are light ink on nothing, which white paper would hide.
/** @param {ArrayLike<number>} data */
export function isLight(data) {
  let [ink, light] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    ink += data[i + 3];
    light += (data[i + 3] * (data[i] + data[i + 1] + data[i + 2])) / 3;
  }
  return ink < 0.9 * 255 * (data.length / 4) && light > 128 * ink;
}

// A file from the visitor's disk, clipboard or camera -> a data URL, made smaller here, so that little travels.
/** @param {File} file */
export async function shrink(file) {
  const address = URL.createObjectURL(file);
  try {
    const image = await decode(address);
    const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = contextOf(canvas, { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "destination-over"; // what follows lies beneath
    context.fillStyle = isLight(context.getImageData(0, 0, canvas.width, canvas.height).data) ? DARK : PAPER;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const small = Math.max(canvas.width, canvas.height) <= SMALL_PICTURE;
    return small ? canvas.toDataURL("image/png") : canvas.toDataURL("image/jpeg", 0.92);
  } finally {
    URL.revokeObjectURL(address);
  }
}

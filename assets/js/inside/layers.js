// The layers, first to last: each one's shape, code and values.
import { find, findAll, html } from "../elements.js";
import { percent } from "../percent.js";
import { bytes, number, signedBytes } from "./numbers.js";

/**
 * @import { Layer, Layers, MapLayer } from "../types.js"
 * @import { Unfolded } from "./inside.js"
 * @import { Palette } from "./palette.js"
 */

/** @type {MapLayer[]} */
const MAPS = ["cn1", "cn2", "pool"];
/** @type {Record<"picture" | MapLayer, [maps: number, side: number]>} */
export const SIZES = { picture: [1, 28], cn1: [16, 26], cn2: [32, 24], pool: [32, 12] };
/** @type {Record<MapLayer, "picture" | MapLayer>} */
export const BELOW = { cn1: "picture", cn2: "cn1", pool: "cn2" };

/** @type {Record<string, string>} */
const CANVASES = { picture: "map picture", flat: "strip", fc1: "units" }; // the classes of those that are one picture

function bars() {
  /** @param {number} digit */
  const score = (digit) => html("li", { "data-digit": digit }, html("b", {}, String(digit)), html("i"), html("span"));
  return html("ol", { class: "scores" }, ...Array.from({ length: 10 }, (_, digit) => score(digit)));
}

/** @type {(name: string, shape: number[]) => HTMLElement[]} */
function inner(name, [count]) {
  if (name in CANVASES) return [html("canvas", { class: CANVASES[name], role: "img" })];
  if (name === "fc2" || name === "log_probabilities") return [bars()];
  /** @param {number} at */
  const map = (at) => ({ type: "button", class: "map", "aria-expanded": "false", tabindex: at ? -1 : 0 });
  return Array.from({ length: count }, (_, at) => html("button", map(at), html("canvas")));
}

/** @param {Layer} layer */
function row({ name, shape, parameters, code, note }) {
  const said = [parameters ? `${parameters.toLocaleString("en")} parameters` : "", note].filter(Boolean).join(". ");
  const parts = [html("b", {}, shape.join(" × ")), " ", html("code", {}, code), " ", html("small", {}, said)];
  const maps = html("div", { class: "maps" }, ...inner(name, shape));
  return html("li", { class: "layer", "data-layer": name }, html("div", { class: "layer-said" }, ...parts), maps);
}

/**
 * @param {HTMLElement} root
 * @param {Readonly<Unfolded>} request
 * @param {Palette} palette
 * @param {(name: MapLayer, index: number) => void} choose is called for a map that is clicked
 */
export function createLayers(root, request, palette, choose) {
  const list = find(root, ".layers", HTMLElement);
  const parts = (/** @type {MapLayer} */ name) => findAll(root, `[data-layer="${name}"] .map`, HTMLElement);

  /** @param {Layer[]} layers */
  function build(layers) {
    const code = JSON.stringify(layers);
    if (list.dataset.code === code) return;
    list.dataset.code = code;
    list.replaceChildren(...layers.map(row));
    for (const name of MAPS) {
      parts(name).forEach((part, index) => {
        part.addEventListener("click", () => choose(name, index));
        part.addEventListener("keydown", (event) => walk(event, name, index));
      });
    }
  }

  // Each layer is one stop of the Tab key; arrows go from map to map.
  /** @type {(event: KeyboardEvent, name: MapLayer, index: number) => void} */
  function walk(event, name, index) {
    const all = parts(name);
    const grid = find(root, `[data-layer="${name}"] .maps`, HTMLElement);
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const next = all[index + (steps[event.key] ?? NaN)];
    if (!next) return;
    event.preventDefault();
    all.forEach((part) => {
      part.tabIndex = part === next ? 0 : -1;
    });
    next.focus();
  }

  /** @param {Layers} seen */
  function paintMaps({ bytes: packed, largest }) {
    for (const name of MAPS) {
      const [, size] = SIZES[name];
      const values = signedBytes(packed[name]);
      parts(name).forEach((part, index) => {
        const canvas = find(part, "canvas", HTMLCanvasElement);
        palette.paint(canvas, size, size, (i) => values[index * size * size + i] / 127);
        part.setAttribute("aria-label", `${name}, map ${index}: largest ${number(largest[name][index][0], 4)}`);
        part.setAttribute("aria-expanded", String(request.layer === name && request.map === index));
      });
    }
  }

  /** @param {Layers} seen */
  function paintRows({ bytes: packed, scale, fc1, said }) {
    const picture = bytes(packed.picture);
    const pooled = signedBytes(packed.pool);
    /** @type {(selector: string, label: string, ...painted: [number, number, (i: number) => number, boolean?]) => void} */
    const one = (selector, label, ...painted) => {
      const canvas = find(root, selector, HTMLCanvasElement);
      palette.paint(canvas, ...painted);
      canvas.setAttribute("aria-label", label);
    };
    one(".map.picture", said.picture, 28, 28, (i) => picture[i] / 255, true);
    one(".strip", said.flat, 144, 32, (i) => pooled[i] / 127);
    one(".units", said.fc1, 32, 2, (i) => fc1[i] / scale.fc1);
  }

  // The logits' bars are parts of the largest; the log-probabilities' are the probabilities, exp of them.
  /** @param {Layers} seen */
  function paintScores({ fc2, log_probabilities: logs, probabilities, answer, blank }) {
    const high = Math.max(...fc2.map(Math.abs));
    scores(
      "fc2",
      fc2,
      fc2.map((value) => value / high),
      (digit) => number(fc2[digit]),
      answer,
    );
    /** @param {number} digit */
    const text = (digit) => number(logs[digit]) + (blank ? "" : ` · ${percent(probabilities[digit])}`);
    scores("log_probabilities", logs, probabilities, text, answer);
  }

  /**
   * @param {string} name
   * @param {number[]} values
   * @param {number[]} bars from -1 to 1
   * @param {(digit: number) => string} text
   * @param {number | null} answer
   */
  function scores(name, values, bars, text, answer) {
    findAll(root, `[data-layer="${name}"] .scores li`, HTMLElement).forEach((item, digit) => {
      item.classList.toggle("below", bars[digit] < 0);
      item.classList.toggle("best", digit === answer);
      item.dataset.value = String(values[digit]);
      find(item, "i", HTMLElement).style.setProperty("--share", String(Math.abs(bars[digit])));
      find(item, "span", HTMLElement).textContent = text(digit);
    });
  }

  /** @param {Layers} seen */
  function show(seen) {
    build(seen.layers);
    paintRows(seen);
    paintMaps(seen);
    paintScores(seen);
  }

  return { show };
}

// The panel of one map: its kernel, and one of its pixels worked out.
import { around, find, findAll, html } from "../elements.js";
import { BELOW, SIZES } from "./layers.js";
import { floats, number } from "./numbers.js";

/**
 * @import { ChosenMap, Layers, MapLayer } from "../types.js"
 * @import { Unfolded } from "./inside.js"
 * @import { Palette } from "./palette.js"
 */

/**
 * A chosen map, unpacked, with the strongest values of all layers and the activation's name.
 * @typedef {Pick<ChosenMap, "layer" | "map" | "bias"> & Pick<Layers, "scale" | "activation"> & { strongest: number,
 *     values: Float32Array, below: Float32Array, weights: Float32Array | null }} Unpacked
 */

/** @typedef {[row: number, column: number]} Pixel */

/** @typedef {ReturnType<typeof terms>[number]} Term */

/** @type {Record<string, [down: number, right: number]>} */
const WAYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const NORMALISED = 2.83; // the largest value that a normalised drawing has

/**
 * The numbers under the kernel, the kernel's own, and their products, one list of nine for each map below; for pooling
 * only the four numbers.
 *
 * @param {Unpacked} chosen
 * @param {Pixel} pixel
 */
function terms({ layer, map, below, weights }, pixel) {
  const [count, size] = SIZES[BELOW[layer]];
  const [row, column] = pixel;
  const side = layer === "pool" ? 2 : 3;
  const [top, left] = layer === "pool" ? [2 * row, 2 * column] : pixel;
  const channels = layer === "pool" ? [map] : [...Array(count).keys()];
  return channels.map((at, place) => {
    const start = layer === "pool" ? 0 : place * size * size;
    const patch = [];
    for (let i = 0; i < side * side; i += 1) {
      patch.push(below[start + (top + Math.floor(i / side)) * size + left + (i % side)]);
    }
    const kernel = weights && [...weights.slice(9 * place, 9 * place + 9)];
    const products = kernel && patch.map((value, i) => value * kernel[i]);
    const sum = products?.reduce((a, b) => a + b, 0) ?? 0;
    return { at, place, top, left, side, size, patch, kernel, products, sum };
  });
}

/** @type {(name: string, values: number[], side: number, high: number) => HTMLElement} */
function cells(name, values, side, high) {
  const cell = (/** @type {number} */ value) =>
    html(
      "td",
      { style: `--s: ${Math.min(1, Math.abs(value) / high)}`, class: value < 0 ? "below" : "" },
      number(value),
    );
  const rows = Array.from({ length: side }, (_, row) =>
    html("tr", {}, ...values.slice(row * side, (row + 1) * side).map(cell)),
  );
  return html("table", { class: "cells" }, html("caption", {}, name), html("tbody", {}, ...rows));
}

/** @type {(layer: MapLayer, scale: Layers["scale"]) => number} */
function strongestBelow(layer, scale) {
  const below = BELOW[layer];
  return below === "picture" ? NORMALISED : scale[below];
}

/** @type {(chosen: Unpacked, term: Term) => HTMLElement[]} */
function equation({ layer, scale, strongest }, { patch, kernel, products }) {
  if (!kernel || !products) return [cells("patch", patch, 2, scale[layer])];
  const most = Math.max(...products.map(Math.abs)) || 1;
  return [
    cells("patch", patch, 3, strongestBelow(layer, scale)),
    html("b", {}, "×"),
    cells("kernel", kernel, 3, strongest),
    html("b", {}, "="),
    cells("products", products, 3, most),
  ];
}

/** @type {(part: HTMLElement, row: number, column: number, side: number, size: number) => void} */
function frame(part, row, column, side, size) {
  const { style } = find(part, ".frame", HTMLElement);
  style.left = `${(100 * column) / size}%`;
  style.top = `${(100 * row) / size}%`;
  style.width = style.height = `${(100 * side) / size}%`;
}

/** @type {(part: HTMLElement, all: Term[], term: Term) => void} */
function sums(part, all, term) {
  part.hidden = all.length === 1;
  if (all.length === 1) return;
  if (part.children.length !== all.length) {
    const button = (/** @type {Term} */ { at }) =>
      html("button", { type: "button", "data-channel": at }, html("small", {}, String(at)), html("span"));
    part.replaceChildren(...all.map(button));
  }
  all.forEach(({ at, sum }, index) => {
    const button = part.children[index];
    button.setAttribute("aria-pressed", String(at === term.at));
    button.setAttribute("aria-label", `map ${at} gives ${number(sum)}; show it`);
    find(button, "span", HTMLElement).textContent = number(sum);
  });
}

/** @type {(name: string, value: number) => HTMLElement} */
const is = (name, value) => html("data", { "data-is": name, value }, number(value, 4));

// The sentence that says how the pixel came about, in parts for `append`.
/** @type {(pixel: Pixel, all: Term[], bias: number, after: number, activation: string) => (HTMLElement | string)[]} */
function conclusion([row, column], all, bias, after, activation) {
  const where = `Row ${row}, column ${column}: `;
  if (!all[0].kernel) return [`${where}the largest of these four is `, is("after", after), "."];
  const total = all.reduce((sum, one) => sum + one.sum, 0);
  const what = all.length === 1 ? "the nine products add up to" : `the products of all ${all.length} maps add up to`;
  return [
    `${where}${what} `,
    is("total", total),
    "; with the bias ",
    is("bias", bias),
    " that is ",
    is("before", total + bias),
    `; ${activation} makes it `,
    is("after", after),
    ".",
  ];
}

/**
 * @param {HTMLElement} root
 * @param {Readonly<Unfolded>} request
 * @param {Palette} palette
 * @param {(name: MapLayer, index: number) => void} close
 */
export function createWorkedPixel(root, request, palette, close) {
  /** @type {Unpacked | null} */
  let chosen = null;
  /** @type {Pixel} */
  let pixel = [0, 0]; // in the chosen map
  /** @type {number | null} */
  let channel = null; // which map below is shown, once the visitor has picked one

  /** @param {Layers} seen */
  function show({ chosen: packed, largest, scale, activation }) {
    const open = root.querySelector(".worked");
    if (!request.layer || !packed) {
      open?.remove();
      chosen = null;
      return;
    }
    const { layer, map, bias, strongest = 0 } = packed;
    if (chosen?.layer !== layer || chosen.map !== map) {
      [, ...pixel] = largest[layer][map];
      channel = null;
    }
    const [values, below] = [floats(packed.values), floats(packed.below)];
    const weights = packed.weights === null ? null : floats(packed.weights);
    chosen = { layer, map, bias, strongest, scale, activation, values, below, weights };
    const item = find(root, `[data-layer="${layer}"]`, HTMLElement);
    if (open?.parentElement !== item || open.getAttribute("data-map") !== String(map)) {
      open?.remove();
      item.append(panel(layer, map));
    }
    work();
  }

  /** @type {(layer: MapLayer, map: number) => HTMLElement} */
  function panel(layer, map) {
    const inner = find(root, ".worked-template", HTMLTemplateElement).content.cloneNode(true);
    const box = html("div", { class: "worked", "data-map": map }, inner);
    follow(find(box, ".worked-map", HTMLElement), SIZES[layer][1]);
    find(box, ".sums", HTMLElement).addEventListener("click", (event) => {
      const picked = around(event, "button");
      if (!picked) return;
      channel = Number(picked.dataset.channel);
      work();
    });
    find(box, ".worked-close", HTMLElement).addEventListener("click", () => {
      close(layer, map);
      findAll(root, `[data-layer="${layer}"] .map`, HTMLElement)[map].focus(); // the panel had it, and goes
    });
    return box;
  }

  // Pointer and arrow keys choose the pixel.
  /** @type {(map: HTMLElement, size: number) => void} */
  function follow(map, size) {
    const inside = (/** @type {number} */ at) => Math.min(size - 1, Math.max(0, at));
    const point = (/** @type {PointerEvent} */ event) => {
      const area = map.getBoundingClientRect();
      /** @type {(where: number, start: number, length: number) => number} */
      const at = (where, start, length) => inside(Math.floor(((where - start) / length) * size));
      pixel = [at(event.clientY, area.top, area.height), at(event.clientX, area.left, area.width)];
      work();
    };
    map.addEventListener("pointermove", point);
    map.addEventListener("pointerdown", point);
    map.addEventListener("keydown", (event) => {
      const way = WAYS[event.key];
      if (!way) return;
      event.preventDefault();
      pixel = [inside(pixel[0] + way[0]), inside(pixel[1] + way[1])];
      work();
    });
  }

  function work() {
    if (!chosen) return;
    const box = find(root, ".worked", HTMLElement);
    const all = terms(chosen, pixel);
    const strongest = all.reduce((best, term) => (Math.abs(term.sum) > Math.abs(best.sum) ? term : best), all[0]);
    const term = channel === null ? strongest : all[channel];
    const [row, column] = pixel;
    const after = chosen.values[row * SIZES[chosen.layer][1] + column];
    maps(box, chosen, term);
    find(box, ".equation", HTMLElement).replaceChildren(...equation(chosen, term));
    sums(find(box, ".sums", HTMLElement), all, term);
    const said = conclusion(pixel, all, chosen.bias, after, chosen.activation);
    find(box, ".sentence", HTMLElement).replaceChildren(...said);
  }

  /** @type {(box: HTMLElement, chosen: Unpacked, term: Term) => void} */
  function maps(box, { layer, map, scale, values, below }, { at, place, top, left, side, size: sizeBelow }) {
    const size = SIZES[layer][1];
    const [high, highBelow] = [scale[layer], strongestBelow(layer, scale)];
    const start = layer === "pool" ? 0 : place * sizeBelow * sizeBelow;
    const partIn = find(box, ".worked-in", HTMLElement);
    const partOut = find(box, ".worked-out", HTMLElement);
    palette.paint(find(partOut, "canvas", HTMLCanvasElement), size, size, (i) => values[i] / high);
    const canvasIn = find(partIn, "canvas", HTMLCanvasElement);
    palette.paint(canvasIn, sizeBelow, sizeBelow, (i) => below[start + i] / highBelow);
    frame(partOut, ...pixel, 1, size);
    frame(partIn, top, left, side, sizeBelow);
    const name = layer === "cn1" ? "the drawing, normalised" : `${BELOW[layer]}, map ${at}`;
    find(partIn, "small", HTMLElement).textContent = name;
    find(partOut, "small", HTMLElement).textContent = `${layer}, map ${map}`;
  }

  return { show };
}

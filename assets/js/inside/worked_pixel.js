// The panel of one map: its kernel, and one of its pixels worked out.
import { html } from "../elements.js";
import { BELOW, SIZES } from "./layers.js";
import { floats, number } from "./numbers.js";

const NORMALISED = 2.83; // the largest value that a normalised drawing has

// The numbers under the kernel, the kernel's own, and their products, one list of nine for each map below.
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
    return { at, place, top, left, side, size, patch, kernel, products, sum: products?.reduce((a, b) => a + b, 0) };
  });
}

function cells(name, values, side, high) {
  const cell = (value) =>
    html("td", { style: `--s: ${Math.min(1, Math.abs(value) / high)}`, class: value < 0 ? "below" : "" }, number(value));
  const rows = Array.from({ length: side }, (_, row) =>
    html("tr", {}, ...values.slice(row * side, (row + 1) * side).map(cell)));
  return html("table", { class: "cells" }, html("caption", {}, name), html("tbody", {}, ...rows));
}

function frame(part, row, column, side, size) {
  const style = part.querySelector(".frame").style;
  style.left = `${(100 * column) / size}%`;
  style.top = `${(100 * row) / size}%`;
  style.width = style.height = `${(100 * side) / size}%`;
}

function sums(part, all, term) {
  part.hidden = all.length === 1;
  if (all.length === 1) return;
  if (part.children.length !== all.length) {
    const button = ({ at }) =>
      html("button", { type: "button", "data-channel": at }, html("small", {}, String(at)), html("span"));
    part.replaceChildren(...all.map(button));
  }
  all.forEach(({ at, sum }, index) => {
    const button = part.children[index];
    button.setAttribute("aria-pressed", String(at === term.at));
    button.setAttribute("aria-label", `map ${at} gives ${number(sum)}; show it`);
    button.classList.toggle("below", sum < 0);
    button.lastElementChild.textContent = number(sum);
  });
}

function is(name, value) {
  const node = document.createElement("data");
  node.dataset.is = name;
  node.value = value;
  node.textContent = number(value, 4);
  return node;
}

// The sentence that says how the pixel came about, in parts for `append`.
function conclusion([row, column], all, bias, after, activation) {
  const where = `Row ${row}, column ${column}: `;
  if (!all[0].kernel) return [`${where}the largest of these four is `, is("after", after), "."];
  const total = all.reduce((sum, one) => sum + one.sum, 0);
  const what = all.length === 1 ? "the nine products add up to" : `the products of all ${all.length} maps add up to`;
  return [
    `${where}${what} `, is("total", total), "; with the bias ", is("bias", bias), " that is ",
    is("before", total + bias), `; ${activation} makes it `, is("after", after), ".",
  ];
}

// `view.pixel` is [row, column] in the chosen map, `view.channel` the map below that the visitor has picked, or null.
export function createWorkedPixel(root, view, palette, close) {
  let chosen = null; // the map, unpacked

  function show() {
    const open = root.querySelector(".worked");
    if (!view.request.layer || !view.seen.chosen) {
      open?.remove();
      chosen = null;
      return;
    }
    const { layer, map, values, below, weights, bias, strongest } = view.seen.chosen;
    chosen = { layer, map, bias, strongest, values: floats(values), below: floats(below), weights: weights && floats(weights) };
    const item = root.querySelector(`[data-layer="${layer}"]`);
    if (open?.parentElement !== item || open.dataset.map !== String(map)) {
      open?.remove();
      item.append(panel());
    }
    view.pixel ??= view.seen.largest[layer][map].slice(1);
    work();
  }

  function panel() {
    const inner = root.querySelector(".worked-template").content.cloneNode(true);
    const box = html("div", { class: "worked", "data-map": chosen.map }, inner);
    follow(box.querySelector(".worked-map"), SIZES[chosen.layer][1]);
    box.querySelector(".sums").addEventListener("click", (event) => {
      const picked = event.target.closest("button");
      if (!picked) return;
      view.channel = Number(picked.dataset.channel);
      work();
    });
    box.querySelector(".worked-close").addEventListener("click", () => close(chosen.layer, chosen.map));
    return box;
  }

  // Pointer and arrow keys choose the pixel.
  function follow(map, size) {
    const inside = (at) => Math.min(size - 1, Math.max(0, at));
    const point = (event) => {
      const area = map.getBoundingClientRect();
      const at = (where, start, length) => inside(Math.floor(((where - start) / length) * size));
      view.pixel = [at(event.clientY, area.top, area.height), at(event.clientX, area.left, area.width)];
      work();
    };
    map.addEventListener("pointermove", point);
    map.addEventListener("pointerdown", point);
    map.addEventListener("keydown", (event) => {
      const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      view.pixel = view.pixel.map((at, axis) => inside(at + way[axis]));
      work();
    });
  }

  function work() {
    const box = root.querySelector(".worked");
    const all = terms(chosen, view.pixel);
    const strongest = all.reduce((best, term) => (Math.abs(term.sum) > Math.abs(best.sum) ? term : best), all[0]);
    const term = view.channel === null ? strongest : all[view.channel];
    const [row, column] = view.pixel;
    const after = chosen.values[row * SIZES[chosen.layer][1] + column];
    maps(box, term);
    equation(box.querySelector(".equation"), term);
    sums(box.querySelector(".sums"), all, term);
    const said = conclusion(view.pixel, all, chosen.bias, after, view.seen.activation);
    box.querySelector(".sentence").replaceChildren(...said);
  }

  const strongestBelow = () => (chosen.layer === "cn1" ? NORMALISED : view.seen.scale[BELOW[chosen.layer]]);

  function maps(box, term) {
    const { layer, map, values, below } = chosen;
    const size = SIZES[layer][1];
    const [high, highBelow] = [view.seen.scale[layer], strongestBelow()];
    const start = layer === "pool" ? 0 : term.place * term.size * term.size;
    palette.paint(box.querySelector(".worked-map"), size, size, (i) => values[i] / high);
    palette.paint(box.querySelector(".worked-below"), term.size, term.size, (i) => below[start + i] / highBelow);
    frame(box.querySelector(".worked-out"), ...view.pixel, 1, size);
    frame(box.querySelector(".worked-in"), term.top, term.left, term.side, term.size);
    const name = layer === "cn1" ? "the drawing, normalised" : `${BELOW[layer]}, map ${term.at}`;
    box.querySelector(".worked-in small").textContent = name;
    box.querySelector(".worked-out small").textContent = `${layer}, map ${map}`;
  }

  function equation(part, { patch, kernel, products }) {
    if (!kernel) {
      part.replaceChildren(cells("patch", patch, 2, view.seen.scale[chosen.layer]));
      return;
    }
    const most = Math.max(...products.map(Math.abs)) || 1;
    part.replaceChildren(
      cells("patch", patch, 3, strongestBelow()),
      html("b", {}, "×"),
      cells("kernel", kernel, 3, chosen.strongest),
      html("b", {}, "="),
      cells("products", products, 3, most),
    );
  }

  return { show };
}

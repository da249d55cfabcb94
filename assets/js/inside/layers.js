// The layers, first to last: each one's shape, code and values.
import { html } from "../elements.js";
import { bytes, number, signedBytes } from "./numbers.js";

export const SIZES = { picture: [1, 28], cn1: [16, 26], cn2: [32, 24], pool: [32, 12] }; // maps, pixels a side
export const BELOW = { cn1: "picture", cn2: "cn1", pool: "cn2" };

const CANVASES = { picture: "map picture", flat: "strip", fc1: "units" }; // the classes of those that are one picture

function bars() {
  const score = (digit) =>
    html("li", { "data-digit": digit }, html("b", {}, String(digit)), html("i"), html("span"));
  return html("ol", { class: "scores" }, ...Array.from({ length: 10 }, (_, digit) => score(digit)));
}

function inner(name) {
  if (name in CANVASES) return [html("canvas", { class: CANVASES[name], role: "img" })];
  if (name === "fc2" || name === "log_probabilities") return [bars()];
  const map = (at) => ({ type: "button", class: "map", "aria-expanded": "false", tabindex: at ? -1 : 0 });
  return Array.from({ length: SIZES[name][0] }, (_, at) => html("button", map(at), html("canvas")));
}

function row({ name, shape, parameters, code, note }) {
  const said = [parameters ? `${parameters.toLocaleString("en")} parameters` : "", note].filter(Boolean).join(". ");
  const parts = [html("b", {}, shape.join(" × ")), " ", html("code", {}, code), " ", html("small", {}, said)];
  const maps = html("div", { class: "maps" }, ...inner(name));
  return html("li", { class: "layer", "data-layer": name }, html("div", { class: "layer-said" }, ...parts), maps);
}

// `view` holds what is shown (`inside.js`); `choose(name, index)` is called for a map that is clicked.
export function createLayers(root, view, palette, choose) {
  const list = root.querySelector(".layers");
  const parts = (name) => [...root.querySelectorAll(`[data-layer="${name}"] .map`)];

  function build(layers) {
    const code = JSON.stringify(layers);
    if (list.dataset.code === code) return;
    list.dataset.code = code;
    list.replaceChildren(...layers.map(row));
    for (const name of Object.keys(BELOW)) {
      parts(name).forEach((part, index) => {
        part.addEventListener("click", () => choose(name, index));
        part.addEventListener("keydown", (event) => walk(event, name, index));
      });
    }
  }

  // Each layer is one stop of the Tab key; arrows go from map to map.
  function walk(event, name, index) {
    const all = parts(name);
    const columns = getComputedStyle(all[0].parentElement).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const next = all[index + (step ?? NaN)];
    if (!next) return;
    event.preventDefault();
    all.forEach((part) => { part.tabIndex = part === next ? 0 : -1; });
    next.focus();
  }

  function paintMaps({ bytes: packed, largest }) {
    for (const name of Object.keys(BELOW)) {
      const [, size] = SIZES[name];
      const values = signedBytes(packed[name]);
      parts(name).forEach((part, index) => {
        palette.paint(part.firstElementChild, size, size, (i) => values[index * size * size + i] / 127);
        part.setAttribute("aria-label", `${name}, map ${index}: largest ${number(largest[name][index][0], 4)}`);
        part.setAttribute("aria-expanded", String(view.request.layer === name && view.request.map === index));
      });
    }
  }

  function paintRows({ bytes: packed, scale, fc1, said }) {
    const picture = bytes(packed.picture);
    const pooled = signedBytes(packed.pool);
    const one = (selector, label, ...painted) => {
      const canvas = root.querySelector(selector);
      palette.paint(canvas, ...painted);
      canvas.setAttribute("aria-label", label);
    };
    one(".map.picture", said.picture, 28, 28, (i) => picture[i] / 255, true);
    one(".strip", said.flat, 144, 32, (i) => pooled[i] / 127);
    one(".units", said.fc1, 32, 2, (i) => fc1[i] / scale.fc1);
  }

  // The logits' bars are parts of the largest; the log-probabilities' are the probabilities, exp of them.
  function paintScores({ fc2, log_probabilities: logs, probabilities, answer }) {
    const high = Math.max(...fc2.map(Math.abs));
    scores("fc2", fc2, fc2.map((value) => value / high), (digit) => number(fc2[digit]), answer);
    const text = (digit) => `${number(logs[digit])} · ${number(100 * probabilities[digit], 1)} %`;
    scores("log_probabilities", logs, probabilities, text, answer);
  }

  function scores(name, values, bars, text, answer) {
    root.querySelectorAll(`[data-layer="${name}"] .scores li`).forEach((item, digit) => {
      item.classList.toggle("below", bars[digit] < 0);
      item.classList.toggle("best", digit === answer);
      item.dataset.value = values[digit];
      item.querySelector("i").style.setProperty("--share", Math.abs(bars[digit]));
      item.querySelector("span").textContent = text(digit);
    });
  }

  function show() {
    build(view.seen.layers);
    paintRows(view.seen);
    paintMaps(view.seen);
    paintScores(view.seen);
  }

  return { show };
}

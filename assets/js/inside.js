// The drawing on its way through the layers. Runs as the body of gr.HTML's js_on_load, with `element`, `props`,
// `trigger` and `watch` in scope. The server's answer comes as JSON text in props.value; once it is painted, the
// value becomes what the visitor wishes to see next, which is all that travels back.
const root = element.querySelector(".inside");
const list = root.querySelector(".layers");
const heard = root.querySelector(".inside-answer");
const SIZES = { picture: [1, 28], cn1: [16, 26], cn2: [32, 24], pool: [32, 12] }; // maps, pixels a side
const BELOW = { cn1: "picture", cn2: "cn1", pool: "cn2" };
const STILL = 400; // milliseconds without a change before what takes long is asked for
const FOLLOW = 700; // milliseconds between looks at weights that are being trained
const wish = { layer: null, map: 0, open: [], target: null, still: false };
let seen = null; // the last answer
let chosen = null; // its chosen map, unpacked
let pixel = null; // [row, column] in the chosen map
let channel = null; // which map below is shown, once the visitor has picked one
let resting = 0;

const number = (value, digits = 2) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);
const parts = (name) => [...root.querySelectorAll(`[data-layer="${name}"] .map`)];

function ask(changes = {}) {
  Object.assign(wish, { still: false }, changes);
  props.value = JSON.stringify(wish);
  trigger("input");
}

// Zero is the sheet itself; the farther a value is from zero, the more ink: blue above, orange below. The root lets
// weak values be seen beside strong ones. `signed` has a colour for each of -127 to 127, `ink` for each of 0 to 255.
let palettes = null;

function mixPalettes() {
  const style = getComputedStyle(root);
  const [above, below, ink] = ["--curve-1", "--curve-2", "--ink"].map((name) => style.getPropertyValue(name).trim());
  const key = above + below + ink;
  if (palettes?.key === key) return;
  const mixed = (hex, alpha) => {
    const rgb = parseInt(hex.slice(1), 16);
    return ((Math.round(alpha) << 24) | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0; // as canvas stores it
  };
  const signed = (at) => mixed(at < 127 ? below : above, 255 * (Math.abs(at - 127) / 127) ** 0.6);
  palettes = {
    key,
    signed: Uint32Array.from({ length: 255 }, (_, at) => signed(at)),
    ink: Uint32Array.from({ length: 256 }, (_, at) => mixed(ink, at)),
  };
}

// `strength(i)` is from -1 to 1, or from 0 to 1 for ink on paper.
function paint(canvas, width, height, strength, plain = false) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const colours = new Uint32Array(image.data.buffer);
  for (let i = 0; i < colours.length; i += 1) {
    const s = Math.max(-1, Math.min(1, strength(i)));
    colours[i] = plain ? palettes.ink[Math.round(255 * s)] : palettes.signed[Math.round(127 * s) + 127];
  }
  context.putImageData(image, 0, 0);
}

function build(layers) {
  const code = JSON.stringify(layers);
  if (list.dataset.code === code) return;
  list.dataset.code = code;
  list.innerHTML = layers.map(({ name, shape, parameters, code: lines }) => `
    <li class="layer" data-layer="${name}">
      <div class="layer-said"><b>${shape.join(" × ")}</b>
        <code>${lines}</code>
        <small>${parameters ? `${parameters.toLocaleString("en")} numbers learnt` : ""}</small></div>
      <div class="maps">${inner(name)}</div>
    </li>`).join("");
  for (const name of Object.keys(BELOW)) {
    parts(name).forEach((part, index) => {
      part.addEventListener("click", () => choose(name, index));
      part.addEventListener("keydown", (event) => walk(event, name, index));
    });
  }
}

function inner(name) {
  if (name === "picture") return `<canvas class="map picture" role="img"></canvas>`;
  if (name === "flat") return `<canvas class="strip" role="img"></canvas>`;
  if (name === "fc1") return `<canvas class="units" role="img"></canvas>`;
  if (name === "fc2" || name === "probabilities") {
    return `<ol class="scores">${[...Array(10).keys()].map((d) => `<li data-digit="${d}"><b>${d}</b><i></i><span></span></li>`).join("")}</ol>`;
  }
  const [count] = SIZES[name];
  return [...Array(count).keys()].map((at) => `<button type="button" class="map" aria-expanded="false" tabindex="${at ? -1 : 0}"><canvas></canvas></button>`).join("");
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

function choose(name, index) {
  const same = wish.layer === name && wish.map === index;
  pixel = null;
  channel = null;
  ask({ layer: same ? null : name, map: index });
}

function paintMaps() {
  const { bytes: packed, scale, largest } = seen;
  const picture = bytes(packed.picture);
  const drawn = root.querySelector(".map.picture");
  paint(drawn, 28, 28, (i) => picture[i] / 255, true);
  drawn.setAttribute("aria-label", seen.said.picture);
  for (const name of Object.keys(BELOW)) {
    const [, size] = SIZES[name];
    const values = new Int8Array(bytes(packed[name]).buffer);
    parts(name).forEach((part, index) => {
      paint(part.firstElementChild, size, size, (i) => values[index * size * size + i] / 127);
      part.setAttribute("aria-label", `${name}, map ${index}: largest ${number(largest[name][index][0], 4)}`);
      part.setAttribute("aria-expanded", String(wish.layer === name && wish.map === index));
    });
  }
  const pooled = new Int8Array(bytes(packed.pool).buffer);
  const strip = root.querySelector(".strip");
  paint(strip, 144, 32, (i) => pooled[i] / 127);
  strip.setAttribute("aria-label", seen.said.flat);
  const units = root.querySelector(".units");
  paint(units, 32, 2, (i) => seen.fc1[i] / scale.fc1);
  units.setAttribute("aria-label", seen.said.fc1);
}

function paintScores() {
  const high = Math.max(...seen.fc2.map(Math.abs));
  for (const [name, share, text] of [
    ["fc2", (v) => Math.abs(v) / high, (v) => number(v, 2)],
    ["probabilities", (v) => v, (v) => `${number(100 * v, 1)} %`],
  ]) {
    root.querySelectorAll(`[data-layer="${name}"] .scores li`).forEach((row, digit) => {
      const value = seen[name][digit];
      row.classList.toggle("below", value < 0);
      row.classList.toggle("best", digit === seen.answer);
      row.dataset.value = value;
      row.querySelector("i").style.setProperty("--share", share(value));
      row.querySelector("span").textContent = text(value);
    });
  }
}

// The panel of one map: its kernel, and one of its pixels worked out.
function panel() {
  const open = root.querySelector(".worked");
  if (!wish.layer || !seen.chosen) {
    open?.remove();
    chosen = null;
    return;
  }
  const { layer, map, values, below, weights, bias } = seen.chosen;
  chosen = { layer, map, bias, values: floats(values), below: floats(below), weights: weights && floats(weights) };
  const host = root.querySelector(`[data-layer="${layer}"]`);
  if (open?.parentElement !== host || open.dataset.map !== String(map)) {
    open?.remove();
    host.append(workedPanel());
  }
  pixel ??= seen.largest[layer][map].slice(1);
  work();
}

function workedPanel() {
  const box = document.createElement("div");
  box.className = "worked";
  box.dataset.map = chosen.map;
  box.innerHTML = root.querySelector(".worked-template").innerHTML;
  const big = box.querySelector(".worked-map");
  const size = SIZES[chosen.layer][1];
  const point = (event) => {
    const area = big.getBoundingClientRect();
    const at = (where, start, length) => Math.min(size - 1, Math.max(0, Math.floor(((where - start) / length) * size)));
    pixel = [at(event.clientY, area.top, area.height), at(event.clientX, area.left, area.width)];
    work();
  };
  big.addEventListener("pointermove", point);
  big.addEventListener("pointerdown", point);
  big.addEventListener("keydown", (event) => {
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    pixel = pixel.map((at, axis) => Math.min(size - 1, Math.max(0, at + way[axis])));
    work();
  });
  box.querySelector(".sums").addEventListener("click", (event) => {
    const picked = event.target.closest("button");
    if (!picked) return;
    channel = Number(picked.dataset.channel);
    work();
  });
  box.querySelector(".worked-close").addEventListener("click", () => choose(chosen.layer, chosen.map));
  return box;
}

// The numbers under the kernel, the kernel's own, and their products, one list of nine for each map below.
function terms() {
  const { layer, map, below, weights } = chosen;
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
  const body = values.map((value, i) => `${i % side ? "" : "<tr>"}<td style="--s: ${Math.min(1, Math.abs(value) / high)}" class="${value < 0 ? "below" : ""}">${number(value)}</td>`);
  return `<table class="cells"><caption>${name}</caption>${body.join("")}</table>`;
}

function work() {
  const box = root.querySelector(".worked");
  const { layer, map, values, bias } = chosen;
  const size = SIZES[layer][1];
  const all = terms();
  const strongest = all.reduce((best, term) => (Math.abs(term.sum) > Math.abs(best.sum) ? term : best), all[0]);
  const term = channel === null ? strongest : all[channel];
  const high = seen.scale[layer];
  paint(box.querySelector(".worked-map"), size, size, (i) => values[i] / high);
  const start = layer === "pool" ? 0 : term.place * term.size * term.size;
  const highBelow = layer === "cn1" ? 2.83 : seen.scale[BELOW[layer]];
  paint(box.querySelector(".worked-below"), term.size, term.size, (i) => chosen.below[start + i] / highBelow);
  frame(box.querySelector(".worked-out"), pixel[0], pixel[1], 1, size);
  frame(box.querySelector(".worked-in"), term.top, term.left, term.side, term.size);
  box.querySelector(".worked-in small").textContent = layer === "cn1" ? "the drawing, normalised" : `${BELOW[layer]}, map ${term.at}`;
  box.querySelector(".worked-out small").textContent = `${layer}, map ${map}`;
  box.querySelector(".equation").innerHTML = term.kernel
    ? `${cells("patch", term.patch, 3, highBelow)}<b>×</b>${cells("kernel", term.kernel, 3, seen.chosen.strongest)}<b>=</b>${cells("products", term.products, 3, Math.max(...term.products.map(Math.abs)) || 1)}`
    : cells("patch", term.patch, 2, high);
  box.querySelector(".sums").hidden = all.length === 1;
  sums(box.querySelector(".sums"), all, term);
  conclude(box.querySelector(".sentence"), all, term, bias, values[pixel[0] * size + pixel[1]]);
}

function frame(host, row, column, side, size) {
  const style = host.querySelector(".frame").style;
  style.left = `${(100 * column) / size}%`;
  style.top = `${(100 * row) / size}%`;
  style.width = style.height = `${(100 * side) / size}%`;
}

function sums(host, all, term) {
  if (all.length === 1) return;
  if (host.children.length !== all.length) {
    host.innerHTML = all.map(({ at }) => `<button type="button" data-channel="${at}"><small>${at}</small><span></span></button>`).join("");
  }
  all.forEach(({ at, sum }, index) => {
    const button = host.children[index];
    button.setAttribute("aria-pressed", String(at === term.at));
    button.setAttribute("aria-label", `map ${at} gives ${number(sum)}; show it`);
    button.classList.toggle("below", sum < 0);
    button.lastElementChild.textContent = number(sum);
  });
}

function conclude(sentence, all, term, bias, after) {
  const [row, column] = pixel;
  const where = `Row ${row}, column ${column}: `;
  const is = (name, value) => `<data data-is="${name}" value="${value}">${number(value, 4)}</data>`;
  if (!term.kernel) {
    sentence.innerHTML = `${where}the largest of these four is ${is("after", after)}.`;
    return;
  }
  const total = all.reduce((sum, one) => sum + one.sum, 0);
  const what = all.length === 1 ? "the nine products add up to" : `the products of all ${all.length} maps add up to`;
  sentence.innerHTML = `${where}${what} ${is("total", total)}; with the bias ${is("bias", bias)} that is ${is("before", total + bias)}; ${seen.bend} makes it ${is("after", after)}.`;
}

function paintReasons() {
  for (const one of root.querySelectorAll(".reason")) {
    one.querySelector(".reason-said").textContent = seen.said[one.dataset.reason] ?? "";
    one.hidden = one.dataset.reason === "nearest" && !seen.mnist;
  }
  const drawn = bytes(seen.bytes.picture);
  if (seen.why) root.querySelectorAll('[data-reason="why"] figure').forEach((figure, at) => {
    const { digit, map } = seen.why[at];
    const values = new Int8Array(bytes(map).buffer);
    const trace = (i) => 0.02 * (drawn[i] / 255); // all ink leaves one, whether it mattered or not
    paint(figure.querySelector("canvas"), 28, 28, (i) => (values[i] < 0 ? -1 : 1) * Math.max(Math.abs(values[i]) / 127, trace(i)));
    figure.querySelector("figcaption").textContent = `for ${digit}`;
  });
  if (seen.nearest) root.querySelector(".neighbours").innerHTML = seen.nearest.map(() => `<figure><canvas role="img"></canvas><figcaption></figcaption></figure>`).join("");
  seen.nearest?.forEach(({ label, distance, picture }, at) => {
    const figure = root.querySelectorAll(".neighbours figure")[at];
    const ink = bytes(picture);
    paint(figure.querySelector("canvas"), 28, 28, (i) => ink[i] / 255, true);
    figure.querySelector("canvas").setAttribute("aria-label", `a ${label}`);
    figure.querySelector("figcaption").textContent = `${label} · ${number(distance, 1)}`;
  });
  paintEdit();
}

function paintEdit() {
  const part = root.querySelector('[data-reason="edit"]');
  const stale = wish.open.includes("edit") && !("edit" in seen);
  part.classList.toggle("stale", stale);
  clearTimeout(resting);
  if (stale && !seen.blank) resting = setTimeout(() => ask({ still: true }), STILL);
  if (!("edit" in seen)) return;
  const before = bytes(seen.bytes.picture);
  const after = seen.edit ? bytes(seen.edit.picture) : before;
  const [left, right] = part.querySelectorAll("figure canvas");
  paint(left, 28, 28, (i) => before[i] / 255, true);
  paint(right, 28, 28, (i) => after[i] / 255, true);
  part.querySelector(".dabs").innerHTML = (seen.edit?.dabs ?? []).map(([row, column, drawn]) =>
    `<circle class="${drawn ? "drawn" : "erased"}" cx="${column + 0.5}" cy="${row + 0.5}" r="${seen.edit.pen / 2}"/>`).join("");
}

function load() {
  let answer;
  try {
    answer = JSON.parse(props.value || "{}");
  } catch {
    return;
  }
  if (!answer.layers) return;
  seen = answer;
  heard.textContent = seen.said.answer;
  root.dataset.painted = Number(root.dataset.painted ?? 0) + 1;
  mixPalettes();
  build(seen.layers);
  paintMaps();
  paintScores();
  panel();
  paintReasons();
  props.value = JSON.stringify(wish);
}

for (const part of root.querySelectorAll(".reason")) {
  part.addEventListener("toggle", () => {
    ask({ open: [...root.querySelectorAll(".reason[open]")].map((one) => one.dataset.reason) });
  });
}
root.querySelector(".target").addEventListener("change", (event) => {
  ask({ target: event.target.value === "" ? null : Number(event.target.value) });
});
new IntersectionObserver(([entry]) => entry.isIntersecting && ask()).observe(root);
const beat = setInterval(() => {
  if (!root.isConnected) clearInterval(beat);
  else if (seen?.follows && root.offsetParent && !document.hidden) ask();
}, FOLLOW);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => seen && ask()));
watch("value", load);
load();

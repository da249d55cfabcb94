// Why the drawing is read as it is: the ink that mattered, the smallest edit, the nearest training digits.
import { html, svg } from "../elements.js";
import { bytes, number, signedBytes } from "./numbers.js";

const STILL = 400; // milliseconds without a change before what takes long is asked for

// `ask(changes)` requests another view.
export function createReasons(root, view, palette, ask) {
  let resting = 0;

  function said() {
    for (const one of root.querySelectorAll(".reason")) {
      one.querySelector(".reason-said").textContent = view.seen.said[one.dataset.reason] ?? "";
      one.hidden = one.dataset.reason === "nearest" && !view.seen.mnist;
    }
  }

  function why({ why: both, bytes: packed }) {
    if (!both) return;
    const drawn = bytes(packed.picture);
    root.querySelectorAll('[data-reason="why"] figure').forEach((figure, at) => {
      const { digit, map } = both[at];
      const values = signedBytes(map);
      const trace = (i) => 0.02 * (drawn[i] / 255); // all ink leaves one, whether it mattered or not
      const strength = (i) => (values[i] < 0 ? -1 : 1) * Math.max(Math.abs(values[i]) / 127, trace(i));
      palette.paint(figure.querySelector("canvas"), 28, 28, strength);
      figure.querySelector("figcaption").textContent = `for ${digit}`;
    });
  }

  function nearest({ nearest: neighbours }) {
    if (!neighbours) return;
    const figures = neighbours.map(({ label, distance, picture }) => {
      const canvas = html("canvas", { role: "img", "aria-label": `a ${label}` });
      const ink = bytes(picture);
      palette.paint(canvas, 28, 28, (i) => ink[i] / 255, true);
      return html("figure", {}, canvas, html("figcaption", {}, `${label} · ${number(distance, 1)}`));
    });
    root.querySelector(".neighbours").replaceChildren(...figures);
  }

  function edit(seen) {
    const part = root.querySelector('[data-reason="edit"]');
    const stale = view.request.open.includes("edit") && !("edit" in seen);
    part.classList.toggle("stale", stale);
    clearTimeout(resting);
    if (stale && !seen.blank) resting = setTimeout(() => ask({ still: true }), STILL);
    if (!("edit" in seen)) return;
    const before = bytes(seen.bytes.picture);
    const after = seen.edit ? bytes(seen.edit.picture) : before;
    const [left, right] = part.querySelectorAll("figure canvas");
    palette.paint(left, 28, 28, (i) => before[i] / 255, true);
    palette.paint(right, 28, 28, (i) => after[i] / 255, true);
    const ring = ([row, column, drawn]) =>
      svg("circle", { class: drawn ? "drawn" : "erased", cx: column + 0.5, cy: row + 0.5, r: seen.edit.pen / 2 });
    part.querySelector(".dabs").replaceChildren(...(seen.edit?.dabs ?? []).map(ring));
  }

  function show() {
    said();
    why(view.seen);
    nearest(view.seen);
    edit(view.seen);
  }

  for (const part of root.querySelectorAll(".reason")) {
    part.addEventListener("toggle", () => {
      ask({ open: [...root.querySelectorAll(".reason[open]")].map((one) => one.dataset.reason) });
    });
  }
  root.querySelector(".target").addEventListener("change", (event) => {
    ask({ target: event.target.value === "" ? null : Number(event.target.value) });
  });

  return { show };
}

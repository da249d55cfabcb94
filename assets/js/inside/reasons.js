// Why the drawing is read as it is: the ink that mattered, the smallest edit, the nearest training digits.
import { find, findAll, html, svg } from "../elements.js";
import { bytes, number, signedBytes } from "./numbers.js";

/**
 * @import { Layers, Reason } from "../types.js"
 * @import { Unfolded } from "./inside.js"
 * @import { Palette } from "./palette.js"
 */

/** @type {Reason[]} */
const REASONS = ["why", "edit", "nearest"];
const STILL = 400; // milliseconds without a change before what takes long is asked for

/**
 * @param {HTMLElement} root
 * @param {Readonly<Unfolded>} request
 * @param {Palette} palette
 * @param {(changes: Partial<Unfolded>) => void} ask requests another view
 * @param {() => void} askAtRest requests what takes longer
 */
export function createReasons(root, request, palette, ask, askAtRest) {
  let resting = 0; // the timer that will ask for what takes longer

  /** @param {Reason} name */
  const partOf = (name) => find(root, `[data-reason="${name}"]`, HTMLElement);

  /** @param {Layers} seen */
  function said(seen) {
    for (const name of REASONS) {
      const part = partOf(name);
      find(part, ".reason-said", HTMLElement).textContent = seen.said[name] ?? "";
      part.hidden = name === "nearest" && !seen.mnist;
    }
  }

  // What the answer lacks is asked for once the pen rests; until then its pictures are faded.
  /** @param {Layers} seen */
  function rest(seen) {
    const lacking = request.open.filter((name) => !(name in seen));
    for (const name of REASONS) partOf(name).classList.toggle("stale", lacking.includes(name));
    clearTimeout(resting);
    if (lacking.length && !seen.blank) resting = setTimeout(askAtRest, STILL);
  }

  /** @param {Layers} seen */
  function why({ why: both, bytes: packed }) {
    if (!both) return;
    const drawn = bytes(packed.picture);
    findAll(partOf("why"), "figure", HTMLElement).forEach((figure, at) => {
      const { digit, map } = both[at];
      const values = signedBytes(map);
      /** @param {number} i */
      const trace = (i) => 0.02 * (drawn[i] / 255); // all ink leaves one, whether it mattered or not
      /** @param {number} i */
      const strength = (i) => (values[i] < 0 ? -1 : 1) * Math.max(Math.abs(values[i]) / 127, trace(i));
      palette.paint(find(figure, "canvas", HTMLCanvasElement), 28, 28, strength);
      find(figure, "figcaption", HTMLElement).textContent = `for ${digit}`;
    });
  }

  /** @param {Layers} seen */
  function nearest({ nearest: neighbours }) {
    if (!neighbours) return;
    const figures = neighbours.map(({ label, said, distance, picture }) => {
      const canvas = html("canvas", { role: "img", "aria-label": said });
      const ink = bytes(picture);
      palette.paint(canvas, 28, 28, (i) => ink[i] / 255, true);
      return html("figure", {}, canvas, html("figcaption", {}, `${label} · ${number(distance, 1)}`));
    });
    find(root, ".neighbours", HTMLElement).replaceChildren(...figures);
  }

  /** @param {Layers} seen */
  function edit({ edit: found, bytes: packed }) {
    if (found === undefined) return;
    const part = partOf("edit");
    const before = bytes(packed.picture);
    const after = found ? bytes(found.picture) : before;
    const [left, right] = findAll(part, "figure canvas", HTMLCanvasElement);
    palette.paint(left, 28, 28, (i) => before[i] / 255, true);
    palette.paint(right, 28, 28, (i) => after[i] / 255, true);
    const { dabs, pen } = found ?? { dabs: [], pen: 0 };
    const rings = dabs.map(([row, column, drawn]) =>
      svg("circle", { class: drawn ? "drawn" : "erased", cx: column + 0.5, cy: row + 0.5, r: pen / 2 }),
    );
    find(part, ".dabs", SVGElement).replaceChildren(...rings);
  }

  /** @param {Layers} seen */
  function show(seen) {
    said(seen);
    rest(seen);
    why(seen);
    nearest(seen);
    edit(seen);
  }

  for (const part of findAll(root, ".reason", HTMLElement)) {
    part.addEventListener("toggle", () => {
      ask({ open: REASONS.filter((name) => root.querySelector(`[data-reason="${name}"][open]`)) });
    });
  }
  const target = find(root, ".target", HTMLSelectElement);
  target.addEventListener("change", () => {
    ask({ target: target.value === "" ? null : Number(target.value) });
  });

  return { show };
}

// The drawing on its way through the layers.
import { find } from "../elements.js";
import { followSheet, latestOnly } from "../latest.js";
import { createLayers } from "./layers.js";
import { createPalette } from "./palette.js";
import { createReasons } from "./reasons.js";
import { createWorkedPixel } from "./worked_pixel.js";

/** @import { DrawingUpdate, Layers, MapLayer, Services, ViewRequest } from "../types.js" */

/** @typedef {Omit<ViewRequest, "still">} Unfolded */

const FOLLOW = 700; // milliseconds between looks at weights that are being trained

/**
 * @param {HTMLElement} element
 * @param {Services<string | null>} services their value names the weights to look through
 */
export function mount(element, services) {
  const root = find(element, ".inside", HTMLElement);
  const said = find(root, ".inside-answer", HTMLElement);
  /** @type {Unfolded} */
  const request = { layer: null, map: 0, open: [], target: null };
  /** @type {Layers | null} */
  let seen = null; // the last answer
  const palette = createPalette(root);
  const layers = createLayers(root, request, palette, choose);
  const workedPixel = createWorkedPixel(root, request, palette, choose);
  const reasons = createReasons(root, request, palette, ask, () => atRest());
  /** @type {(drawing: DrawingUpdate, still: boolean) => Promise<Layers | null>} */
  const look = (drawing, still) =>
    services.layers({
      weights: services.value || null,
      drawing,
      digit: services.chosen.digit(),
      view: { ...request, still },
    });
  const changed = followSheet(element, services.sheet, (drawing) => look(drawing, false), show);
  const atRest = latestOnly(() => look(services.sheet.latest(), true), show); // what takes longer than a stroke allows

  /** @param {Partial<Unfolded>} changes */
  function ask(changes) {
    Object.assign(request, changes);
    changed();
  }

  // Chosen again, a map is folded.
  /** @type {(name: MapLayer, index: number) => void} */
  function choose(name, index) {
    const same = request.layer === name && request.map === index;
    ask({ layer: same ? null : name, map: index });
  }

  /** @param {Layers} answer */
  function show(answer) {
    if (answer.number < (seen?.number ?? 0)) return; // the pen has gone on meanwhile
    seen = answer;
    said.textContent = answer.said.answer;
    root.dataset.painted = String(Number(root.dataset.painted ?? 0) + 1);
    palette.mix();
    layers.show(answer);
    workedPixel.show(answer);
    reasons.show(answer);
  }

  new IntersectionObserver(([entry]) => entry.isIntersecting && changed()).observe(root);
  setInterval(() => seen?.follows && root.offsetParent && !document.hidden && changed(), FOLLOW);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => seen && changed()));
  services.watch("value", changed);
  services.chosen.onChange(changed);
}

// The drawing on its way through the layers.
import { followSheet, latestOnly } from "../latest.js";
import { createLayers } from "./layers.js";
import { createPalette } from "./palette.js";
import { createReasons } from "./reasons.js";
import { createWorkedPixel } from "./worked_pixel.js";

/** @import { Layers, Services, ViewRequest } from "../types.js" */

const FOLLOW = 700; // milliseconds between looks at weights that are being trained

/**
 * @param {HTMLElement} element
 * @param {Services} services their value names the weights to look through
 */
export function mount(element, services) {
  const root = element.querySelector(".inside");
  const view = {
    /** @type {Omit<ViewRequest, "still">} */
    request: { layer: null, map: 0, open: [], target: null },
    /** @type {Layers | null} */
    seen: null, // the last answer
    pixel: null, // [row, column] in the chosen map
    channel: null, // which map below is shown, once the visitor has picked one
  };
  const palette = createPalette(root);
  const layers = createLayers(root, view, palette, choose);
  const workedPixel = createWorkedPixel(root, view, palette, choose);
  const reasons = createReasons(root, view, palette, ask, () => atRest());
  const look = (drawing, still) =>
    services.layers({
      weights: services.value || null,
      drawing,
      digit: services.chosen.digit(),
      view: { ...view.request, still },
    });
  const changed = followSheet(element, services.sheet, (drawing) => look(drawing, false), show);
  const atRest = latestOnly(() => look(services.sheet.latest(), true), show); // what takes longer than a stroke allows

  function ask(changes = {}) {
    Object.assign(view.request, changes);
    changed();
  }

  // Chosen again, a map is folded.
  function choose(name, index) {
    const same = view.request.layer === name && view.request.map === index;
    view.pixel = null;
    view.channel = null;
    ask({ layer: same ? null : name, map: index });
  }

  /** @param {Layers} answer */
  function show(answer) {
    if (answer.number < (view.seen?.number ?? 0)) return; // the pen has gone on meanwhile
    view.seen = answer;
    root.querySelector(".inside-answer").textContent = answer.said.answer;
    root.dataset.painted = String(Number(root.dataset.painted ?? 0) + 1);
    palette.mix();
    layers.show();
    workedPixel.show();
    reasons.show();
  }

  new IntersectionObserver(([entry]) => entry.isIntersecting && changed()).observe(root);
  setInterval(() => view.seen?.follows && root.offsetParent && !document.hidden && changed(), FOLLOW);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => view.seen && changed()));
  services.watch("value", changed);
  services.chosen.onChange(changed);
}

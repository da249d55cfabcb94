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
  let views = 0; // grows whenever something other than the drawing changes what is asked for
  const palette = createPalette(root);
  const layers = createLayers(root, request, palette, choose);
  const workedPixel = createWorkedPixel(root, request, palette, choose);
  const reasons = createReasons(root, request, palette, ask, () => askAtRest());
  /** @type {(drawing: DrawingUpdate, still: boolean) => Promise<Layers | null>} */
  const look = (drawing, still) =>
    services.layers({
      weights: services.value || null,
      drawing,
      digit: services.chosen.digit(),
      view: { ...request, still },
    });
  const refresh = followSheet(element, services.sheet, (drawing) => look(drawing, false), show);
  // What takes longer than a stroke allows. Its answer is dropped if something else is asked for meanwhile.
  const askAtRest = latestOnly(
    async () => {
      const view = views;
      const answer = await look(services.sheet.latest(), true);
      return answer && { view, answer };
    },
    ({ view, answer }) => view === views && show(answer),
  );

  function changed() {
    views += 1;
    refresh();
  }

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

  new IntersectionObserver(([entry]) => entry.isIntersecting && refresh()).observe(root);
  setInterval(() => seen?.follows && root.offsetParent && !document.hidden && refresh(), FOLLOW);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => seen && refresh()));
  services.watch("value", changed);
  services.chosen.onChange(changed);
}

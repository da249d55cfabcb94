// The drawing on its way through the layers. The server's answer comes as JSON text in `host.value`; once it is painted,
// the value becomes what the visitor requests to see next, which is all that travels back.
import { createLayers } from "./layers.js";
import { createPalette } from "./palette.js";
import { createReasons } from "./reasons.js";
import { createWorkedPixel } from "./worked_pixel.js";

const FOLLOW = 700; // milliseconds between looks at weights that are being trained

export function mount(element, host) {
  const root = element.querySelector(".inside");
  const view = {
    request: { layer: null, map: 0, open: [], target: null, still: false },
    seen: null, // the last answer
    pixel: null, // [row, column] in the chosen map
    channel: null, // which map below is shown, once the visitor has picked one
  };
  const palette = createPalette(root);
  const layers = createLayers(root, view, palette, choose);
  const workedPixel = createWorkedPixel(root, view, palette, choose);
  const reasons = createReasons(root, view, palette, ask);

  function ask(changes = {}) {
    Object.assign(view.request, { still: false }, changes);
    host.value = JSON.stringify(view.request);
    host.trigger("input");
  }

  // Chosen again, a map is folded.
  function choose(name, index) {
    const same = view.request.layer === name && view.request.map === index;
    view.pixel = null;
    view.channel = null;
    ask({ layer: same ? null : name, map: index });
  }

  function load() {
    let answer;
    try {
      answer = JSON.parse(host.value || "{}");
    } catch {
      return;
    }
    if (!answer.layers) return;
    view.seen = answer;
    root.querySelector(".inside-answer").textContent = answer.said.answer;
    root.dataset.painted = Number(root.dataset.painted ?? 0) + 1;
    palette.mix();
    layers.show();
    workedPixel.show();
    reasons.show();
    host.value = JSON.stringify(view.request);
  }

  new IntersectionObserver(([entry]) => entry.isIntersecting && ask()).observe(root);
  const beat = setInterval(() => {
    if (!root.isConnected) clearInterval(beat);
    else if (view.seen?.follows && root.offsetParent && !document.hidden) ask();
  }, FOLLOW);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => view.seen && ask()));
  host.watch("value", load);
  load();
}

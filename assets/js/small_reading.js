// What the weights in training read on the small pad, in one line.
import { find, html } from "./elements.js";
import { followSheet } from "./latest.js";
import { percent } from "./percent.js";
/** @import { Answer, DrawingUpdate, Services } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services<string | null>} services their value changes with the weights
 */
export function mount(element, services) {
  const { sheet, chosen } = services;
  const line = find(element, ".small-answer", HTMLElement);

  /** @param {Answer} answer */
  function show({ digits, reader }) {
    const unsure = digits.some(({ digit }) => digit === null);
    const parts = digits.length
      ? [
          html("span", {}, `${reader} ${unsure ? "is not sure:" : "reads"}`),
          html("b", unsure ? { class: "unsure" } : {}, digits.map(({ guess }) => guess ?? "?").join("")),
          html("span", {}, digits.map(({ probabilities }) => percent(Math.max(...probabilities))).join(", ")),
        ]
      : [];
    line.replaceChildren(...parts);
  }

  const ask = (/** @type {DrawingUpdate} */ drawing) => services.readInTraining({ drawing, digit: chosen.digit() });
  const changed = followSheet(element, sheet, ask, show);
  chosen.onChange(changed);
  services.watch("value", () => sheet.latest().crop && changed());
}

// What the weights in training read on the small pad, in one line.
import { followSheet } from "./latest.js";
import { percent } from "./percent.js";
/** @import { Answer, Services } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services} services their value changes with the weights
 */
export function mount(element, services) {
  const { sheet, chosen } = services;
  const line = element.querySelector(".small-answer");
  const part = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

  /** @param {Answer} answer */
  function show({ digits, reader }) {
    const unsure = digits.some(({ digit }) => digit === null);
    const parts = digits.length
      ? [
          part("span", `${reader} ${unsure ? "is not sure: perhaps" : "reads"}`),
          part("b", digits.map(({ guess }) => guess).join("")),
          part("span", digits.map(({ probabilities }) => percent(Math.max(...probabilities))).join(", ")),
        ]
      : [];
    line.replaceChildren(...parts);
  }

  const ask = (drawing) => services.readInTraining({ drawing, digit: chosen.digit() });
  const changed = followSheet(element, sheet, ask, show);
  chosen.onChange(changed);
  services.watch("value", () => sheet.latest().crop && changed());
}

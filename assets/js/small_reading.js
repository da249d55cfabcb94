// What the weights in training read on the small pad, in one line.
import { followSheet } from "./latest.js";
import { percent } from "./percent.js";
/** @import { Answer, Services } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services} services their value is the latest answer of a run in training
 */
export function mount(element, services) {
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

  services.watch("value", () => services.value && show(services.value));
  const ask = (drawing) => services.readWhileTraining({ drawing, digit: services.chosen.digit() });
  services.chosen.onChange(followSheet(element, services.sheet, ask, show));
}

// A sample drawing that is chosen draws itself on the pad.
/** @import { Services } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services} services
 */
export function mount(element, { sheet }) {
  element.addEventListener("click", (event) => {
    const sample = event.target.closest("button");
    if (!sample) return;
    sheet.play(JSON.parse(sample.dataset.strokes));
    document.querySelector("#digit-pad").scrollIntoView({ block: "nearest" });
  });
}

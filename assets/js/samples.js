// A sample drawing that is chosen draws itself on the pad.
import { around } from "./elements.js";
/** @import { Services } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services<null>} services
 */
export function mount(element, { sheet, pads }) {
  element.addEventListener("click", (event) => {
    const strokes = around(event, "button")?.dataset.strokes;
    if (!strokes) return;
    sheet.play(JSON.parse(strokes));
    pads.reveal();
  });
}

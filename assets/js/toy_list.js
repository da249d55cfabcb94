// The list of toys: tells the server which one was chosen.
import { around } from "./elements.js";
/** @import { Host } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Host<string | null>} host its value is the chosen toy's name
 */
export function mount(element, host) {
  element.addEventListener("click", (event) => {
    const chosen = around(event, "button");
    if (!chosen) return;
    for (const button of element.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button === chosen));
    }
    host.value = chosen.dataset.toy ?? null;
    host.trigger("input");
  });
}

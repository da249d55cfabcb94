// Tells the server which of a panel's buttons and fields was used.
import { around, find, findAll } from "./elements.js";
/** @import { Host } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Host<string>} host its value is the panel's HTML
 */
export function mount(element, host) {
  /** @param {HTMLElement} button its `data-of` finds what to copy */
  async function copy(button) {
    const source = find(element, button.dataset.of ?? "", HTMLElement);
    button.dataset.name ??= button.textContent; // pressed again, it may still say "Copied"
    const { name } = button.dataset;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(source); // no clipboard here: one keystroke is left to do
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => {
      if (button.dataset.act === "copy") button.textContent = name; // else another panel has taken it over
    }, 2000);
  }

  // Gradio changes the attributes of the elements that are there, which leaves a box that was clicked as it is.
  host.watch("value", () => {
    for (const box of findAll(element, "input[type=checkbox], input[type=radio]", HTMLInputElement))
      box.checked = box.defaultChecked;
  });

  element.addEventListener("click", (event) => {
    const button = around(event, "button[data-act]");
    if (!button || event.detail > 1) return; // the second click of a double click: nothing is done twice
    if (button.dataset.act === "copy") copy(button);
    else host.trigger("act", { ...button.dataset });
  });
  element.addEventListener("change", (event) => {
    const field = around(event, "input[data-act]");
    if (field instanceof HTMLInputElement)
      host.trigger("act", { ...field.dataset, value: field.type === "checkbox" ? field.checked : field.value });
  });
}

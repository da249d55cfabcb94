// The pads of a page: they share one sheet, the tool in hand, and the keyboard.
import { around } from "./elements.js";
import { Pad } from "./pad.js";

/** @import { Sheet } from "./ink/sheet.js" */

/**
 * What all pads share: whether the eraser is in hand, when a pen last touched a pad (milliseconds), and the pointer that
 * draws.
 * @typedef {{ eraser: boolean, penAt: number, holder: { id: number, type: string } | null }} Hand
 */

const typing = (/** @type {Event} */ event) => around(event, "input, textarea, select, [contenteditable=true]");

/** @param {Sheet} sheet */
export function createPads(sheet) {
  /** @type {Set<Pad>} */
  const pads = new Set();
  /** @type {Hand} */
  const hand = { eraser: false, penAt: -Infinity, holder: null };
  const visible = () => [...pads].find((pad) => pad.visible);

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing(event) || !visible()) return;
    // A Cyrillic or Greek keyboard has the same key in the same place under another letter.
    const key = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : event.code.replace("Key", "").toLowerCase();
    const action = key === "y" || (key === "z" && event.shiftKey) ? sheet.redo : key === "z" ? sheet.undo : null;
    if (!action) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("paste", (event) => {
    const pad = visible();
    const files = [...(event.clipboardData?.files ?? [])];
    if (!pad || !files.length || typing(event)) return;
    event.preventDefault();
    pad.accept(files);
  });

  /** @param {HTMLElement} element holds the markup of `pad.html` */
  function add(element) {
    const pad = new Pad(element, sheet, hand);
    pads.add(pad);
    sheet.join(pad);
  }

  // Scrolls to the pad on the open tab, where it is not in view.
  const reveal = () => visible()?.element.scrollIntoView({ block: "nearest" });

  return { add, reveal };
}

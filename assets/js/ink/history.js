// What has happened on the sheet, oldest first, and what was undone of it.

/**
 * An event on the sheet; it is never changed. A stroke has the points x, y, x, y, ...; a picture (a data URL) lies in the
 * box left, top, width, height. All are in units.
 * @typedef {{ pen: "pen" | "eraser", points: number[], picture?: undefined, clear?: undefined }} Stroke
 * @typedef {[number, number, number, number]} Box
 * @typedef {{ picture: string, caption: string, box: Box, pen?: undefined, clear?: undefined }} LaidPicture
 * @typedef {Stroke | LaidPicture | { clear: true, pen?: undefined, picture?: undefined }} InkEvent
 */

const LIMIT = 200; // events; from here on, what lies before a cleared sheet is forgotten
const KEY = "mnist-ink";

/** @param {Pick<Storage, "getItem" | "setItem">} storage both may throw */
export function createHistory(storage) {
  /** @type {InkEvent[]} */
  let done = [];
  /** @type {InkEvent[]} */
  let undone = [];

  const shown = () => done.slice(done.findLastIndex((event) => event.clear) + 1);

  /** @param {InkEvent} event */
  function add(event) {
    done.push(event);
    undone = [];
    const start = done.findIndex((each, i) => each.clear && done.length - i <= LIMIT);
    if (done.length > LIMIT && start > 0) done = done.slice(start);
  }

  // A picture and the clearing that came with it are one step.
  function undo() {
    if (!done.length) return false;
    const both = done.at(-1)?.picture && done.at(-2)?.clear;
    undone.push(...done.splice(both ? -2 : -1).reverse());
    return true;
  }

  function redo() {
    if (!undone.length) return false;
    const both = undone.at(-1)?.clear && undone.at(-2)?.picture;
    done.push(...undone.splice(both ? -2 : -1).reverse());
    return true;
  }

  function clear() {
    if (!shown().length) return false;
    add({ clear: true });
    return true;
  }

  // Where not all fits, what is on the sheet is kept.
  function keep() {
    for (const kept of [
      { done, undone },
      { done: shown(), undone: [] },
    ]) {
      try {
        storage.setItem(KEY, JSON.stringify(kept));
        return;
      } catch {
        // Storage is refused or full.
      }
    }
  }

  // All events, those undone among them; null where none were kept.
  function recall() {
    let kept;
    try {
      kept = JSON.parse(storage.getItem(KEY) ?? "null");
    } catch {
      return null; // refused, or not ours
    }
    if (!kept) return null;
    ({ done, undone } = kept);
    return [...done, ...undone];
  }

  const undoable = () => done.length > 0;
  const redoable = () => undone.length > 0;
  return { shown, add, undo, redo, clear, keep, recall, undoable, redoable };
}

// What has happened on the sheet, oldest first, and what was undone of it.
//
// An event is a stroke {pen: "pen" | "eraser", points: [x, y, x, y, ...]}, a picture {picture: data URL, caption,
// box: [left, top, width, height]}, or {clear: true}. Events are never changed.
const LIMIT = 200; // events; from here on, what lies before a cleared sheet is forgotten
const KEY = "mnist-ink";

// `storage` has getItem and setItem, as sessionStorage has; both may throw.
export function createHistory(storage) {
  let done = [];
  let undone = [];

  const shown = () => done.slice(done.findLastIndex((event) => event.clear) + 1);

  function add(event) {
    done.push(event);
    undone = [];
    const start = done.findIndex((each, i) => each.clear && done.length - i <= LIMIT);
    if (done.length > LIMIT && start > 0) done = done.slice(start);
  }

  // A picture and the clearing that came with it are one step.
  function undo() {
    if (!done.length) return false;
    undone.push(done.pop());
    if (undone.at(-1).picture && done.at(-1)?.clear) undone.push(done.pop());
    return true;
  }

  function redo() {
    if (!undone.length) return false;
    done.push(undone.pop());
    if (done.at(-1).clear && undone.at(-1)?.picture) done.push(undone.pop());
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

  // Returns all events, those undone among them; null where none were kept.
  function recall() {
    let kept;
    try {
      kept = JSON.parse(storage.getItem(KEY));
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

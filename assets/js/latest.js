// Asking without falling behind the pen.
/**
 * @import { Sheet } from "./ink/sheet.js"
 * @import { DrawingUpdate } from "./types.js"
 */

const AGAIN = 300; // milliseconds until what another window of the same visit superseded is asked for again
const [SOON, LATER] = [1000, 16_000]; // milliseconds until what could not be answered is asked for again, at first and at most

/** A request that was not answered; `again` says that the same may be answered later. */
export class Unanswered extends Error {
  /**
   * @param {string} message
   * @param {boolean} again
   */
  constructor(message, again) {
    super(message);
    this.again = again;
  }
}

/**
 * A function to call whenever something has changed: it asks, one request at a time, and once more if something has
 * changed meanwhile.
 *
 * @template Result
 * @param {() => Promise<Result | null> | null} ask with what holds now; null: not worth asking yet. It rejects with
 *     `Unanswered`.
 * @param {(answer: Result) => void} show
 * @returns {() => void}
 */
export function latestOnly(ask, show) {
  let [due, busy] = [false, false];
  let wait = SOON;

  async function go() {
    const asked = due && !busy ? ask() : null;
    if (!asked) return;
    [due, busy] = [false, true];
    const answer = await asked.catch(unanswered);
    busy = false;
    if (answer) {
      wait = SOON;
      show(answer);
    } else if (answer === null && !due) setTimeout(changed, AGAIN);
    go();
  }

  // Whatever else broke is a fault of the page, and stays one.
  /** @type {(error: unknown) => void} */
  function unanswered(error) {
    if (!(error instanceof Unanswered)) {
      busy = false;
      throw error;
    }
    if (error.again && !due) {
      setTimeout(changed, wait);
      wait = Math.min(2 * wait, LATER);
    }
  }

  function changed() {
    due = true;
    go();
  }

  return changed;
}

/**
 * Keeps a view's answer up to date with what is drawn, while the view is seen.
 *
 * @template Result
 * @param {HTMLElement} element the view's
 * @param {Sheet} sheet
 * @param {(drawing: DrawingUpdate) => Promise<Result | null>} ask
 * @param {(answer: Result) => void} show
 * @returns {() => void} to call when something else than the drawing has changed
 */
export function followSheet(element, sheet, ask, show) {
  let waiting = false; // for the view to be seen
  const changed = latestOnly(() => {
    waiting = element.clientWidth === 0;
    return waiting ? null : ask(sheet.latest());
  }, show);
  sheet.onUpdate(changed);
  new ResizeObserver(() => waiting && changed()).observe(element);
  if (sheet.latest().number) changed(); // drawn before this view was there
  return changed;
}

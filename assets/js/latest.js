// Asking without falling behind the pen.
/** @import { Drawing, Services } from "./types.js" */

const AGAIN = 300; // milliseconds until what another window of the same visit superseded is asked for again

/**
 * A function to call whenever something has changed: it asks, one request at a time, and once more if something has
 * changed meanwhile. A request that fails is not repeated.
 *
 * @template Result
 * @param {() => Promise<Result | null> | null} ask with what holds now; null: not worth asking yet
 * @param {(answer: Result) => void} show
 * @returns {() => void}
 */
export function latestOnly(ask, show) {
  let [due, busy] = [false, false];

  async function go() {
    const asked = due && !busy ? ask() : null;
    if (!asked) return;
    [due, busy] = [false, true];
    try {
      const answer = await asked;
      if (answer) show(answer);
      else if (!due) setTimeout(changed, AGAIN);
    } catch (error) {
      console.warn(error);
    } finally {
      busy = false;
    }
    go();
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
 * @param {Services["sheet"]} sheet
 * @param {(drawing: Drawing) => Promise<Result | null>} ask
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
  return changed;
}

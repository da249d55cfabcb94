// Which of several digits on the sheet is looked at: the same on every tab.

/** @returns {{ digit: () => number, choose: (digit: number) => void, onChange: (listener: () => void) => void }} */
export function createChosen() {
  let chosen = 0; // from the left
  /** @type {Set<() => void>} */
  const listeners = new Set();

  /** @param {number} digit */
  function choose(digit) {
    if (digit === chosen) return;
    chosen = digit;
    for (const listener of listeners) listener();
  }

  return { digit: () => chosen, choose, onChange: (listener) => listeners.add(listener) };
}

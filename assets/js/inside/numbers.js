// Numbers as the server packs them and as the page writes them.
/** @param {number} value */
export const number = (value, digits = 2) =>
  value
    .toFixed(digits)
    .replace(/^-(0\.?0*)$/, "$1")
    .replace("-", "−");
export const bytes = (/** @type {string} */ text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const signedBytes = (/** @type {string} */ text) => new Int8Array(bytes(text).buffer);
export const floats = (/** @type {string} */ text) => new Float32Array(bytes(text).buffer);

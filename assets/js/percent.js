// Probabilities as the page writes them: never 0 % or 100 %, which no network can be sure of.
/** @param {number} part */
export const percent = (part) => `${part >= 0.995 ? "> 99" : part < 0.005 ? "< 1" : Math.round(100 * part)}\u202f%`;

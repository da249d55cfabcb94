// What the views of this page share, and what they ask of its server. A page without a server would give them other
// functions of the same names.
import { createChosen } from "./chosen.js";
import { createSheet } from "./ink/sheet.js";
import { Unanswered } from "./latest.js";
import { createPads } from "./pads.js";

/** @import { Answer, Layers, LayersRequest, ReadRequest, ToyRequest, ToyShown, TrainingReadRequest } from "./types.js" */

const PATIENCE = 30_000; // milliseconds for an answer
const LATER = [502, 503, 504]; // answers of a server that is busy, or of a proxy before one that is gone

/**
 * The server's answer; null for a request that a newer one of the same visit has superseded. `notice.js` says on the
 * page why a request was refused.
 *
 * @template Answered
 * @param {string} name of the route
 * @param {object} body
 * @returns {Promise<Answered | null>}
 */
async function post(name, body) {
  const { visitSecret } = /** @type {typeof window & { visitSecret: string }} */ (window); // from `visit.js`
  const headers = { "Content-Type": "application/json", "X-Visit": visitSecret };
  const request = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) };
  const response = await fetch(new URL(`api/${name}`, document.baseURI), request).catch((error) => {
    throw new Unanswered(`${name}: ${error}`, true);
  });
  if (!response.ok)
    throw new Unanswered(`${name} was answered with ${response.status}`, LATER.includes(response.status));
  return response.status === 204 ? null : response.json();
}

// Reading `sessionStorage` itself may throw, hence the two functions.
const sheet = createSheet({
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, text) => sessionStorage.setItem(key, text),
});

const chosen = createChosen();
sheet.onChange(() => sheet.empty() && chosen.choose(0));

export const shared = {
  sheet,
  pads: createPads(sheet),
  chosen,
  /** @type {(request: ReadRequest) => Promise<Answer | null>} */
  read: (request) => post("read", request),
  /** @type {(request: TrainingReadRequest) => Promise<Answer | null>} */
  readInTraining: (request) => post("read-in-training", request),
  /** @type {(request: LayersRequest) => Promise<Layers | null>} */
  layers: (request) => post("layers", request),
  /** @type {(request: ToyRequest) => Promise<ToyShown | null>} */
  toy: (request) => post("toy", request),
};

// What the views of this page share, and what they ask of its server. A page without a server would give them other
// functions of the same names.
import { createChosen } from "./chosen.js";
import { createSheet } from "./ink/sheet.js";
import { createPads } from "./pads.js";
/** @import { Answer, Layers, LayersRequest, ReadRequest, ToyRequest, ToyShown, WatchRequest } from "./types.js" */

/**
 * The server's answer; null for a request that a newer one of the same visit has superseded. `notice.js` says on the
 * page why a request was refused.
 *
 * @param {string} name of the route
 * @param {object} body
 * @returns {Promise<any>}
 */
async function post(name, body) {
  const headers = { "Content-Type": "application/json", "X-Visit": window.visitSecret };
  const address = new URL(`api/${name}`, document.baseURI);
  const response = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${name} was answered with ${response.status}`);
  return response.status === 204 ? null : response.json();
}

// Reading `sessionStorage` itself may throw, hence the two functions.
const sheet = createSheet({
  getItem: (key) => sessionStorage.getItem(key),
  setItem: (key, text) => sessionStorage.setItem(key, text),
});

export const shared = {
  sheet,
  pads: createPads(sheet),
  chosen: createChosen(),
  /** @type {(request: ReadRequest) => Promise<Answer | null>} */
  read: (request) => post("read", request),
  /** @type {(request: WatchRequest) => Promise<Answer | null>} */
  readWhileTraining: (request) => post("watch", request),
  /** @type {(request: LayersRequest) => Promise<Layers | null>} */
  layers: (request) => post("layers", request),
  /** @type {(request: ToyRequest) => Promise<ToyShown | null>} */
  toy: (request) => post("toy", request),
};

// Elements: found, of the kind that is expected, or made.
const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number>} Attributes */

/**
 * @template {Element} Kind
 * @param {Element | null} found
 * @param {string} selector
 * @param {new () => Kind} kind
 */
function checked(found, selector, kind) {
  if (found instanceof kind) return found;
  throw new TypeError(`expected ${kind.name} at ${selector}, got ${found}`);
}

/**
 * The first element below `root` that `selector` finds. Throws if there is none, or one of another kind.
 *
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} kind
 */
export const find = (root, selector, kind) => checked(root.querySelector(selector), selector, kind);

/**
 * All elements below `root` that `selector` finds. Throws if one is of another kind.
 *
 * @template {Element} Kind
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => Kind} kind
 */
export const findAll = (root, selector, kind) =>
  [...root.querySelectorAll(selector)].map((found) => checked(found, selector, kind));

/**
 * The element, of those that `selector` finds, in which an event happened; null: in none.
 *
 * @param {Event} event
 * @param {string} selector
 */
export function around({ target }, selector) {
  const found = target instanceof Element ? target.closest(selector) : null;
  return found instanceof HTMLElement ? found : null;
}

/**
 * @template {Element} Kind
 * @param {Kind} node
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children a string becomes text, whatever is written in it
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {...(Node | string)} children
 */
export const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {...(Node | string)} children
 */
export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function contextOf(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("this browser gives a canvas no 2d context");
  return context;
}

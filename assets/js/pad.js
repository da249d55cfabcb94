// The pads: they take pointers, files and keys, and show the sheet of ink that all of them share (`ink/sheet.js`).
import { sheet } from "./ink/sheet.js";
import { UNITS } from "./ink/units.js";
/** @import { Host } from "./types.js" */

const PALM = 600; // milliseconds after a pen's stroke in which touches are taken for the hand's side

const pads = new Set();
// What all pads share: the tool in hand, when a pen last touched a pad, and the pointer that draws: {id, type}.
const hand = { eraser: false, penAt: -Infinity, holder: null };

class Pad {
  constructor(element) {
    this.element = element;
    this.small = element.classList.contains("small");
    this.paper = element.querySelector(".sheet");
    this.canvas = element.querySelector("canvas");
    this.boxes = element.querySelector(".boxes");
    this.surface = sheet.surface(this.canvas);
    this.frame = null;
    new ResizeObserver(() => this.fit()).observe(this.canvas);
    this.listen();
    this.fit();
  }

  get visible() {
    return this.canvas.clientWidth > 0;
  }

  fit() {
    if (!this.visible) return;
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.surface.resize(side);
    if (!this.small) sheet.fit(side);
    this.surface.render();
  }

  show() {
    const empty = sheet.empty();
    this.element.classList.toggle("empty", empty);
    this.press(".undo", { disabled: !sheet.undoable() });
    this.press(".redo", { disabled: !sheet.redoable() });
    this.press(".clear", { disabled: empty });
    this.press(".eraser", { pressed: hand.eraser });
    this.element.classList.toggle("erasing", hand.eraser);
    this.say(sheet.caption());
    if (sheet.drawing() || empty) this.boxes.replaceChildren();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.visible) this.surface.render();
    });
  }

  press(selector, { disabled, pressed }) {
    const button = this.element.querySelector(selector);
    if (!button) return;
    if (disabled !== undefined) button.setAttribute("aria-disabled", disabled);
    if (pressed !== undefined) button.setAttribute("aria-pressed", pressed);
  }

  say(text) {
    const line = this.element.querySelector(".caption");
    if (line && line.textContent !== text) line.textContent = text;
  }

  position(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const units = (value, start, size) => Math.round(((value - start) / size) * UNITS * 10) / 10;
    return [units(event.clientX, left, width), units(event.clientY, top, height)];
  }

  listen() {
    const { canvas, element } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("lostpointercapture", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.drop(event));
    // iOS answers a held finger with a magnifier unless the touch itself is taken.
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    const click = (selector, action) =>
      element.querySelector(selector)?.addEventListener("click", (event) => {
        if (event.currentTarget.getAttribute("aria-disabled") !== "true") action();
      });
    click(".undo", sheet.undo);
    click(".redo", sheet.redo);
    click(".clear", sheet.clear);
    click(".eraser", () => {
      hand.eraser = !hand.eraser;
      for (const pad of pads) pad.show();
    });
    const file = element.querySelector("input[type=file]");
    click(".picture", () => file.click());
    file?.addEventListener("change", () => {
      this.accept([...file.files]);
      file.value = "";
    });
    this.paper.addEventListener("dragover", (event) => event.preventDefault());
    this.paper.addEventListener("drop", (event) => {
      event.preventDefault();
      this.accept([...event.dataTransfer.files]);
    });
  }

  async accept(files) {
    const picture = files.find((file) => file.type.startsWith("image/"));
    this.say(picture ? await sheet.take(picture) : "Drop an image file here.");
  }

  down(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    event.preventDefault();
    const now = performance.now();
    if (event.pointerType === "pen") hand.penAt = now;
    if (event.pointerType === "touch" && now - hand.penAt < PALM) return;
    if (hand.holder) {
      if (event.pointerType !== "pen" || hand.holder.type !== "touch") return;
      sheet.cancel(); // the palm came first
    }
    hand.holder = { id: event.pointerId, type: event.pointerType };
    this.canvas.setPointerCapture(event.pointerId);
    const wiping = hand.eraser || (event.buttons & 32) !== 0; // 32: the other end of a pen
    sheet.begin(wiping ? "eraser" : "pen", ...this.position(event));
  }

  move(event) {
    if (event.pointerId !== hand.holder?.id || !sheet.drawing()) return;
    if (event.pointerType === "pen") hand.penAt = performance.now();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) sheet.extend(...this.position(each));
    sheet.moved();
  }

  up(event) {
    if (event.pointerId !== hand.holder?.id) return;
    hand.holder = null;
    if (sheet.drawing() && event.type === "pointerup") sheet.extend(...this.position(event));
    sheet.end();
  }

  drop(event) {
    if (event.pointerId !== hand.holder?.id) return;
    hand.holder = null;
    sheet.cancel();
  }

  // Rectangles over what was read as one digit each: [{box: [left, top, right, bottom] from 0 to 1, name, chosen}].
  mark(boxes) {
    this.boxes.replaceChildren(
      ...boxes.map(({ box, name, chosen }) => {
        const mark = document.createElement("span");
        mark.className = chosen ? "box chosen" : "box";
        mark.textContent = name;
        const [left, top, right, bottom] = box.map((side) => `${100 * side}%`);
        Object.assign(mark.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
        return mark;
      }),
    );
  }
}

/**
 * @param {HTMLElement} element
 * @param {Host} host its value is a picture to lay on the pads: {picture: data URL, caption}
 */
export function mount(element, host) {
  const pad = new Pad(element);
  pads.add(pad);
  sheet.join(pad);
  const load = () => {
    if (!host.value) return;
    sheet.paint(host.value.picture, host.value.caption);
    host.value = null; // the same picture may come again
  };
  host.watch("value", load);
  load();
  element.dataset.ready = ""; // from here on nothing that is drawn is lost
}

// --- the page around the pads ---------------------------------------------------------------------------------

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable=true]");
const anyVisible = () => [...pads].some((pad) => pad.visible);

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || typing(event.target) || !anyVisible()) return;
  const key = event.key.toLowerCase();
  const action = key === "y" || (key === "z" && event.shiftKey) ? sheet.redo : key === "z" ? sheet.undo : null;
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("paste", (event) => {
  const pad = [...pads].find((each) => each.visible);
  const files = [...(event.clipboardData?.files ?? [])];
  if (!pad || !files.length || typing(event.target)) return;
  event.preventDefault();
  pad.accept(files);
});

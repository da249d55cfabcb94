// One pad: it takes pointers, files and buttons, and shows the sheet of ink that all pads share (`ink/sheet.js`).
import { UNITS } from "./ink/units.js";

/** @import { Services } from "./types.js" */

const UNTYPED = ["", "application/octet-stream"]; // of files without an extension, which may well be pictures
const PEN_AWAY = 30_000; // milliseconds without a pen until touches are fingers again, not the hand that holds it

export class Pad {
  /**
   * @param {HTMLElement} element
   * @param {ReturnType<typeof import("./ink/sheet.js").createSheet>} sheet
   * @param {import("./pads.js").Hand} hand
   */
  constructor(element, sheet, hand) {
    Object.assign(this, { element, sheet, hand });
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
    if (!this.small) this.sheet.fit(side);
    this.surface.render();
  }

  show() {
    const empty = this.sheet.empty();
    if (empty) this.hand.eraser = false; // nothing is left to erase
    this.element.classList.toggle("empty", empty);
    this.press(".undo", { disabled: !this.sheet.undoable() });
    this.press(".redo", { disabled: !this.sheet.redoable() });
    this.press(".clear", { disabled: empty });
    this.press(".eraser", { pressed: this.hand.eraser, disabled: empty });
    this.element.classList.toggle("erasing", this.hand.eraser);
    this.say(this.sheet.caption());
    if (this.sheet.drawing() || empty) this.boxes.replaceChildren();
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
    click(".undo", this.sheet.undo);
    click(".redo", this.sheet.redo);
    click(".clear", this.sheet.clear);
    click(".eraser", () => {
      this.hand.eraser = !this.hand.eraser;
      this.sheet.show();
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
      const { files, types } = event.dataTransfer;
      if (!files.length && types.includes("text/uri-list"))
        this.say("Save that picture first, then drop its image file.");
      else this.accept([...files]);
    });
  }

  async accept(files) {
    const picture = files.find(({ type }) => UNTYPED.includes(type) || type.startsWith("image/"));
    this.say(picture ? await this.sheet.take(picture) : "Drop an image file here.");
  }

  down(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    event.preventDefault();
    const now = performance.now();
    if (event.pointerType === "pen") this.hand.penAt = now;
    if (event.pointerType === "touch" && now - this.hand.penAt < PEN_AWAY) return;
    if (this.hand.holder) {
      if (event.pointerType !== "pen" || this.hand.holder.type !== "touch") return;
      this.sheet.cancel(); // the palm came first
    }
    document.activeElement?.blur(); // undo belongs to the pad now, not to a field
    this.hand.holder = { id: event.pointerId, type: event.pointerType };
    this.canvas.setPointerCapture(event.pointerId);
    const wiping = this.hand.eraser || (event.buttons & 32) !== 0; // 32: the other end of a pen
    this.sheet.begin(wiping ? "eraser" : "pen", ...this.position(event));
  }

  move(event) {
    if (event.pointerId !== this.hand.holder?.id || !this.sheet.drawing()) return;
    if (event.pointerType === "pen") this.hand.penAt = performance.now();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.sheet.extend(...this.position(each));
    this.sheet.moved();
  }

  up(event) {
    if (event.pointerId !== this.hand.holder?.id) return;
    this.hand.holder = null;
    if (this.sheet.drawing() && event.type === "pointerup") this.sheet.extend(...this.position(event));
    this.sheet.end();
  }

  drop(event) {
    if (event.pointerId !== this.hand.holder?.id) return;
    this.hand.holder = null;
    this.sheet.cancel();
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
 * @param {Services} services their value is a picture to lay on the pads: {picture: data URL, caption}
 */
export function mount(element, services) {
  services.pads.add(element);
  const load = () => {
    if (!services.value) return;
    services.sheet.paint(services.value.picture, services.value.caption);
    services.value = null; // the same picture may come again
  };
  services.watch("value", load);
  load();
  element.dataset.ready = ""; // from here on nothing that is drawn is lost
}

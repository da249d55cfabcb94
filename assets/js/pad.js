// One pad: it takes pointers, files and buttons, and shows the sheet of ink that all pads share (`ink/sheet.js`).
import { find, findAll } from "./elements.js";
import { UNITS } from "./ink/units.js";

/**
 * @import { Mark, Sheet } from "./ink/sheet.js"
 * @import { Hand } from "./pads.js"
 * @import { PictureToLay, Services } from "./types.js"
 */

const UNTYPED = ["", "application/octet-stream"]; // of files without an extension, which may well be pictures
const PEN_AWAY = 30_000; // milliseconds without a pen until touches are fingers again, not the hand that holds it

export class Pad {
  /**
   * @param {HTMLElement} element holds the markup of `pad.html`
   * @param {Sheet} sheet
   * @param {Hand} hand
   */
  constructor(element, sheet, hand) {
    this.element = element;
    this.sheet = sheet;
    this.hand = hand;
    this.small = element.classList.contains("small");
    this.paper = find(element, ".sheet", HTMLElement);
    this.canvas = find(element, "canvas", HTMLCanvasElement);
    this.boxes = find(element, ".boxes", HTMLElement);
    this.caption = find(element, ".caption", HTMLElement);
    this.surface = sheet.surface(this.canvas);
    this.frame = 0; // the animation frame that will paint it
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
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.visible) this.surface.render();
    });
  }

  /** @type {(selector: string, states: { disabled: boolean, pressed?: boolean }) => void} */
  press(selector, { disabled, pressed }) {
    const button = this.element.querySelector(selector); // small pads have fewer
    button?.setAttribute("aria-disabled", String(disabled));
    if (pressed !== undefined) button?.setAttribute("aria-pressed", String(pressed));
  }

  /** @param {string} text */
  say(text) {
    if (this.caption.textContent !== text) this.caption.textContent = text;
  }

  /**
   * Where a pointer is, in units.
   *
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  position(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    /** @type {(value: number, start: number, size: number) => number} */
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
    /** @type {(selector: string, action: () => void) => void} */
    const click = (selector, action) => {
      const button = element.querySelector(selector);
      button?.addEventListener("click", () => button.getAttribute("aria-disabled") !== "true" && action());
    };
    click(".undo", this.sheet.undo);
    click(".redo", this.sheet.redo);
    click(".clear", this.sheet.clear);
    click(".eraser", () => {
      this.hand.eraser = !this.hand.eraser;
      this.sheet.show();
    });
    for (const file of findAll(element, "input[type=file]", HTMLInputElement)) {
      click(".picture", () => file.click());
      file.addEventListener("change", () => {
        this.accept([...(file.files ?? [])]);
        file.value = "";
      });
    }
    this.paper.addEventListener("dragover", (event) => event.preventDefault());
    this.paper.addEventListener("drop", (event) => {
      event.preventDefault();
      const { files, types } = event.dataTransfer ?? new DataTransfer();
      if (!files.length && types.includes("text/uri-list"))
        this.say("Save that picture first, then drop its image file.");
      else this.accept([...files]);
    });
  }

  /** @param {File[]} files */
  async accept(files) {
    const picture = files.find(({ type }) => UNTYPED.includes(type) || type.startsWith("image/"));
    this.say(picture ? await this.sheet.take(picture) : "Drop an image file here.");
  }

  /** @param {PointerEvent} event */
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
    // Undo belongs to the pad now, not to a field.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    this.hand.holder = { id: event.pointerId, type: event.pointerType };
    this.canvas.setPointerCapture(event.pointerId);
    const wiping = this.hand.eraser || (event.buttons & 32) !== 0; // 32: the other end of a pen
    this.sheet.begin(wiping ? "eraser" : "pen", ...this.position(event));
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (event.pointerId !== this.hand.holder?.id || !this.sheet.drawing()) return;
    if (event.pointerType === "pen") this.hand.penAt = performance.now();
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.sheet.extend(...this.position(each));
    this.sheet.moved();
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerId !== this.hand.holder?.id) return;
    this.hand.holder = null;
    if (this.sheet.drawing() && event.type === "pointerup") this.sheet.extend(...this.position(event));
    this.sheet.end();
  }

  /** @param {PointerEvent} event */
  drop(event) {
    if (event.pointerId !== this.hand.holder?.id) return;
    this.hand.holder = null;
    this.sheet.cancel();
  }

  /** @param {Mark[]} boxes */
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
 * @param {Services<PictureToLay | null>} services
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

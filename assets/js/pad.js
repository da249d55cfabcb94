// The pads: they take pointers, files and keys, and show the sheet of ink that all of them share (`ink.js`).
(() => {
  const ink = window.ink;
  const PALM = 600; // milliseconds after a pen's stroke in which touches are taken for the hand's side

  const pads = new Set();
  let eraser = false;
  let penAt = -Infinity; // when a pen last touched the sheet
  let holder = null; // the pointer that draws: {id, type}

  class Pad {
    constructor(element, props, trigger) {
      Object.assign(this, { element, props, trigger, waiting: false });
      this.small = element.classList.contains("small");
      this.sheet = element.querySelector(".sheet");
      this.canvas = element.querySelector("canvas");
      this.boxes = element.querySelector(".boxes");
      this.surface = new ink.Surface(this.canvas);
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
      if (!this.small) ink.fitPlate(side);
      this.surface.render();
      if (this.waiting) this.take(this.props.value);
    }

    show() {
      const empty = ink.empty();
      this.element.classList.toggle("empty", empty);
      this.press(".undo", { disabled: !ink.undoable() });
      this.press(".redo", { disabled: !ink.redoable() });
      this.press(".clear", { disabled: empty });
      this.press(".eraser", { pressed: eraser });
      this.element.classList.toggle("erasing", eraser);
      this.say(ink.caption());
      if (ink.drawing() || empty) this.boxes.replaceChildren();
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

    // A hidden pad holds the ink too, and tells of it when it is seen.
    take(value) {
      this.props.value = value;
      this.waiting = !this.visible;
      if (this.visible) this.trigger("input");
    }

    position(event) {
      const { left, top, width, height } = this.canvas.getBoundingClientRect();
      const units = (value, start, size) => Math.round(((value - start) / size) * ink.UNITS * 10) / 10;
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
      click(".undo", ink.undo);
      click(".redo", ink.redo);
      click(".clear", ink.clear);
      click(".eraser", () => {
        eraser = !eraser;
        for (const pad of pads) pad.show();
      });
      const file = element.querySelector("input[type=file]");
      click(".picture", () => file.click());
      file?.addEventListener("change", () => {
        this.accept([...file.files]);
        file.value = "";
      });
      this.sheet.addEventListener("dragover", (event) => event.preventDefault());
      this.sheet.addEventListener("drop", (event) => {
        event.preventDefault();
        this.accept([...event.dataTransfer.files]);
      });
    }

    async accept(files) {
      const picture = files.find((file) => file.type.startsWith("image/"));
      this.say(picture ? await ink.take(picture) : "Only a picture's own file can be laid here.");
    }

    down(event) {
      if (event.pointerType === "mouse" && event.button !== 0) return;
      event.preventDefault();
      const now = performance.now();
      if (event.pointerType === "pen") penAt = now;
      if (event.pointerType === "touch" && now - penAt < PALM) return;
      if (holder) {
        if (event.pointerType !== "pen" || holder.type !== "touch") return;
        ink.cancel(); // the palm came first
      }
      holder = { id: event.pointerId, type: event.pointerType };
      this.canvas.setPointerCapture(event.pointerId);
      const wiping = eraser || (event.buttons & 32) !== 0; // 32: the other end of a pen
      ink.begin(wiping ? "eraser" : "pen", ...this.position(event));
    }

    move(event) {
      if (event.pointerId !== holder?.id || !ink.drawing()) return;
      if (event.pointerType === "pen") penAt = performance.now();
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) ink.extend(...this.position(each));
      ink.moved();
    }

    up(event) {
      if (event.pointerId !== holder?.id) return;
      holder = null;
      if (ink.drawing() && event.type === "pointerup") ink.extend(...this.position(event));
      ink.end();
    }

    drop(event) {
      if (event.pointerId !== holder?.id) return;
      holder = null;
      ink.cancel();
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

  function attach(element, props, trigger, watch) {
    const pad = new Pad(element, props, trigger);
    pads.add(pad);
    ink.join(pad);
    watch("value", () => {
      const [word, picture, ...caption] = String(props.value ?? "").split(" ");
      if (word === "paint") ink.paint(picture, caption.join(" "));
    });
  }

  // --- the page around the pads ---------------------------------------------------------------------------------

  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable=true]");
  const anyVisible = () => [...pads].some((pad) => pad.visible);

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing(event.target) || !anyVisible()) return;
    const key = event.key.toLowerCase();
    const action = key === "y" || (key === "z" && event.shiftKey) ? ink.redo : key === "z" ? ink.undo : null;
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

  window.digitPad = { attach };
})();

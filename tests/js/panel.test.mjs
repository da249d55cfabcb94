import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { mount } from "../../assets/js/panel.js";

globalThis.Element = class {};
globalThis.HTMLElement = class extends globalThis.Element {
  dataset = {};
  textContent = "";
  closest() {
    return this;
  }
};
Object.defineProperty(globalThis, "navigator", { value: { clipboard: { writeText: async () => {} } } });

const settled = () => new Promise((done) => setImmediate(done));

// A panel with a button that copies its script, and how to press that.
function panel() {
  const target = Object.assign(new HTMLElement(), { dataset: { act: "copy" }, textContent: "Copy as Python" });
  const listeners = {};
  const element = {
    addEventListener: (name, listener) => Object.assign(listeners, { [name]: listener }),
    querySelector: () => new HTMLElement(),
  };
  mount(element, { watch: () => {} });
  const press = async () => {
    listeners.click({ target, detail: 1 });
    await settled();
  };
  return { target, press };
}

test("a button that copies has its name back, however often it is pressed", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { target, press } = panel();
  for (const _ of ["first", "second"]) {
    await press();
    assert.equal(target.textContent, "Copied");
  }
  mock.timers.tick(2000);
  assert.equal(target.textContent, "Copy as Python");
  mock.timers.reset();
});

test("a button that another panel has taken over keeps the name it has there", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { target, press } = panel();
  await press();
  Object.assign(target, { dataset: { act: "delete" }, textContent: "Delete" });
  mock.timers.tick(2000);
  assert.equal(target.textContent, "Delete");
  mock.timers.reset();
});

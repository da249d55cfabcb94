// The chosen toy: its controls, its parts, its curves.
import { createChart } from "./chart/chart.js";
import { latestOnly } from "./latest.js";
/** @import { Services, ToyShown } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services} services their value is the chosen toy's name
 */
export function mount(element, services) {
  const panel = element.querySelector(".toy");
  const controls = panel.querySelector(".toy-controls");
  const parts = panel.querySelector(".toy-parts");
  const curves = element.querySelector("#toy-chart");
  const chart = createChart(curves);
  let asked = null; // the name of the toy that is chosen
  let values = {}; // of the one that is shown
  let among = {};

  const ask = latestOnly(() => services.toy({ toy: asked, values: panel.dataset.toy === asked ? values : {} }), show);

  // A number clicked becomes the next of those it may be.
  function turn(name, index) {
    const choices = among[name];
    values[name] = [...values[name]];
    values[name][index] = choices[(choices.indexOf(values[name][index]) + 1) % choices.length];
  }

  function step(button, name) {
    const last = Number(button.parentElement.dataset.last);
    values[name] = Math.min(last, Math.max(0, values[name] + Number(button.dataset.by)));
    button.parentElement.querySelector("output").textContent = values[name];
  }

  function pick(button, name) {
    values[name] = button.dataset.option;
    for (const other of button.parentElement.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { control, cells, index, by } = button.dataset;
    if (cells) turn(cells, Number(index));
    else if (button.dataset.pick)
      values[button.dataset.pick] = [Number(button.dataset.row), Number(button.dataset.column)];
    else if (by) step(button, control);
    else if (control) pick(button, control);
    ask();
  });

  controls.addEventListener("input", (event) => {
    const { control } = event.target.dataset;
    if (!control) return;
    values[control] = Number(event.target.value);
    event.target.closest("label").querySelector("output").textContent = values[control];
    ask();
  });

  // The parts are replaced; the button that had the focus gets it back.
  function replaceParts(html) {
    const held = parts.contains(document.activeElement)
      ? [...parts.querySelectorAll("button")].indexOf(document.activeElement)
      : -1;
    parts.innerHTML = html;
    if (held >= 0) parts.querySelectorAll("button")[held]?.focus({ preventScroll: true });
  }

  /** @param {ToyShown} shown */
  function show(shown) {
    if (shown.toy !== asked) return; // another one has been chosen meanwhile
    if (panel.dataset.toy !== asked) {
      ({ values, among } = shown);
      controls.innerHTML = shown.controls;
    }
    panel.hidden = panel.inert = false;
    panel.dataset.toy = asked;
    replaceParts(shown.parts);
    panel.querySelector(".toy-said").textContent = shown.said;
    curves.hidden = !shown.curves;
    if (shown.curves) chart.show(shown.curves);
    panel.dataset.shown = String(Number(panel.dataset.shown ?? 0) + 1);
  }

  function choose() {
    if (!services.value) return;
    asked = services.value;
    services.value = null; // the same one may be chosen again
    panel.inert = panel.dataset.toy !== asked; // its controls are those of another toy
    ask();
  }

  services.watch("value", choose);
  choose();
}

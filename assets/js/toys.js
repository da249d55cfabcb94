// The chosen toy: its controls, its parts, its curves.
import { createChart } from "./chart/chart.js";
import { around, find, findAll } from "./elements.js";
import { latestOnly } from "./latest.js";
/** @import { Services, ToyShown, ToyValues } from "./types.js" */

/**
 * @param {HTMLElement} element
 * @param {Services<string | null>} services their value is the chosen toy's name
 */
export function mount(element, services) {
  const panel = find(element, ".toy", HTMLElement);
  const controls = find(panel, ".toy-controls", HTMLElement);
  const parts = find(panel, ".toy-parts", HTMLElement);
  const said = find(panel, ".toy-said", HTMLElement);
  const curves = find(element, "#toy-chart", HTMLElement);
  const chart = createChart(curves);
  let asked = ""; // the name of the toy that is chosen
  /** @type {ToyValues} */
  let values = {}; // of the one that is shown
  /** @type {ToyShown["among"]} */
  let among = {};

  const ask = latestOnly(() => services.toy({ toy: asked, values: panel.dataset.toy === asked ? values : {} }), show);

  // A number clicked becomes the next of those it may be.
  /** @type {(name: string, index: number) => void} */
  function turn(name, index) {
    const choices = among[name];
    const cells = [.../** @type {number[]} */ (values[name])];
    cells[index] = choices[(choices.indexOf(cells[index]) + 1) % choices.length];
    values[name] = cells;
  }

  // A number stands beside its slider, or between its two buttons.
  /** @type {(group: HTMLElement, name: string, value: number) => void} */
  function setNumber(group, name, value) {
    values[name] = value;
    find(group, "output", HTMLElement).textContent = String(value);
  }

  /** @type {(group: HTMLElement, name: string, button: HTMLElement) => void} */
  function pick(group, name, button) {
    values[name] = button.dataset.option ?? "";
    for (const other of group.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
  }

  panel.addEventListener("click", (event) => {
    const button = around(event, "button");
    if (!button) return;
    const group = around(event, "[role=group]");
    const { control, cells, index, by, row, column } = button.dataset;
    if (cells) turn(cells, Number(index));
    else if (button.dataset.pick) values[button.dataset.pick] = [Number(row), Number(column)];
    else if (group && control && by) {
      const to = Number(values[control]) + Number(by);
      setNumber(group, control, Math.min(Number(group.dataset.last), Math.max(0, to)));
    } else if (group && control) pick(group, control, button);
    ask();
  });

  controls.addEventListener("input", (event) => {
    const label = around(event, "label");
    if (!label) return;
    const slider = find(label, "input", HTMLInputElement);
    setNumber(label, slider.dataset.control ?? "", Number(slider.value));
    ask();
  });

  // The parts are replaced; the button that had the focus gets it back.
  /** @param {string} html */
  function replaceParts(html) {
    const buttons = () => findAll(parts, "button", HTMLButtonElement);
    const { activeElement } = document;
    const held = activeElement instanceof HTMLButtonElement ? buttons().indexOf(activeElement) : -1;
    parts.innerHTML = html;
    buttons()[held]?.focus({ preventScroll: true });
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
    said.textContent = shown.said;
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

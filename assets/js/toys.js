// The toys. The server's answer comes as JSON text in `host.value`; once shown, the value becomes what the visitor has
// chosen.
export function mount(element, host) {
  const panel = element.querySelector(".toy");
  const controls = panel.querySelector(".toy-controls");
  const parts = panel.querySelector(".toy-parts");
  let toy = null; // its name
  let values = {};
  let among = {};

  function ask() {
    host.value = JSON.stringify({ toy, values });
    host.trigger("input");
  }

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
    else if (button.dataset.pick) values[button.dataset.pick] = [Number(button.dataset.row), Number(button.dataset.column)];
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
    const held = parts.contains(document.activeElement) ? [...parts.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    parts.innerHTML = html;
    if (held >= 0) parts.querySelectorAll("button")[held]?.focus({ preventScroll: true });
  }

  function load() {
    let shown;
    try {
      shown = JSON.parse(host.value || "null");
    } catch {
      return;
    }
    if (!shown?.parts) return;
    if (toy !== shown.toy) {
      ({ toy, values, among } = shown);
      controls.innerHTML = shown.controls;
    }
    panel.hidden = false;
    panel.dataset.toy = toy;
    replaceParts(shown.parts);
    panel.querySelector(".toy-said").textContent = shown.said;
    panel.dataset.shown = Number(panel.dataset.shown ?? 0) + 1;
    host.value = JSON.stringify({ toy, values });
  }

  host.watch("value", load);
  load();
}

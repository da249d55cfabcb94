// The recipe form: presets set the knobs, knobs write the recipe and the page's address.
import { around, find } from "./elements.js";
/** @import { Host, Recipe } from "./types.js" */

/**
 * @param {HTMLElement} element holds the markup of `recipe.html`
 * @param {Host<Recipe>} host its value is the recipe
 */
export function mount(element, host) {
  const form = find(element, ".recipe", HTMLElement);
  const choice = find(form, ".preset-choice", HTMLSelectElement);
  const lesson = find(form, ".preset-lesson", HTMLElement);
  /** @type {Record<string, [title: string, lesson: string, recipe: Recipe]>} */
  const presets = JSON.parse(form.dataset.presets ?? "");
  /** @type {NodeListOf<HTMLInputElement | HTMLSelectElement>} */
  const all = form.querySelectorAll("[data-knob]");
  const fields = Object.fromEntries([...all].map((field) => [field.dataset.knob ?? "", field]));
  const book = presets.book[2];
  let recipe = { ...book };

  // Sliders go from 0 to 1000, on a log scale where the knob has one.
  /** @type {(field: HTMLInputElement, value: number) => number} */
  function slide(field, value) {
    const [low, high] = [+field.min, +field.max];
    if (field.dataset.log === "1") return (1000 * Math.log(value / low)) / Math.log(high / low);
    return (1000 * (value - low)) / (high - low);
  }

  /** @type {(field: HTMLInputElement, place: number) => number} */
  function slid(field, place) {
    const [low, high] = [+field.min, +field.max];
    const even = low + ((high - low) * place) / 1000;
    const value = field.dataset.log === "1" ? low * (high / low) ** (place / 1000) : even;
    return within(field, +value.toPrecision(2));
  }

  /** @type {(field: HTMLInputElement, value: number) => number} */
  function within(field, value) {
    return Math.min(Math.max(field.step === "1" ? Math.round(value) : value, +field.min), +field.max);
  }

  function show() {
    for (const [name, field] of Object.entries(fields)) {
      field.value = String(recipe[name]);
      const slider = form.querySelector(`[data-slides="${name}"]`);
      if (slider && field instanceof HTMLInputElement)
        Object.assign(slider, { min: 0, max: 1000, value: slide(field, Number(recipe[name])) });
    }
    const match = Object.entries(presets).find(([, [, , values]]) =>
      Object.keys(values).every((name) => values[name] === recipe[name]),
    );
    choice.value = match ? match[0] : "own";
    lesson.textContent = match ? match[1][1] : "Your own mixture. What it does is for you to find out.";
  }

  // The address holds whatever differs from the book's recipe, and nothing of the visit.
  function writeAddress() {
    const query = new URLSearchParams(location.search);
    for (const name of Object.keys(fields)) {
      query.delete(name);
      if (recipe[name] !== book[name]) query.set(name, String(recipe[name]));
    }
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : "") + location.hash);
  }

  function readAddress() {
    const query = new URLSearchParams(location.search);
    for (const [name, field] of Object.entries(fields)) {
      const text = query.get(name);
      if (text === null) continue;
      const value = field instanceof HTMLInputElement ? +text : text;
      const fits =
        field instanceof HTMLInputElement
          ? text !== "" && +text >= +field.min && +text <= +field.max && (field.step !== "1" || Number.isInteger(+text))
          : [...field.options].some((option) => option.value === text);
      if (fits) recipe[name] = value;
    }
  }

  function load() {
    recipe = { ...book, ...host.value };
  }

  function tell() {
    show();
    writeAddress();
    host.value = { ...recipe };
    host.trigger("input");
  }

  choice.addEventListener("change", () => {
    if (choice.value === "own") find(form, "details", HTMLDetailsElement).open = true;
    else recipe = { ...presets[choice.value][2] };
    tell();
  });
  form.addEventListener("input", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || !target.dataset.slides) return;
    const field = fields[target.dataset.slides];
    if (field instanceof HTMLInputElement) field.value = String(slid(field, +target.value));
  });
  form.addEventListener("change", (event) => {
    const { knob, slides } = around(event, "[data-knob], [data-slides]")?.dataset ?? {};
    const name = knob ?? slides;
    if (!name) return;
    const field = fields[name];
    if (field instanceof HTMLSelectElement) recipe[name] = field.value;
    else if (field.value !== "") recipe[name] = within(field, +field.value);
    tell();
  });
  host.watch("value", () => {
    load();
    show();
    writeAddress();
  });
  load();
  readAddress();
  show();
  setTimeout(tell);
}

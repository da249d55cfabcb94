// The recipe form: presets set the knobs, knobs write the recipe and the page's address. `host.value` is the
// recipe.
export function mount(element, host) {
  const form = element.querySelector(".recipe");
  const choice = form.querySelector(".preset-choice");
  const lesson = form.querySelector(".preset-lesson");
  const presets = JSON.parse(form.dataset.presets);
  const fields = Object.fromEntries(
    [...form.querySelectorAll("[data-knob]")].map((field) => [field.dataset.knob, field]),
  );
  const book = presets.book[2];
  let recipe = { ...book };

  const isNumber = (field) => field.type === "number";
  const slider = (name) => form.querySelector(`[data-slides="${name}"]`);

  // Sliders go from 0 to 1000, on a log scale where the knob has one.
  function slide(field, value) {
    const [low, high] = [+field.min, +field.max];
    if (field.dataset.log === "1") return (1000 * Math.log(value / low)) / Math.log(high / low);
    return (1000 * (value - low)) / (high - low);
  }

  function slid(field, place) {
    const [low, high] = [+field.min, +field.max];
    let value = low + ((high - low) * place) / 1000;
    if (field.dataset.log === "1") value = low * (high / low) ** (place / 1000);
    value = +value.toPrecision(2);
    return Math.min(Math.max(field.step === "1" ? Math.round(value) : value, low), high);
  }

  function show() {
    for (const [name, field] of Object.entries(fields)) {
      field.value = recipe[name];
      if (slider(name)) Object.assign(slider(name), { min: 0, max: 1000, value: slide(field, recipe[name]) });
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
      if (recipe[name] !== book[name]) query.set(name, recipe[name]);
    }
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? `?${text}` : "") + location.hash);
  }

  function readAddress() {
    const query = new URLSearchParams(location.search);
    for (const [name, field] of Object.entries(fields)) {
      if (!query.has(name)) continue;
      const text = query.get(name);
      const value = isNumber(field) ? +text : text;
      const fits = isNumber(field)
        ? text !== "" && value >= +field.min && value <= +field.max && (field.step !== "1" || Number.isInteger(value))
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
    if (choice.value === "own") form.querySelector("details").open = true;
    else recipe = { ...presets[choice.value][2] };
    tell();
  });
  form.addEventListener("input", (event) => {
    const name = event.target.dataset.slides;
    if (name) fields[name].value = slid(fields[name], +event.target.value);
  });
  form.addEventListener("change", (event) => {
    const name = event.target.dataset.knob ?? event.target.dataset.slides;
    if (!name) return;
    const field = fields[name];
    if (isNumber(field)) {
      const value = field.value === "" ? recipe[name] : +field.value;
      recipe[name] = Math.min(Math.max(field.step === "1" ? Math.round(value) : value, +field.min), +field.max);
    } else recipe[name] = field.value;
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

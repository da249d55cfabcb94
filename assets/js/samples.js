// A sample drawing that is chosen draws itself on the pad.
import { sheet } from "./ink/sheet.js";

export function mount(element) {
  element.addEventListener("click", (event) => {
    const sample = event.target.closest("button");
    if (!sample) return;
    sheet.play(JSON.parse(sample.dataset.strokes));
    document.querySelector("#digit-pad").scrollIntoView({ block: "nearest" });
  });
}

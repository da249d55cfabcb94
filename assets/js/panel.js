// Tells the server which of a panel's buttons and fields was used.
export function mount(element, host) {
  async function copy(button) {
    const source = element.querySelector(button.dataset.of);
    const name = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // no clipboard here: one keystroke is left to do
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (button.textContent = name), 2000);
  }

  element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    if (button.dataset.act === "copy") copy(button);
    else host.trigger("act", { ...button.dataset });
  });
  element.addEventListener("change", (event) => {
    const field = event.target.closest("input[data-act], select[data-act]");
    if (field)
      host.trigger("act", { ...field.dataset, value: field.type === "checkbox" ? field.checked : field.value });
  });
}

// The list of toys: tells the server which one was chosen.
export function mount(element, host) {
  element.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    for (const button of element.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button === chosen));
    }
    host.value = chosen.dataset.toy;
    host.trigger("input");
  });
}

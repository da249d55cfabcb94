// Tells the server which of a panel's buttons and fields was used. Runs as the body of gr.HTML's js_on_load.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return;
  if (button.dataset.act === "copy") navigator.clipboard?.writeText(element.querySelector(button.dataset.of).textContent);
  else trigger("act", { ...button.dataset });
});
element.addEventListener("change", (event) => {
  const field = event.target.closest("input[data-act], select[data-act]");
  if (field) trigger("act", { ...field.dataset, value: field.type === "checkbox" ? field.checked : field.value });
});

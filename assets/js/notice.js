// Says on the page why a call was refused, or that it failed, until one succeeds. Gradio itself says that the
// server is gone, but shows an error only of calls that wait in its queue.
(() => {
  const CALL = "/gradio_api/run/";
  const FAILED = "The server could not answer. Try again in a moment.";
  let notice = null;

  const hush = () => {
    notice?.remove();
    notice = null;
  };

  const tell = (sentence) => {
    if (notice?.firstChild.textContent === sentence) return;
    hush();
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
    close.addEventListener("click", hush);
    const text = Object.assign(document.createElement("p"), { textContent: sentence });
    notice = Object.assign(document.createElement("div"), { id: "notice", role: "alert" });
    notice.append(text, close);
    document.querySelector(".gradio-container").append(notice);
  };

  const reason = async (response) => {
    try {
      return (await response.json()).error;
    } catch {
      return null; // from something between the page and its server
    }
  };

  const fetch = window.fetch;
  window.fetch = async (resource, options) => {
    const address = new URL(resource.url ?? resource, location.href);
    if (!address.pathname.includes(CALL)) return fetch(resource, options);
    const response = await fetch(resource, options);
    if (response.ok) hush();
    else tell((await reason(response.clone())) || FAILED);
    return response;
  };
})();

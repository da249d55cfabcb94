// Says on the page why a call was refused, or that it failed, until one succeeds. Gradio itself says that the
// server is gone, but shows an error only of calls that wait in its queue. Also says when another server answers
// than the one that knew the visit's runs.
(() => {
  const RUN = "gradio_api/run/";
  const FAILED = "The server could not answer. Try again in a moment.";
  const SERVER = "mnist-server";
  const ANOTHER =
    "Another server has taken over, or this one was restarted. Your drawing is still here. Runs that were not " +
    "stored are lost; press Train to start again.";
  /** @type {HTMLElement | null} */
  let notice = null;
  let lasting = false; // until the visitor closes it
  /** @type {string | null} */
  let failed = null; // the kind of call that the notice is about
  let server = document.querySelector("meta[name=server]")?.getAttribute("content") ?? "";

  const hush = () => {
    notice?.remove();
    notice = null;
    lasting = false;
  };

  /** @param {string} sentence */
  const tell = (sentence) => {
    if (notice?.firstChild?.textContent === sentence) return;
    const container = document.querySelector(".gradio-container");
    if (!container) {
      requestAnimationFrame(() => tell(sentence)); // Gradio is still building the page
      return;
    }
    hush();
    lasting = sentence === ANOTHER;
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
    close.addEventListener("click", () => {
      if (lasting) remember();
      hush();
    });
    const text = Object.assign(document.createElement("p"), { textContent: sentence });
    notice = Object.assign(document.createElement("div"), { id: "notice", role: "alert" });
    notice.append(text, close);
    container.append(notice);
  };

  const recall = () => {
    try {
      return sessionStorage.getItem(SERVER);
    } catch {
      return null; // storage is refused in some frames
    }
  };

  const remember = () => {
    try {
      sessionStorage.setItem(SERVER, server);
    } catch {
      // As above.
    }
  };

  // Gradio reloads the page when a stream broke, so what is told lasts until the visitor closes it.
  /** @param {Response} response */
  const compare = (response) => {
    const now = response.headers.get("X-Server");
    if (!now || now === server) return;
    server = now;
    tell(ANOTHER);
  };

  /** @param {Response} response */
  const reason = async (response) => {
    try {
      return (await response.json()).error;
    } catch {
      return null; // from something between the page and its server
    }
  };

  // What a success must have in common with a failure to hush it: a route of ours its address, Gradio's calls that
  // they are calls. Null for what is no call.
  /** @param {string} path */
  const kindOf = (path) => {
    const below = (/** @type {string} */ address) => path.startsWith(new URL(address, document.baseURI).pathname);
    if (below("api/")) return path;
    return below(RUN) ? RUN : null;
  };

  const fetch = window.fetch;
  window.fetch = async (resource, options) => {
    const address = new URL(resource instanceof Request ? resource.url : resource, location.href);
    const response = await fetch(resource, options);
    if (address.origin === location.origin) compare(response);
    const kind = kindOf(address.pathname);
    if (!kind) return response;
    if (response.ok) {
      if (!lasting && kind === failed) hush();
    } else {
      tell((await reason(response.clone())) || FAILED);
      failed = kind;
    }
    return response;
  };

  const known = recall();
  if (!known) remember();
  else if (known !== server) tell(ANOTHER);
})();

// The visit's secret: made here, kept for this tab, sent only to this page's own server and never in an address.
// It is in place before Gradio's bundle runs, so that even the first request carries it.
(() => {
  const KEY = "mnist-visit";
  const HEX = /^[0-9a-f]{64}$/;

  const make = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const recall = () => {
    try {
      const kept = sessionStorage.getItem(KEY);
      const secret = kept && HEX.test(kept) ? kept : make();
      sessionStorage.setItem(KEY, secret);
      partFromOthers(secret);
      return secret;
    } catch {
      return make(); // storage is refused in some frames; such a visit lasts until the page is left
    }
  };

  // A duplicated tab begins with a copy of the storage, and so with the visit of a page that is open still. It asks
  // whether there is one, on a channel that only pages of that visit know, and starts a visit of its own.
  /** @param {string} shared */
  function partFromOthers(shared) {
    const me = make();
    const channel = new BroadcastChannel(`${KEY}-${shared}`);
    channel.addEventListener("message", ({ data: { asks, taken } }) => {
      if (asks) channel.postMessage({ taken: asks });
      if (taken !== me) return;
      sessionStorage.setItem(KEY, make());
      location.reload();
    });
    channel.postMessage({ asks: me });
  }

  const secret = recall();
  Object.defineProperty(window, "visitSecret", { value: secret });

  const plainFetch = window.fetch.bind(window);
  window.fetch = (resource, options) => {
    const isRequest = resource instanceof Request;
    const address = new URL(isRequest ? resource.url : resource, location.href);
    if (address.origin !== location.origin || !address.pathname.includes("/gradio_api/")) {
      return plainFetch(resource, options);
    }
    const headers = new Headers(options?.headers ?? (isRequest ? resource.headers : undefined));
    headers.set("X-Visit", secret);
    return plainFetch(resource, { ...options, headers });
  };
})();

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
      if (kept && HEX.test(kept)) return kept;
    } catch {
      // Storage is refused in some frames; such a visit lasts until the page is left.
    }
    const fresh = make();
    try {
      sessionStorage.setItem(KEY, fresh);
    } catch {
      // As above.
    }
    return fresh;
  };

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

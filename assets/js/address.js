// Gradio's bundle calls the address that its server takes for the page's own. Behind a proxy that strips a prefix or
// rewrites the Host header that is another one; where the browser found the page is always right.
(() => {
  if (!location.pathname.endsWith("/")) {
    location.replace(`${location.pathname}/${location.search}${location.hash}`); // or relative addresses go astray
  }
  /** @type {{ root: string } | undefined} */
  let config;
  Object.defineProperty(window, "gradio_config", {
    get: () => config,
    set: (told) => {
      config = { ...told, root: new URL(".", location.href).href.slice(0, -1) };
    },
  });
})();

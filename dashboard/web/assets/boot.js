// Runs before anything is drawn, so that a dark page never flashes light.
(function () {
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("millworth-theme") || "auto";
  } catch (refused) {
    // Storage may be switched off; the system's scheme is taken.
  }
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  const scheme = chosen === "auto" ? (dark ? "dark" : "light") : chosen;
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);
})();

// Times are by the clock that was chosen last, unless the address names one. Where a range stands
// still the address says which it was: whoever is sent it reads the same digits.
(function () {
  let chosen = "";
  try {
    chosen = localStorage.getItem("millworth-zone") || "";
  } catch (refused) {
    // Times are in UTC then, until somebody chooses anew.
  }
  const asked = new URL(window.location.href);
  const zone = chosen || (asked.searchParams.get("until") ? "UTC" : "");
  if (zone && !asked.searchParams.has("tz")) {
    asked.searchParams.set("tz", zone);
    window.history.replaceState(window.history.state, "", asked);
  }
})();

// Dash loads the charts' library once a chart is drawn, from an address that it sets itself. Ours
// has what our charts need, in a third of the bytes.
(function () {
  const small = document.querySelector('meta[name="plotly"]');
  if (!small) return;
  Object.defineProperty(window, "_dashPlotlyJSURL", { get: () => small.content, set: () => {} });
})();

// A page asks again what nobody answered. Dash gives a question up then, and with it whatever waits
// for its answer: the page stood still for good, and a filter that was chosen meanwhile did nothing.
(function () {
  const AGAIN_MS = 2000;
  const once = window.fetch;
  window.fetch = async function (url, options) {
    const asksPage = typeof url === "string" && url.includes("/_dash-update-component");
    for (;;) {
      try {
        return await once(url, options);
      } catch (unanswered) {
        if (!asksPage || (options && options.signal && options.signal.aborted)) throw unanswered;
        await new Promise((resolve) => window.setTimeout(resolve, AGAIN_MS));
      }
    }
  };
})();

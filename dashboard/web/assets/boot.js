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

// Dash loads the charts' library once a chart is drawn, from an address that it sets itself. Ours
// has what our charts need, in a third of the bytes.
(function () {
  const small = document.querySelector('meta[name="plotly"]');
  if (!small) return;
  Object.defineProperty(window, "_dashPlotlyJSURL", { get: () => small.content, set: () => {} });
})();

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

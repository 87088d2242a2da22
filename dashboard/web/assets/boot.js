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

// A page asks again what nobody answered, or what was answered by "not now": by a service that is
// starting, or by a proxy before it. Dash gives a question up then, and with it whatever waits for
// its answer: the page stood still for good, and a filter that was chosen meanwhile did nothing.
// `millworthOpen` has by output what is not answered: on which page, and whether it was given up.
window.millworthOpen = new Map();
(function () {
  const AGAIN_MS = 2000;
  const LONGEST_MS = 10000;
  // A question that takes longer than a proxy waits is not asked for ever.
  const TRIED_MS = 120000;
  const NOT_NOW = [429, 502, 503, 504];
  const once = window.fetch;

  function note(name, isGivenUp) {
    window.millworthOpen.set(name, { path: window.location.pathname, isGivenUp });
    if (isGivenUp) window.dispatchEvent(new CustomEvent("millworth-given-up"));
  }

  function name(url, options) {
    try {
      return JSON.parse(options.body).output;
    } catch (notCallback) {
      return url;
    }
  }

  // Whether an answer is one to wait for, and how long; null where it is the last.
  function pause(answer, until) {
    if (!NOT_NOW.includes(answer.status) || Date.now() > until) return null;
    const asked = Number(answer.headers.get("Retry-After")) * 1000;
    return asked > 0 ? Math.min(asked, LONGEST_MS) : AGAIN_MS;
  }

  async function ask(url, options) {
    let until = 0;
    for (;;) {
      let rest = AGAIN_MS;
      try {
        const answer = await once(url, options);
        until = until || Date.now() + TRIED_MS;
        rest = pause(answer, until);
        if (answer.ok) window.millworthOpen.delete(name(url, options));
        // Who is signed out is told so by the pulse.
        else if (answer.status !== 401) note(name(url, options), rest === null);
        if (rest === null) return answer;
      } catch (unanswered) {
        if (options && options.signal && options.signal.aborted) throw unanswered;
        until = 0;
      }
      await new Promise((resolve) => window.setTimeout(resolve, rest));
    }
  }

  window.fetch = function (url, options) {
    const asksPage = typeof url === "string" && url.includes("/_dash-");
    return asksPage ? ask(url, options) : once(url, options);
  };
})();

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
  const LOOK_MS = 250;
  const LONGEST_MS = 10000;
  // A question that takes longer than a proxy waits is not asked for ever.
  const TRIED_MS = 120000;
  const NOT_NOW = [429, 502, 503, 504];
  const once = window.fetch;

  function note(name, isGivenUp) {
    window.millworthOpen.set(name, { path: window.location.pathname, isGivenUp });
    if (isGivenUp) window.dispatchEvent(new CustomEvent("millworth-given-up"));
  }

  function asked(options) {
    try {
      return JSON.parse(options.body);
    } catch (notCallback) {
      return {};
    }
  }

  const name = (url, options) => asked(options).output || url;

  // What a clock asks has time while nobody sees the page. The list of decisions changes as fast as
  // they come: it waits for whoever is in it, by keyboard, by a mouse that would click another row
  // than it aims at, or further down. A finger that has left hovers for ever.
  const HOVERS = window.matchMedia("(hover: hover)");
  function isAt() {
    const list = document.getElementById("decisions-list");
    if (!list) return false;
    const rows = list.querySelector(".ag-body-viewport");
    const isPointedAt = HOVERS.matches && list.matches(":hover");
    return list.contains(document.activeElement) || isPointedAt || Boolean(rows && rows.scrollTop);
  }
  const rests = (ticks) =>
    document.hidden || (ticks.every((each) => each === "decisions-tick.n_intervals") && isAt());
  const waiting = new Map();

  function say(text) {
    if (document.getElementById("decisions-rests")) {
      window.dash_clientside.set_props("decisions-rests", { children: text });
    }
  }

  // Wait for the turn of a question; false where the same was asked again meanwhile.
  async function turn(options) {
    const { output, changedPropIds: ticks = [] } = asked(options);
    if (!ticks.length || !ticks.every((each) => each.endsWith("tick.n_intervals")) || !rests(ticks)) {
      return true;
    }
    const mine = {};
    waiting.set(output, mine);
    if (isAt()) say("Stands still while you are in the table.");
    while (rests(ticks) && waiting.get(output) === mine) {
      await new Promise((resolve) => window.setTimeout(resolve, LOOK_MS));
    }
    if (waiting.get(output) !== mine) return false;
    waiting.delete(output);
    say("");
    return true;
  }

  // Whether an answer is one to wait for, and how long; null where it is the last.
  function pause(answer, until) {
    if (!NOT_NOW.includes(answer.status) || Date.now() > until) return null;
    const asked = Number(answer.headers.get("Retry-After")) * 1000;
    return asked > 0 ? Math.min(asked, LONGEST_MS) : AGAIN_MS;
  }

  async function ask(url, options) {
    // As Dash has it of an answer that changes nothing.
    if (!(await turn(options))) return new Response(null, { status: 204 });
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

// What people do about alerts: each act is one request to /api/v1, as any other client sends it.
(function () {
  const UNCHANGED = () => window.dash_clientside.no_update;
  const WAIT_MS = 15000;
  // Until somebody has stopped to write: what is sent is of the field itself.
  const WRITTEN_MS = 400;
  const SIGNED_OUT =
    "You are signed out. Sign in in another tab, then send this again: what you wrote stays here.";
  const NOT_YET = "What you sent before is not answered yet; try again in a moment.";
  let sending = false;
  let previews = 0;

  async function post(path, body) {
    try {
      const answer = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(WAIT_MS),
      });
      if (answer.status === 401) {
        return { refused: SIGNED_OUT };
      }
      const found = await answer.json().catch(() => ({}));
      return answer.ok
        ? { found: found }
        : { refused: found.detail || "refused with status " + answer.status };
    } catch (silent) {
      return { refused: "Millworth did not answer: look at the timeline before you try again." };
    }
  }

  const at = (what) => () => what + " at " + window.millworth.clock(Date.now());
  const dollars = (value) => window.millworth.usd(value);
  const NAME = "millworth-name";

  // Who acts is asked in each form, and offered as it was given last.
  function byWhom(name) {
    const given = (name || "").trim();
    try {
      localStorage.setItem(NAME, given);
    } catch (refused) {
      // Storage may be switched off; the name is asked for each time.
    }
    return given ? { actor: given } : {};
  }

  function lastName() {
    try {
      return localStorage.getItem(NAME) || "";
    } catch (refused) {
      return "";
    }
  }

  const lines = (text) =>
    (text || "")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);

  // Four values: that something was done, what is wrong, what was done, and the text that stays.
  async function act(path, body, done) {
    if (sending) {
      return [UNCHANGED(), NOT_YET, UNCHANGED(), UNCHANGED()];
    }
    sending = true;
    const page = window.location.pathname;
    const answer = await post(path, body);
    sending = false;
    if (window.location.pathname !== page) {
      // The timeline of that alert has it; it is no news of the one that is here now.
      return [UNCHANGED(), UNCHANGED(), UNCHANGED(), UNCHANGED()];
    }
    return answer.refused
      ? [UNCHANGED(), answer.refused, UNCHANGED(), UNCHANGED()]
      : [Date.now(), "", done(answer.found), ""];
  }

  const ofAlert = (known, what) => "/api/v1/alerts/" + encodeURIComponent(known.id) + "/" + what;

  function opens() {
    const triggered = window.dash_clientside.callback_context.triggered;
    return triggered.length > 0 && triggered[0].prop_id.endsWith("-open.n_clicks");
  }

  function hidden(alerts, usd, when) {
    const unknown = alerts.filter((alert) => alert.loss_usd === null).length;
    const cost = unknown === alerts.length ? "" : ", " + dollars(usd) + " lost so far";
    const rest = unknown ? ", " + unknown + " of unknown cost" : "";
    return alerts.length + (alerts.length === 1 ? " alert " : " alerts ") + when + cost + rest;
  }

  Object.assign(window.dash_clientside.millworth, {
    openForm: () => (opens() ? [true, "", lastName()] : [false, "", UNCHANGED()]),

    openSilence: (_clicks, _acted, _path, known) =>
      opens()
        ? [true, "", lastName(), known.matchers.join("\n")]
        : [false, "", UNCHANGED(), UNCHANGED()],

    ackAlert: function (_clicks, known, by, text, useful) {
      const answer = { yes: true, no: false }[useful];
      const body = { comment: text || "", is_actionable: answer === undefined ? null : answer };
      return act(ofAlert(known, "ack"), { ...body, ...byWhom(by) }, at("Acknowledged"));
    },

    commentAlert: (_clicks, known, by, text) =>
      act(ofAlert(known, "comment"), { comment: text || "", ...byWhom(by) }, at("Comment kept")),

    silenceAlert: function (_clicks, known, by, text, matchers, duration) {
      const body = { matchers: lines(matchers), duration: (duration || "").trim() };
      const until = (made) => "Silenced until " + window.millworth.dated(made.ends_ns / 1e6);
      return act("/api/v1/silences", { ...body, reason: text || "", ...byWhom(by) }, until);
    },

    unsilenceAlert: function (_clicks, known, by, text, number) {
      if (!number) {
        return [UNCHANGED(), "Choose the silence that ends.", UNCHANGED(), UNCHANGED()];
      }
      const path = "/api/v1/silences/" + encodeURIComponent(number) + "/end";
      return act(path, { reason: text || "", ...byWhom(by) }, at("Silence " + number + " ended"));
    },

    previewSilence: async function (matchers, opened) {
      if (!opened) {
        return UNCHANGED();
      }
      const asked = ++previews;
      await new Promise((written) => setTimeout(written, WRITTEN_MS));
      if (asked !== previews) {
        return UNCHANGED();
      }
      const answer = await post("/api/v1/silences/preview", { matchers: lines(matchers) });
      if (asked !== previews) {
        return UNCHANGED();
      }
      if (answer.refused) {
        return answer.refused;
      }
      const { now, past, now_usd: nowUsd, past_usd: pastUsd } = answer.found;
      return (
        "Hides " +
        hidden(now, nowUsd, "now") +
        "; would have hidden " +
        hidden(past, pastUsd, "of the last 7 days") +
        "."
      );
    },
  });
})();

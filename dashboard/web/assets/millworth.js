// What only the browser can do: routes, pickers and URL, theme, links in grids.
(function () {
  const UNCHANGED = () => window.dash_clientside.no_update;

  // By whose clock an address is read; one that there is not is said by the service.
  function zoneOf(query) {
    const zone = new URLSearchParams(query || "").get("tz") || "UTC";
    try {
      Intl.DateTimeFormat("en", { timeZone: zone });
      return zone;
    } catch (unknown) {
      return "UTC";
    }
  }

  // What a page looks at, which goes with the reader to the next one.
  const CARRIED = ["window", "until", "action", "region", "tz", "channel", "service", "cohort", "segment"];

  // The address of one decision, trace or alert with what this page looks at. Who is sent the bare address
  // has the same page.
  function carried(href) {
    const next = new URL(href, window.location.href);
    const isOne =
      next.pathname.startsWith("/alerts/") ||
      (next.pathname === "/decision" && next.searchParams.has("id")) ||
      (next.pathname === "/decisions" && next.searchParams.has("q"));
    if (next.origin !== window.location.origin || !isOne) return href;
    const now = new URLSearchParams(window.location.search);
    for (const name of CARRIED) {
      if (now.get(name) && !next.searchParams.has(name)) next.searchParams.set(name, now.get(name));
    }
    return next.pathname + next.search + next.hash;
  }

  // Every link leads on by the clock by which this page is read, whoever wrote it. An address names
  // UTC only where it did before, or where its range stands still.
  const push = window.history.pushState;
  window.history.pushState = function (state, title, href) {
    if (href === undefined || href === null) {
      push.call(window.history, state, title);
      return;
    }
    const next = new URL(carried(href), window.location.href);
    const isHere = next.origin === window.location.origin && !next.searchParams.has("tz");
    const isNamed = new URLSearchParams(window.location.search).has("tz");
    if (isHere && (isNamed || next.searchParams.get("until"))) {
      next.searchParams.set("tz", zoneOf(window.location.search));
    }
    push.call(window.history, state, title, next.href);
  };

  // What the clock on the wall shows, by name of the part.
  function wall(ms) {
    const two = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
    const form = new Intl.DateTimeFormat("en-GB", {
      year: "numeric",
      ...two,
      second: "2-digit",
      hourCycle: "h23",
      timeZone: zoneOf(window.location.search),
      timeZoneName: "short",
    });
    const parts = form.formatToParts(new Date(ms)).map((part) => [part.type, part.value]);
    return Object.fromEntries(parts);
  }

  // `14:13:20 UTC`
  function clock(ms) {
    const { hour, minute, second, timeZoneName } = wall(ms);
    return `${hour}:${minute}:${second} ${timeZoneName}`;
  }

  // The same, behind the day where that is not the one of now, as Zone.dated of the service.
  function dated(ms) {
    const day = ({ year, month, day: number }) => `${year}-${month}-${number}`;
    const then = day(wall(ms));
    return then === day(wall(Date.now())) ? clock(ms) : then + " " + clock(ms);
  }

  // An amount whose digits are these, as `amount` of the service: `$12`, `12 EUR`.
  function amount(digits) {
    const currency = document.body.dataset.currency;
    return currency === "USD" ? "$" + digits : digits + " " + currency;
  }

  // As `usd` of the service: with as many digits as matter.
  function usd(value) {
    let size = Math.abs(Number(value));
    const unit = size >= 1e8 ? " M" : "";
    size = unit ? size / 1e6 : size;
    const places = unit ? 1 : size >= 1000 ? 0 : size >= 0.1 || size === 0 ? 2 : 4;
    const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
    return (Number(value) < 0 ? "\u2212" : "") + amount(size.toLocaleString("en", digits) + unit);
  }

  // As `money_words` of the service: an outcome is in a currency of its own.
  function money(value, currency) {
    if (currency === document.body.dataset.currency) {
      return usd(value);
    }
    const digits = { minimumFractionDigits: 2, maximumFractionDigits: 3 };
    return Number(value).toLocaleString("en", digits) + " " + currency;
  }

  // Of an instant of a figure, which is by the clock of its end.
  function instant(at, meta) {
    const ms = Date.parse(String(at).replace(" ", "T") + "Z");
    return ms - ((meta && meta.offset_ms) || 0);
  }

  // Change the page without loading the application anew, as dcc.Link does.
  function go(href) {
    window.history.pushState({}, "", href);
    tell();
  }

  function tell() {
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
  }

  function triggeredBy() {
    const triggered = window.dash_clientside.callback_context.triggered;
    return triggered.length ? triggered[0].prop_id : "";
  }

  function set(query, name, value) {
    if (value) {
      query.set(name, value);
    } else {
      query.delete(name);
    }
  }

  // As the service reads it, of which a word that is neither is said.
  const isOn = (value) => /^(1|true|t|yes|y|on)$/i.test(value || "");

  // The state of a page is its URL; each state is a step that "back" returns to.
  function goTo(query) {
    // Of other decisions, or in another order, a page begins elsewhere.
    query.delete("after");
    const text = query.toString();
    const next = text ? "?" + text : "";
    if (next !== window.location.search) {
      go(window.location.pathname + next);
    }
  }

  // For the files beside this one.
  window.millworth = { go, goTo, set, carried, wall, clock, dated, instant, usd, money };

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    millworth: {
      // A page is drawn when its route changes; its own state in the URL does not redraw it.
      // A route is a page and, behind a space, what it is of: what is typed, opened or said on the
      // page of one thing is of no other.
      route: function (pathname, query, current, zone, titles) {
        const path = (pathname || "/").replace(/\/+$/, "") || "/";
        const one = path === "/decision" && new URLSearchParams(query || "").get("id");
        const of = path.startsWith("/alerts/") && path.slice("/alerts/".length);
        // Without an id it is the list, as for whoever loads that address.
        const page = path === "/decision" && !one ? "/decisions" : of ? "/alerts/{id}" : path;
        const route = one || of ? page + " " + (one || of) : page;
        document.title = (titles[page] || "No such page") + " - Millworth";
        return [
          route === current ? UNCHANGED() : route,
          zoneOf(query) === zone ? UNCHANGED() : zoneOf(query),
        ];
      },

      // The choice is of this address, and of the addresses that name none.
      zone: function (query, chosen) {
        const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
        const now = new URLSearchParams(window.location.search);
        if (triggeredBy().endsWith("-zone.value") && chosen && chosen !== zoneOf(now)) {
          const kept = chosen === "UTC" ? "" : chosen;
          try {
            localStorage.setItem("millworth-zone", kept);
          } catch (refused) {
            // It then goes from page to page in their addresses.
          }
          set(now, "tz", kept || (now.get("until") && "UTC"));
          const text = now.toString();
          push.call(window.history, {}, "", window.location.pathname + (text ? "?" + text : ""));
          tell();
          return [UNCHANGED(), UNCHANGED()];
        }
        const names = [...new Set(["UTC", here, zoneOf(query)])];
        const label = (name) => name.split("/").pop().replaceAll("_", " ");
        return [names.map((name) => ({ value: name, label: label(name) })), zoneOf(query)];
      },

      theme: function (chosen) {
        try {
          localStorage.setItem("millworth-theme", chosen);
        } catch (refused) {
          // The choice then lasts as long as the page.
        }
        return chosen === "auto" ? null : chosen;
      },

      // A choice in the menu closes it again.
      menu: function (opened, route, navbar) {
        const open = triggeredBy().startsWith("menu-burger") && Boolean(opened);
        return [Object.assign({}, navbar, { collapsed: { mobile: !open } }), open];
      },

      // Pickers and URL say the same; whichever changed is written to the other.
      scope: function (query, window_, action, region, live, asOf) {
        const now = new URLSearchParams(window.location.search);
        const by = triggeredBy();
        if (!by || by.startsWith("url.")) {
          return [
            now.get("window") || "15m",
            now.get("action") || "",
            now.get("region") || "",
            !now.get("until"),
          ];
        }
        set(now, "window", window_ === "15m" ? "" : window_);
        set(now, "action", action);
        set(now, "region", region);
        if (by.endsWith("-live.checked")) {
          set(now, "until", live ? "" : asOf);
        }
        goTo(now);
        return [UNCHANGED(), UNCHANGED(), UNCHANGED(), UNCHANGED()];
      },

      // One decision or alert is of the list that it is reached from.
      menuMark: function (route, ...hrefs) {
        const page = (route || "").split(" ")[0];
        const entry = { "/decision": "/decisions", "/alerts/{id}": "/alerts" }[page] || page;
        return hrefs.map((href) => href.split("?")[0] === entry);
      },

      menuLinks: function (query, ...hrefs) {
        const now = new URLSearchParams(query || "");
        const kept = new URLSearchParams();
        for (const name of CARRIED) {
          set(kept, name, now.get(name));
        }
        const text = kept.toString();
        return hrefs.map((href) => href.split("?")[0] + (text ? "?" + text : ""));
      },

      // A stretch of time that is dragged over is what every panel then shows.
      brush: function (layout, figure) {
        const [from, to] = ["0", "1"].map((end) => {
          const at = layout && layout["xaxis.range[" + end + "]"];
          return at ? instant(at, figure && figure.layout.meta) : NaN;
        });
        if (to - from >= 1000) {
          const now = new URLSearchParams(window.location.search);
          now.set("window", Math.round((to - from) / 1000) + "s");
          now.set("until", new Date(to).toISOString());
          goTo(now);
        }
        return UNCHANGED();
      },

      // A frozen page is not read again.
      pace: function (live) {
        return live === false ? 0 : -1;
      },

      // Of words that came with a reading, those of what is chosen. Who chooses finds it in the URL,
      // and nothing is read again for it.
      pick: function (chosen, words, usual) {
        if (triggeredBy().endsWith(".value")) {
          const now = new URLSearchParams(window.location.search);
          set(now, "less", chosen === usual ? "" : String(chosen));
          const text = now.toString();
          const next = window.location.pathname + (text ? "?" + text : "");
          window.history.replaceState(window.history.state, "", next);
        }
        return words ? words[chosen] || words[""] || "Not known." : UNCHANGED();
      },

      // Filters beside the pickers: each stands in the URL under its name.
      filters: function (query, ...rest) {
        const names = rest.pop();
        const now = new URLSearchParams(window.location.search);
        const by = triggeredBy();
        if (!by || by.startsWith("url.")) {
          return names.map((name) => now.get(name) || "");
        }
        names.forEach((name, place) => set(now, name, rest[place]));
        goTo(now);
        return names.map(UNCHANGED);
      },

      // Who asks for a segment means what was slow in it: late, until one says otherwise.
      decisionFilters: function (query, channel, service, cohort, segment, late, failed, sort) {
        const now = new URLSearchParams(window.location.search);
        const by = triggeredBy();
        if (!by || by.startsWith("url.")) {
          const texts = ["channel", "service", "cohort", "segment"].map((n) => now.get(n) || "");
          const checked = ["late", "failed"].map((n) => isOn(now.get(n)));
          const order = now.get("sort") || "";
          // As `/api/v1` and commands say it.
          return [...texts, ...checked, { latency: "slowest", time: "" }[order] ?? order];
        }
        set(now, "channel", channel);
        set(now, "service", service);
        set(now, "cohort", cohort);
        set(now, "segment", segment);
        set(now, "late", late || (by.startsWith("decisions-segment.") && segment) ? "1" : "");
        set(now, "failed", failed ? "1" : "");
        set(now, "sort", sort);
        goTo(now);
        return [0, 0, 0, 0, 0, 0, 0].map(UNCHANGED);
      },

      search: function (submitted, wanted) {
        if (triggeredBy()) {
          const now = new URLSearchParams(window.location.search);
          set(now, "q", (wanted || "").trim());
          goTo(now);
        }
        return UNCHANGED();
      },

      // A cell of the heatmap leads to the decisions in it.
      openCell: function (click, figure) {
        const point = click && click.points && click.points[0];
        if (!point || !point.text || !figure.layout.meta) {
          return UNCHANGED();
        }
        const meta = figure.layout.meta;
        const { step_ns: stepNs, buckets_per_octave: perOctave } = meta;
        const bucket = Math.floor(point.y);
        const [seenFrom, seenTo] = meta.range_ns.map(BigInt);
        const columnFrom = BigInt(instant(point.x, meta) - stepNs / 2e6) * 1000000n;
        const columnTo = columnFrom + BigInt(stepNs);
        // At an edge a column is in part outside of what was read, and its cells are of the rest.
        const from = columnFrom < seenFrom ? seenFrom : columnFrom;
        // An address ends at a whole millisecond.
        const to = ((columnTo < seenTo ? columnTo : seenTo) + 999999n) / 1000000n;
        const length = String(to * 1000000n - from).padStart(10, "0");
        const rest = length.slice(-9).replace(/0+$/, "");
        const now = new URLSearchParams(window.location.search);
        now.set("window", length.slice(0, -9) + (rest ? "." + rest : "") + "s");
        now.set("until", new Date(Number(to)).toISOString());
        now.set("low_ms", String(Math.pow(2, bucket / perOctave) / 1e6));
        now.set("high_ms", String(Math.pow(2, (bucket + 1) / perOctave) / 1e6));
        now.set("sort", "slowest");
        go("/decisions?" + now.toString());
        window.scrollTo(0, 0);
        return UNCHANGED();
      },
    },
  });

  const make = (tag, className, ...children) =>
    React.createElement(tag, { className: className }, ...children);

  const tag = (value) => make("span", "tag tag-" + (value || ""), value || "");

  // A link in a grid changes the page like any other; with a key held it opens as browsers do.
  function link(className) {
    return function (props) {
      const row = props.data || {};
      const follow = function (event) {
        if (!(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
          event.preventDefault();
          go(row.href);
          window.scrollTo(0, 0);
        }
      };
      const text = row.href
        ? React.createElement(
            "a",
            { href: carried(row.href), className: className, onClick: follow },
            props.value,
          )
        : props.value;
      if (!row.scope) {
        return text;
      }
      // Where a window is too narrow for their columns, state and people stand in this line.
      const state = make("span", "with-cause state", tag(row.state), " ");
      const people = make("span", "with-cause people", row.seen_by ? row.seen_by + " · " : "");
      const scope = make("div", "note", state, tag(row.severity), " ", people, row.scope);
      return make("div", "two", make("div", "", text), scope);
    };
  }

  // The grid takes Tab from cell to cell, and never to the link in one: Enter follows it.
  document.addEventListener("keydown", (event) => {
    const cell = event.key === "Enter" && event.target instanceof Element && event.target;
    const found = cell && cell.matches(".ag-cell") && cell.querySelector("a[href]");
    if (found) {
      event.preventDefault();
      found.click();
    }
  });

  // A refresh draws the same links anew, and the one that had the focus is gone: its like gets it.
  let held = null;
  let box = "";
  document.addEventListener("focusin", (event) => {
    held = event.target;
    box = (held.parentElement && held.parentElement.closest("[id]") || {}).id;
  });

  function hold() {
    const place = document.getElementById(box);
    const href = held.getAttribute("href");
    const like = (each) =>
      each.getAttribute("href") === href && (href || each.textContent === held.textContent);
    const found = place && [...place.querySelectorAll(held.tagName)].find(like);
    if (found) {
      found.focus({ preventScroll: true });
    }
  }

  // What had the focus is gone with the page that it was on: the new one is read from its heading.
  let drawn = null;
  new MutationObserver(() => {
    if (box && held && !held.isConnected && document.activeElement === document.body) {
      hold();
    }
    const heading = document.querySelector("#page h1");
    if (heading && heading !== drawn) {
      if (drawn) {
        heading.focus({ preventScroll: true });
      }
      drawn = heading;
    }
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.dashAgGridComponentFunctions = Object.assign(
    window.dashAgGridComponentFunctions || {},
    {
      AlertLink: link("alert-link"),
      // A figure above the bar of its interval; what is not known has neither.
      Interval: (props) => {
        const bar = props.data.bar;
        return make(
          "div",
          "two",
          make("div", "strong", props.data[props.first]),
          bar
            ? make(
                "div",
                "interval",
                React.createElement("span", {
                  className: "interval-range",
                  style: { left: bar[0] + "%", width: bar[1] - bar[0] + "%" },
                }),
                React.createElement("span", {
                  className: "interval-at",
                  style: { left: bar[2] + "%" },
                }),
              )
            : null,
          make("div", "note", props.data[props.second]),
        );
      },
      DecisionLink: link("decision-link"),
      // The bar is as long as the latency, and the tick is the target.
      Latency: (props) => {
        const { bar, tick, latency, isLate } = props.data;
        const at = (name, style) => React.createElement("span", { className: name, style: style });
        return make(
          "div",
          "two",
          make("div", isLate ? "late" : "", latency),
          make(
            "div",
            "interval",
            at("interval-range" + (isLate ? " over" : ""), { left: 0, width: bar + "%" }),
            at("interval-at", { left: tick + "%" }),
          ),
        );
      },
      TimeLink: (props) => {
        const text = link("decision-link")(props);
        return make("div", "two", make("div", "", text), make("div", "note", props.data.day));
      },
      // A link with what it is of under it.
      LinkAndLine: (props) =>
        make(
          "div",
          "two",
          make("div", "", link("decision-link")(props)),
          make("div", "note", props.data[props.second]),
        ),
      // The style sheet shows one of both: of a table that never was read nobody knows why.
      NoRows: (props) =>
        make(
          "span",
          "note",
          make("span", "no-rows", props.text),
          make("span", "no-reading", "Not read yet"),
        ),
      Tag: (props) => tag(props.value),
      TagAndLine: (props) =>
        make("div", "two", tag(props.data[props.tag]), make("div", "note", props.data[props.second])),
      TwoLines: (props) =>
        make(
          "div",
          "two",
          make("div", "", props.data[props.first]),
          make("div", "note", props.data[props.second]),
        ),
    },
  );
})();

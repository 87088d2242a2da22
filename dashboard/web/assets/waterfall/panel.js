// The panel beside the rows: all that is known of the chosen span, read by one request.
(function (all) {
  const PACKETS_MAX = 200;

  function make(tag, className, ...children) {
    const element = document.createElement(tag);
    element.className = className || "";
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  const text = (value) => make("bdi", "", all.words.plain(value));
  const lines = (value) => make("bdi", "wf-lines", all.words.lines(value));

  function facts(pairs) {
    const known = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return make(
      "dl",
      "facts",
      ...known.map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))),
    );
  }

  const part = (title, ...children) => make("section", "", make("h4", "", title), ...children);

  // Built when it is opened: a span may carry hundreds of attributes and packets.
  function later(summary, build) {
    const details = make("details", "twin", make("summary", "", summary));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) {
        details.append(build());
      }
    });
    return details;
  }

  const attributes = (of) => facts(Object.entries(of).sort().map(([k, v]) => [text(k), lines(v)]));

  function link(href, words) {
    const element = make("a", "", words);
    element.href = href;
    return element;
  }

  // Of the time and the class that the reader came with.
  function slowIn(kind) {
    const now = new URLSearchParams(window.location.search);
    now.delete("id");
    now.set("segment", kind);
    now.set("late", "1");
    return "/decisions?" + now.toString();
  }

  function placed(model, row, found) {
    const { took, exact, fixed } = all.words;
    const { spans } = model;
    const own = model.own[row];
    const share = model.total_ns ? fixed((own / model.total_ns) * 100, 1) + " % of the latency" : "";
    const bound = spans.clock_bound_ns[row];
    const isMissing = spans.is_missing[row];
    return facts([
      ["service", text(all.model.service(model, row))],
      ["kind", model.kinds[spans.kind[row]]],
      ["segment", all.model.segment(model, row)],
      ["duration", isMissing ? "unknown" : exact(model.length[row])],
      ["begins", isMissing ? "" : exact(model.start[row]) + " after ingress"],
      ["on the critical path", own ? exact(own) + ", " + share : isMissing ? "" : "no"],
      ["status", found && found.sent && statusOf(found.sent) ? text(statusOf(found.sent)) : ""],
      ["clock", all.model.shift(model, row)],
      ["clock may be wrong by", isMissing ? "" : bound === null ? "unknown" : bound ? took(bound) : "one clock"],
      ["why", gapDetail(model, row)],
    ]);
  }

  const statusOf = (sent) =>
    sent.status === "Unset" ? "" : (sent.status + " " + sent.status_message).trim();

  function gapDetail(model, row) {
    const gap = all.model.gap(model, row);
    return gap ? all.model.gapWords(model, row) + (gap.detail ? "; " + gap.detail : "") : "";
  }

  function kin(found) {
    if (!found.kin) {
      return null;
    }
    const { exact, fixed } = all.words;
    const { spans, at_most: atMost, p50_ns: p50, p95_ns: p95 } = found.kin;
    const said =
      spans < 2
        ? "The only one of its service and name within five minutes."
        : `Took at least as long as ${fixed(((atMost - 1) / (spans - 1)) * 100, 0)} % of the ` +
          `${fixed(spans - 1, 0)} others of its service and name within five minutes: ` +
          `median ${exact(p50)}, p95 ${exact(p95)}.`;
    return part("Among its kind", make("p", "", said));
  }

  function packetLine(model, at) {
    const { packets } = model;
    const way = packets.is_request[at] ? "→" : "←";
    const odd = packets.is_again[at] ? ", sent again" : packets.is_window_zero[at] ? ", window closed" : "";
    const at_ms = all.words.exact(packets.at_ns[at]);
    return `${at_ms} ${way} ${packets.payload_bytes[at]} B${odd}: ${packets.said[at]}`;
  }

  function exchange(model, place) {
    const { exchanges } = model;
    const same = exchanges.same_as[place];
    const own = same < 0 ? place : (model.exchangesOf.get(same) || [])[0];
    const [first, last] = [model.packetsAt[own], model.packetsAt[own + 1]];
    const sure = exchanges.is_sure[place]
      ? ""
      : ", one of several that fit: which was its own is not known";
    const parts = [
      make("p", "", exchanges.connection[place]),
      make(
        "p",
        "note",
        `${all.words.count(last - first, "packet")}, linked by ${exchanges.method[place]} ` +
          `(confidence ${all.words.fixed(exchanges.confidence[place], 2)})${sure}` +
          (same < 0 ? "" : "; the same as on the row of its caller") +
          (exchanges.retransmissions[place]
            ? `; ${exchanges.retransmissions[place]} retransmissions on its connection`
            : ""),
      ),
    ];
    if (last > first) {
      const lines = () => {
        const list = make("ol", "wf-packets");
        for (let at = first; at < Math.min(last, first + PACKETS_MAX); at += 1) {
          list.append(make("li", "", packetLine(model, at)));
        }
        const more = last - first - PACKETS_MAX;
        return make("div", "", list, more > 0 ? make("p", "note", `and ${more} more`) : null);
      };
      parts.push(later("Show the packets", lines));
    }
    return parts;
  }

  const PROVEN = [
    "rtt",
    "handshake",
    "transfer",
    "retransmission",
    "zero_window",
    "host_queue",
    "think",
    "unexplained",
  ];

  function wire(model, row, found) {
    const places = model.exchangesOf.get(row) || [];
    const proven = (found.evidence || []).flatMap((each) =>
      PROVEN.filter((name) => each[name + "_ns"]).map((name) => [
        name.replace("_", " "),
        all.words.exact(each[name + "_ns"]) + (each.method === "tcp_info" ? ", at the least" : ""),
      ]),
    );
    if (!places.length && !proven.length) {
      return part("Packets", make("p", "note", "No packet is linked to this span."));
    }
    return part("Packets", facts(proven), ...places.flatMap((place) => exchange(model, place)));
  }

  function carried(found, ingressNs) {
    if (!found.sent) {
      return part("Attributes", make("p", "note", "The span as sent is not stored any more."));
    }
    const { sent } = found;
    const since = (ns) => all.words.exact(ns - ingressNs);
    const events = sent.events.map((event) =>
      make("div", "", make("p", "", since(event.at_ns) + " ", text(event.name)), attributes(event.attributes)),
    );
    const logs = found.logs.map((log) =>
      make("div", "", make("p", "", since(log.at_ns) + " " + log.severity + " ", lines(log.body)), attributes(log.attributes)),
    );
    const links = sent.links.map((each) =>
      make("p", "", link("/api/v1/traces/" + each.trace_id, "trace " + each.trace_id), " ", each.span_id),
    );
    return make(
      "div",
      "",
      part("Attributes", Object.keys(sent.attributes).length ? attributes(sent.attributes) : "none"),
      later("Resource and scope", () =>
        make("div", "", attributes(sent.resource_attributes), facts([["scope", text((sent.scope_name + " " + sent.scope_version).trim())]])),
      ),
      events.length ? part("Events", ...events) : null,
      logs.length ? part("Logs", ...logs) : null,
      links.length ? part("Links to other spans", ...links) : null,
    );
  }

  const dollars = (value) => (value === null ? "unknown" : window.millworth.usd(value));

  function money(found) {
    const of = found.money;
    const interval = (low, high) => ` (90 %: ${dollars(low)} to ${dollars(high)})`;
    return part(
      "Money, of the whole decision",
      of
        ? facts([
            ["worth", dollars(of.value_usd) + (of.value_usd === null ? "" : of.is_stated ? " by what its sender stated" : " by its class")],
            ["lost", dollars(of.loss_usd) + (of.loss_usd === null ? "" : interval(of.loss_low_usd, of.loss_high_usd))],
            ["earned", of.earned === null ? "no outcome came yet" : window.millworth.money(of.earned, of.currency)],
          ])
        : make("p", "note", "Not attributed yet."),
    );
  }

  function seal(found) {
    const lines = found.verdicts.map((each) =>
      make("p", "", `${each.verdict}${each.reason ? ": " + each.reason : ""}, number ${each.seq} of `, text(each.producer)),
    );
    return part("Seal", ...(lines.length ? lines : [make("p", "note", "No sealed event is in this trace.")]));
  }

  function links(model, row) {
    const kind = all.model.latencyClass(model, row);
    const trace = model.trace_ids[model.spans.trace_id[row]];
    return make(
      "p",
      "wf-links",
      link("/api/v1/traces/" + trace, "Trace as JSON"),
      link("/api/v1/packets/" + encodeURIComponent(model.decision_id), "Packets as pcapng"),
      kind && kind !== "untraced" ? link(slowIn(kind), "Decisions slow in " + kind) : null,
    );
  }

  function show(view, found, failed) {
    const { model, panel } = view;
    const row = view.chosen;
    const close = make("button", "wf-close", "Close");
    close.type = "button";
    close.addEventListener("click", () => view.close());
    const heading = make("h3", "", text(found && found.placed ? found.placed.span_name : all.model.name(model, row)));
    heading.tabIndex = -1;
    const parts = [make("div", "wf-panel-head", heading, close), placed(model, row, found)];
    if (failed) {
      const again = make("button", "", "Ask again");
      again.type = "button";
      again.addEventListener("click", () => view.choose(row));
      parts.push(make("p", "wf-failed", failed + " "), again);
    } else if (model.spans.is_missing[row]) {
      parts.push(make("p", "note", "Nobody sent it, so nothing else is known of it."));
    } else if (!found) {
      // What the rows show is here already; the rest comes.
      parts.push(wire(model, row, {}), make("p", "note", "Reading…"));
    } else {
      parts.push(wire(model, row, found), kin(found), carried(found, model.ingress_ns), money(found), seal(found), links(model, row));
    }
    panel.replaceChildren(...parts.filter(Boolean));
    panel.hidden = false;
  }

  all.panel = { show, make };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

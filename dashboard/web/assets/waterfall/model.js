// Pure: the columns of /api/v1/waterfall, with what is looked up by row.
(function (all) {
  // Where the own part of each row begins in a column of parts; one place more than rows.
  function begins(counts) {
    const found = new Int32Array(counts.length + 1);
    for (let at = 0; at < counts.length; at += 1) {
      found[at + 1] = found[at] + counts[at];
    }
    return found;
  }

  function byRow(rows) {
    const found = new Map();
    rows.forEach((row, place) => {
      if (!found.has(row)) {
        found.set(row, []);
      }
      found.get(row).push(place);
    });
    return found;
  }

  function of(columns) {
    const { spans } = columns;
    const size = spans.span_id.length;
    const names = columns.names.map((name) => all.words.plain(name) || "(no name)");
    const services = columns.services.map(all.words.plain);
    return {
      ...columns,
      names,
      services,
      namesLower: names.map((name) => name.toLowerCase()),
      servicesLower: services.map((name) => name.toLowerCase()),
      size,
      start: new Float64Array(spans.start_ns),
      length: new Float64Array(spans.duration_ns),
      own: new Float64Array(spans.self_ns),
      depth: new Int32Array(spans.depth),
      end: all.tree.ends(spans.depth),
      parent: all.tree.parents(spans.depth),
      sectionsAt: begins(spans.sections),
      packetsAt: begins(columns.exchanges.packets),
      exchangesOf: byRow(columns.exchanges.row),
      evidenceOf: byRow(columns.evidence.row),
      rowOf: (spanId) => spans.span_id.indexOf(spanId),
    };
  }

  const name = (model, row) => model.names[model.spans.name[row]];
  const service = (model, row) => model.services[model.spans.service[row]];
  const latencyClass = (model, row) => model.classes[model.spans.latency_class[row]] || "";

  function segment(model, row) {
    const stage = model.stages[model.spans.stage[row]];
    return stage ? stage + "/" + latencyClass(model, row) : "";
  }

  function gap(model, row) {
    return model.gaps[model.spans.gap[row]] || null;
  }

  // Why something is not there, or may not be trusted, in a few words; "" for nothing.
  function gapWords(model, row) {
    const found = gap(model, row);
    if (!found) {
      return "";
    }
    const what = { answer: "no answering span", span: "clock" }[found.what] || "missing";
    return what + ": " + found.reason;
  }

  // What packets prove of a row's time, in ns.
  function proven(model, row) {
    const sums = { rtt: 0, retransmission: 0, zeroWindow: 0 };
    for (const place of model.evidenceOf.get(row) || []) {
      sums.rtt += model.evidence.rtt_ns[place];
      sums.retransmission += model.evidence.retransmission_ns[place];
      sums.zeroWindow += model.evidence.zero_window_ns[place];
    }
    return sums;
  }

  // Which rows a filter finds; null where it asks for nothing.
  function matcher(model, wanted) {
    const text = (wanted.text || "").trim().toLowerCase();
    if (!text && !wanted.leastNs && !wanted.pathOnly) {
      return null;
    }
    const { spans } = model;
    return (row) =>
      (!text ||
        model.namesLower[spans.name[row]].includes(text) ||
        model.servicesLower[spans.service[row]].includes(text)) &&
      (!wanted.leastNs || model.length[row] >= wanted.leastNs) &&
      (!wanted.pathOnly || model.own[row] > 0);
  }

  // How far a span is shown from where its own clock put it; "" for not at all.
  function shift(model, row) {
    const ns = model.spans.shift_ns[row];
    const way = ns > 0 ? " later than sent" : " earlier than sent";
    return ns ? "shown " + all.words.took(Math.abs(ns)) + way : "";
  }

  // One row in words, for those who do not see it.
  function said(model, row) {
    const { took } = all.words;
    const { spans } = model;
    const parts = [name(model, row)];
    if (spans.is_missing[row]) {
      return [...parts, gapWords(model, row)].join(", ");
    }
    parts.push(service(model, row), segment(model, row));
    parts.push(took(model.length[row]) + " from " + took(model.start[row]));
    parts.push(model.own[row] ? "on the critical path " + took(model.own[row]) : "off the critical path");
    if (spans.is_error[row]) {
      parts.push("failed");
    }
    const packets = (model.exchangesOf.get(row) || []).length;
    if (packets) {
      parts.push(all.words.count(packets, "exchange") + " on the wire");
    }
    if (spans.shift_ns[row]) {
      parts.push(shift(model, row) + ": clocks differ");
    }
    if (spans.clock_bound_ns[row]) {
      parts.push("its clock may be wrong by " + took(spans.clock_bound_ns[row]));
    }
    return [...parts, gapWords(model, row)].filter(Boolean).join(", ");
  }

  all.model = { of, name, service, latencyClass, segment, gap, gapWords, proven, matcher, shift, said };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

// Draws the rows in sight: name, bar, critical path, packets, and what is uncertain.
(function (all) {
  const HEIGHT = 30;
  const BAR_TOP = 3;
  const BAR = 12;
  const WIRE = 22;
  const INDENT = 11;
  const DEPTH_MAX = 10;
  const CARET = 14;
  const BESIDE = 7; // between a name and its service

  function label(context, view, row, y) {
    const { model, colours } = view;
    const { spans } = model;
    const indent = 4 + Math.min(spans.depth[row], DEPTH_MAX) * Math.min(INDENT, view.left / 24);
    const middle = y + HEIGHT / 2;
    const hasChildren = model.end[row] > row + 1;
    context.fillStyle = colours.soft;
    if (hasChildren) {
      all.paint.font(context, 10);
      context.fillText(view.folded.has(row) ? "▶" : "▼", indent, middle);
    }
    const room = view.left - indent - CARET - 6;
    // A long name leaves its service a part of the row, where there is room for both.
    const owner = all.model.service(model, row);
    all.paint.font(context, 11);
    const kept = owner && room > 120 ? view.fitted(context, owner, room * 0.35).width + BESIDE : 0;
    const dimmed = view.marks && view.marks[row] === 1;
    all.paint.font(context, 12, model.own[row] ? 600 : 400);
    context.fillStyle = spans.is_error[row]
      ? colours.bad
      : dimmed || spans.is_missing[row]
        ? colours.soft
        : colours.text;
    const mark = spans.is_error[row] ? "✕ " : spans.is_missing[row] ? "∅ " : "";
    const name = view.fitted(context, mark + all.model.name(model, row), room - kept);
    context.fillText(name.text, indent + CARET, middle);
    const beside = name.width + BESIDE;
    all.paint.font(context, 11);
    const service = view.fitted(context, owner, room - beside);
    if (room - beside > 28 && service.text) {
      context.fillStyle = colours.soft;
      context.fillText(service.text, indent + CARET + beside, middle);
    }
  }

  // Sections that lie on one pixel are drawn once: a root may have ten thousand.
  function sections(context, view, row, y) {
    const { model } = view;
    const { from_ns: froms, to_ns: tos } = model.sections;
    let until = -Infinity;
    context.beginPath();
    for (let at = model.sectionsAt[row]; at < model.sectionsAt[row + 1]; at += 1) {
      const [begin, end] = [Math.max(view.x(froms[at]), view.left), view.x(tos[at])];
      if (end < view.left || begin > view.width || end <= until) {
        continue;
      }
      const from = Math.max(begin, until);
      until = Math.max(end, from + 1);
      context.rect(from, y + BAR_TOP, until - from, BAR);
    }
    context.fill();
  }

  function bar(context, view, row, y) {
    const { model, colours } = view;
    const begin = view.x(model.start[row]);
    const end = Math.max(view.x(model.start[row] + model.length[row]), begin + 2);
    if (end < view.left || begin > view.width) {
      return;
    }
    const from = Math.max(begin, view.left);
    const width = Math.min(end, view.width) - from;
    const kind = all.model.latencyClass(model, row);
    if (model.spans.is_missing[row]) {
      context.strokeStyle = colours.soft;
      context.setLineDash([3, 3]);
      context.strokeRect(from + 0.5, y + BAR_TOP + 0.5, Math.max(width - 1, 1), BAR - 1);
      context.setLineDash([]);
      return;
    }
    const colour = colours.classes[kind] || colours.soft;
    context.globalAlpha = 0.32;
    context.fillStyle = colour;
    context.fillRect(from, y + BAR_TOP + 2, width, BAR - 4);
    context.globalAlpha = 1;
    sections(context, view, row, y);
    const hatching = view.hatches[kind];
    if (hatching) {
      context.fillStyle = hatching;
      sections(context, view, row, y);
    }
    if (model.spans.is_error[row]) {
      context.strokeStyle = colours.bad;
      context.strokeRect(from - 0.5, y + BAR_TOP - 0.5, width + 1, BAR + 1);
    }
  }

  // Where a clock may be wrong, each end of the bar lies somewhere in its band.
  function clockBand(context, view, row, y) {
    const bound = view.model.spans.clock_bound_ns[row];
    const start = view.model.start[row];
    if (!bound || view.x(start + bound) - view.x(start) < 1) {
      return;
    }
    context.globalAlpha = 0.45;
    context.fillStyle = view.colours.reference;
    for (const at of [start, start + view.model.length[row]]) {
      const begin = Math.max(view.x(at - bound), view.left);
      const end = Math.min(view.x(at + bound), view.width);
      if (end > begin) {
        context.fillRect(begin, y + BAR_TOP + 3, end - begin, BAR - 6);
      }
    }
    context.globalAlpha = 1;
  }

  // What stands behind the bar, the dearest first: how long it took, what the packets prove, what
  // is not there.
  function said(view, row) {
    const { model, colours } = view;
    const { took } = all.words;
    const proven = all.model.proven(model, row);
    const gap = all.model.gap(model, row);
    // Nothing of its kind ever was sent: so it is with every call to a service of others.
    const isUsual = gap && gap.reason === "never sent";
    return [
      [!model.spans.is_missing[row], took(model.length[row]), model.own[row] ? colours.text : colours.soft],
      [proven.retransmission, "sent again " + took(proven.retransmission), colours.alarm],
      [proven.zeroWindow, "window closed " + took(proven.zeroWindow), colours.warn],
      [gap, all.model.gapWords(model, row), isUsual ? colours.soft : colours.warn],
      [proven.rtt, "rtt " + took(proven.rtt), colours.soft],
    ].filter(([isThere]) => isThere);
  }

  function words(context, view, row, y) {
    const { model, colours } = view;
    const bound = model.spans.clock_bound_ns[row] || 0;
    const begin = view.x(model.start[row] - bound);
    const end = Math.max(view.x(model.start[row] + model.length[row] + bound), begin + 2);
    if (end < view.left || begin > view.width) {
      return;
    }
    all.paint.font(context, 11);
    const parts = said(view, row).map((part) => [...part, context.measureText(part[1]).width + 10]);
    const wide = () => parts.reduce((sum, part) => sum + part[3], 0);
    const room = Math.max(view.width - end - 6, begin - view.left - 2);
    while (parts.length > 1 && wide() > room) {
      parts.pop();
    }
    const width = wide();
    const before = begin - width - 2;
    let x = end + 6;
    if (x + width > view.width) {
      x = before > view.left ? before : Math.max(view.left + 4, view.width - width - 4);
    }
    const isOver = x < end && x + width > begin;
    for (const [, text, colour, own] of parts) {
      if (isOver) {
        context.fillStyle = colours.panel;
        context.globalAlpha = 0.85;
        context.fillRect(x - 3, y + 1, own - 3, 15);
        context.globalAlpha = 1;
      }
      context.fillStyle = colour;
      context.fillText(text, x, y + BAR_TOP + BAR / 2 + 0.5);
      x += own;
    }
  }

  function packetTicks(context, view, exchange, y) {
    const { model, colours } = view;
    const { packets } = model;
    let before = -1;
    for (let at = model.packetsAt[exchange]; at < model.packetsAt[exchange + 1]; at += 1) {
      const x = Math.round(view.x(packets.at_ns[at]));
      const isOdd = packets.is_again[at] || packets.is_window_zero[at];
      const place = x * 2 + packets.is_request[at];
      if (x < view.left || x > view.width || (place === before && !isOdd)) {
        continue;
      }
      before = place;
      const size = packets.payload_bytes[at] ? 7 : 4;
      if (packets.is_window_zero[at]) {
        context.strokeStyle = colours.warn;
        context.strokeRect(x - 3.5, y + WIRE - 3, 7, 7);
      } else if (packets.is_again[at]) {
        context.fillStyle = colours.alarm;
        context.fillRect(x - 2, y + WIRE - 7, 4, 14);
      } else {
        context.fillStyle = packets.is_request[at] ? colours.request : colours.response;
        context.fillRect(x - 1, packets.is_request[at] ? y + WIRE - size : y + WIRE, 3, size);
      }
    }
  }

  // The wire under the bar: requests stand on the line, responses hang from it.
  function wire(context, view, row, y) {
    const { exchanges } = view.model;
    for (const place of view.model.exchangesOf.get(row) || []) {
      const begin = Math.max(view.x(exchanges.from_ns[place]), view.left);
      const end = Math.min(view.x(exchanges.to_ns[place]), view.width);
      if (end < view.left || begin > view.width) {
        continue;
      }
      const isSure = exchanges.is_sure[place];
      context.globalAlpha = isSure ? 1 : 0.45;
      context.strokeStyle = view.colours.reference;
      context.setLineDash(isSure && exchanges.same_as[place] < 0 ? [] : [2, 3]);
      context.beginPath();
      context.moveTo(begin, y + WIRE + 0.5);
      context.lineTo(Math.max(end, begin + 2), y + WIRE + 0.5);
      context.stroke();
      context.setLineDash([]);
      packetTicks(context, view, place, y);
      if (!isSure) {
        all.paint.font(context, 10, 600);
        context.fillStyle = view.colours.soft;
        context.fillText("?", end + 3, y + WIRE);
      }
      context.globalAlpha = 1;
    }
  }

  function draw(canvas, view) {
    const context = all.paint.clear(canvas, view.width, view.height);
    const [first, last] = view.sight;
    context.fillStyle = view.colours.grid;
    for (const tick of view.ticks) {
      context.fillRect(Math.round(view.x(tick.ns)), 0, 1, view.height);
    }
    context.strokeStyle = view.colours.reference;
    context.setLineDash([1, 3]);
    for (const mark of view.model.stage_marks) {
      const x = Math.round(view.x(mark.at_ns)) + 0.5;
      if (x >= view.left) {
        context.beginPath();
        context.moveTo(x, 0);
        context.lineTo(x, view.height);
        context.stroke();
      }
    }
    context.setLineDash([]);
    context.lineWidth = 1;
    for (let place = first; place < last; place += 1) {
      const row = view.rows[place];
      const y = place * HEIGHT - view.top;
      if (row === view.chosen || place === view.at || place === view.pointed) {
        context.fillStyle = view.colours.link;
        context.globalAlpha = row === view.chosen ? 0.2 : place === view.at ? 0.12 : 0.06;
        context.fillRect(0, y, view.width, HEIGHT);
        context.globalAlpha = 1;
      }
      if (place === view.at && view.hasFocus) {
        context.fillStyle = view.colours.link;
        context.fillRect(0, y, 3, HEIGHT);
      }
      label(context, view, row, y);
      clockBand(context, view, row, y);
      bar(context, view, row, y);
      wire(context, view, row, y);
      words(context, view, row, y);
    }
  }

  all.rows = { HEIGHT, CARET, INDENT, DEPTH_MAX, draw };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

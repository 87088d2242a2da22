// The whole trace small, with the window of time and rows that is shown; the window is dragged.
(function (all) {
  const HEIGHT = 46;
  const HANDLE_PX = 8;

  function bars(context, view) {
    const { model, rows, colours, mapScale } = view;
    const high = Math.max(HEIGHT / Math.max(rows.length, 1), 1);
    const x = (ns) => all.scale.x(mapScale, ns, view.left, view.right - view.left);
    const groups = new Map();
    for (let place = 0; place < rows.length; place += 1) {
      const row = rows[place];
      const key = model.spans.latency_class[row] * 2 + (model.own[row] > 0 ? 1 : 0);
      if (!groups.has(key)) {
        groups.set(key, []);
      }
      groups.get(key).push(place);
    }
    for (const [key, places] of groups) {
      const isOnPath = key & 1;
      context.fillStyle = colours.classes[model.classes[key >> 1]] || colours.soft;
      context.globalAlpha = isOnPath ? 1 : 0.35;
      context.beginPath();
      for (const place of places) {
        const row = rows[place];
        const y = (place / rows.length) * HEIGHT;
        const from = x(model.start[row]);
        const width = Math.max(x(model.start[row] + model.length[row]) - from, 1);
        context.rect(from, y, width, Math.max(Math.min(high, 6) - 0.5, 0.8));
      }
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function draw(canvas, view) {
    bars(all.paint.clear(canvas, view.width, HEIGHT), view);
  }

  function placeWindow(element, view) {
    const { mapScale, scale } = view;
    const wide = view.right - view.left;
    const from = all.scale.x(mapScale, scale.from, view.left, wide);
    const to = all.scale.x(mapScale, scale.to, view.left, wide);
    const share = Math.min(1, view.height / Math.max(view.rows.length * all.rows.HEIGHT, 1));
    const down = view.top / Math.max(view.rows.length * all.rows.HEIGHT, 1);
    Object.assign(element.style, {
      left: from + "px",
      width: Math.max(to - from, 4) + "px",
      top: down * HEIGHT + "px",
      height: Math.max(share * HEIGHT, 8) + "px",
    });
  }

  // The edges of the window make it wider, its middle moves it, outside of it a click brings it.
  function grip(view, px) {
    const wide = view.right - view.left;
    const from = all.scale.x(view.mapScale, view.scale.from, view.left, wide);
    const to = all.scale.x(view.mapScale, view.scale.to, view.left, wide);
    if (Math.abs(px - from) <= HANDLE_PX && to - from > 3 * HANDLE_PX) {
      return "from";
    }
    if (Math.abs(px - to) <= HANDLE_PX && to - from > 3 * HANDLE_PX) {
      return "to";
    }
    return px > from && px < to ? "move" : "bring";
  }

  // The scale after the pointer moved on the map, from where the drag began.
  function dragged(view, begun, px) {
    const wide = view.right - view.left;
    const ns = all.scale.ns(view.mapScale, px, view.left, wide);
    const by = ns - all.scale.ns(view.mapScale, begun.px, view.left, wide);
    const { from, to } = begun.scale;
    if (begun.grip === "from") {
      const least = Math.min(from + by, to - 1);
      return all.scale.within(begun.scale, least, to - least);
    }
    if (begun.grip === "to") {
      return all.scale.within(begun.scale, from, Math.max(to + by - from, 1));
    }
    return all.scale.within(begun.scale, from + by, to - from);
  }

  all.minimap = { HEIGHT, draw, placeWindow, grip, dragged };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

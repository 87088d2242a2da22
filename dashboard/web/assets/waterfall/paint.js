// The colours of the page's scheme on a canvas, its size in real pixels, and the hatching.
(function (all) {
  const FONT = "Inter, system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

  // What the classes are drawn in comes with the page, as for every other figure.
  function colours(root) {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--mw-" + name).trim();
    return {
      ...JSON.parse(root.dataset.colours),
      text: of("text"),
      soft: of("soft"),
      grid: of("grid"),
      line: of("line"),
      link: of("link"),
      bad: of("bad"),
      warn: of("warn"),
      panel: of("panel"),
    };
  }

  // Returns the context of a canvas, cleared, on which a unit is a CSS pixel.
  function clear(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.width = width + "px";
      canvas.style.height = height + "px";
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.direction = "ltr";
    context.textBaseline = "middle";
    return context;
  }

  function font(context, size, weight) {
    context.font = (weight || 400) + " " + size + "px " + FONT;
  }

  // Each class has a hatching too, for print and for eyes that do not tell the colours apart.
  const HATCHES = {
    compute: (c) => [c.moveTo(0, 6), c.lineTo(6, 0)],
    store: (c) => [c.moveTo(0, 6), c.lineTo(6, 0), c.moveTo(0, 0), c.lineTo(6, 6)],
    untraced: (c) => c.rect(2, 2, 1, 1),
  };

  function hatches(context) {
    const found = {};
    for (const [name, draw] of Object.entries(HATCHES)) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 6;
      const on = tile.getContext("2d");
      on.strokeStyle = "rgba(255,255,255,.5)";
      on.beginPath();
      draw(on);
      on.stroke();
      found[name] = context.createPattern(tile, "repeat");
    }
    return found;
  }

  all.paint = { colours, clear, font, hatches };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

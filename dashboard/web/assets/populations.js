// A box that is dragged over the heatmap of Explore: the address holds it, so that back undoes it.
(function () {
  const UNCHANGED = () => window.dash_clientside.no_update;

  const ends = (layout, axis) =>
    ["0", "1"].map((end) => layout && layout[axis + ".range[" + end + "]"]);

  // The y axis counts buckets of powers of two; an address has milliseconds.
  function milliseconds(places, perOctave) {
    const [low, high] = places.map((place) => Math.pow(2, place / perOctave) / 1e6);
    return Number(low.toPrecision(4)) + ".." + Number(high.toPrecision(4));
  }

  function shown(ms) {
    const { year, month, day, hour, minute, second } = window.millworth.wall(ms);
    const rest = ms % 1000 ? "." + String(ms % 1000).padStart(3, "0") : "";
    return `${year}-${month}-${day} ${hour}:${minute}:${second}${rest}`;
  }

  // `2026-11-27 10:00:00..10:05:00`, as people type it.
  function asTyped(range) {
    const ends = (range || "").split("..").map((at) => Date.parse(at));
    if (ends.length !== 2 || ends.some(Number.isNaN)) {
      return range || "";
    }
    const [begin, end] = ends.map((ms) =>
      // Of what the clock shows twice the second time is not the one that is meant by it.
      [1800000, 3600000].some((back) => shown(ms - back) === shown(ms))
        ? new Date(ms).toISOString()
        : shown(ms),
    );
    const isShort = begin.slice(0, 10) === end.slice(0, 10) && !(begin + end).includes("Z");
    return begin + ".." + (isShort ? end.slice(11) : end);
  }

  Object.assign(window.dash_clientside.millworth, {
    // A value of the picker is `dimension=value`; it is a chip then, and the picker is empty.
    addFilter: function (chosen) {
      if (!chosen) {
        return UNCHANGED();
      }
      const at = chosen.indexOf("=");
      const now = new URLSearchParams(window.location.search);
      now.set(chosen.slice(0, at), chosen.slice(at + 1));
      window.millworth.goTo(now);
      return null;
    },

    boxFields: function (query) {
      const now = new URLSearchParams(query || "");
      return [asTyped(now.get("brush")), now.get("brush_ms") || "", asTyped(now.get("against"))];
    },

    brushBox: function (layout, figure) {
      const meta = figure && figure.layout && figure.layout.meta;
      const [from, to] = ends(layout, "xaxis").map((at) => window.millworth.instant(at, meta));
      const [low, high] = ends(layout, "yaxis");
      if (!meta || !(to - from >= 1 || high > low)) {
        return UNCHANGED();
      }
      const now = new URLSearchParams(window.location.search);
      now.delete("brush");
      now.delete("brush_ms");
      if (to - from >= 1) {
        now.set("brush", new Date(from).toISOString() + ".." + new Date(to).toISOString());
      }
      if (high > low) {
        now.set("brush_ms", milliseconds([low, high], meta.buckets_per_octave));
      }
      // What follows the clock would run away under the box.
      if (!now.get("until")) {
        now.set("until", meta.until);
      }
      window.millworth.goTo(now);
      return UNCHANGED();
    },
  });
})();

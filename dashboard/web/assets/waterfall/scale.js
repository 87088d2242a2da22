// Pure: from ns to pixels. A scale is a window of time {from, to} inside of {least, most}.
(function (all) {
  const NARROWEST_NS = 200;
  const ROOM = 0.015;
  const TICK_PX = 96;

  function whole(from, to) {
    const room = Math.max((to - from) * ROOM, 1);
    return { from: from - room, to: to + room, least: from - room, most: to + room };
  }

  const fit = (scale) => ({ ...scale, from: scale.least, to: scale.most });

  // The same width of time, moved to where it is inside.
  function within(scale, from, width) {
    const wide = Math.min(
      Math.max(width, Math.min(NARROWEST_NS, scale.most - scale.least)),
      scale.most - scale.least,
    );
    const begin = Math.min(Math.max(from, scale.least), scale.most - wide);
    return { ...scale, from: begin, to: begin + wide };
  }

  // A factor under 1 shows more detail; what lies at `at` stays where it is.
  function zoom(scale, factor, at) {
    const width = (scale.to - scale.from) * factor;
    const held = within(scale, scale.from, width);
    const share = (at - scale.from) / (scale.to - scale.from);
    return within(scale, at - share * (held.to - held.from), held.to - held.from);
  }

  const pan = (scale, share) =>
    within(scale, scale.from + share * (scale.to - scale.from), scale.to - scale.from);

  const isFit = (scale) => scale.from <= scale.least && scale.to >= scale.most;

  // The same width of time, moved to a span that is not in sight.
  function show(scale, from, to) {
    const width = scale.to - scale.from;
    const isSeen = from < scale.to && to >= scale.from;
    return isSeen ? scale : within(scale, (from + to - width) / 2, width);
  }

  const x = (scale, ns, left, width) =>
    left + ((ns - scale.from) / (scale.to - scale.from)) * width;

  const ns = (scale, px, left, width) =>
    scale.from + ((px - left) / width) * (scale.to - scale.from);

  // Round instants, and what each is called: milliseconds, of a narrow window with more digits.
  function ticks(scale, width) {
    const wanted = ((scale.to - scale.from) * TICK_PX) / Math.max(width, 1);
    const power = Math.pow(10, Math.floor(Math.log10(wanted)));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= wanted);
    const digits = Math.min(6, Math.max(0, Math.ceil(6 - Math.log10(step) - 1e-9)));
    const found = [];
    for (let at = Math.ceil(scale.from / step) * step; at <= scale.to; at += step) {
      found.push({ ns: at, text: all.words.fixed(Math.round(at) / 1e6, digits) });
    }
    return found;
  }

  all.scale = { whole, fit, within, zoom, pan, isFit, show, x, ns, ticks };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

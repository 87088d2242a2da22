// Pure: times and names as a person reads them.
(function (all) {
  // What turns the direction of text around, or is not seen at all: a name may not rewrite its row.
  const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

  const plain = (text) => String(text).replace(UNSEEN, "\ufffd");

  // The same of a text of several lines, as a stack trace.
  const lines = (text) =>
    String(text).split(/\r?\n/).map((line) => plain(line.replaceAll("\t", "  "))).join("\n");

  function fixed(value, digits) {
    return value.toLocaleString("en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  // A length of time in the unit that suits: 640 ns, 12.3 µs, 66.0 ms, 12.34 s.
  function took(ns) {
    const size = Math.abs(ns);
    if (size < 1e3) {
      return fixed(ns, 0) + " ns";
    }
    if (size < 1e6) {
      return fixed(ns / 1e3, 1) + " µs";
    }
    return size < 1e10 ? fixed(ns / 1e6, 1) + " ms" : fixed(ns / 1e9, 2) + " s";
  }

  // The same to the microsecond, as the rest of the page says it.
  const exact = (ns) => fixed(ns / 1e6, 3) + " ms";

  // The longest begin of a text that is no wider than there is room, with the cut shown. To measure
  // is what costs: the first guess is by proportion, and mostly right.
  function fit(text, room, widthOf) {
    const whole = widthOf(text);
    if (whole <= room) {
      return text;
    }
    const fits = (chars) => widthOf(text.slice(0, chars) + "…") <= room;
    let chars = Math.max(0, Math.min(text.length - 1, Math.floor((text.length * room) / whole)));
    while (chars > 0 && !fits(chars)) {
      chars -= 1;
    }
    while (chars > 0 && chars + 1 < text.length && fits(chars + 1)) {
      chars += 1;
    }
    return chars ? text.slice(0, chars) + "…" : "";
  }

  const count = (number, one, many) =>
    fixed(number, 0) + " " + (number === 1 ? one : many || one + "s");

  all.words = { plain, lines, fixed, took, exact, fit, count };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

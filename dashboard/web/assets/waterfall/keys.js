// Pure: what each key means, as the name of a command of the view.
(function (all) {
  const COMMANDS = {
    ArrowDown: "down",
    ArrowUp: "up",
    ArrowRight: "unfold",
    ArrowLeft: "fold",
    Home: "first",
    End: "last",
    PageDown: "pageDown",
    PageUp: "pageUp",
    Enter: "open",
    Escape: "close",
    "+": "zoomIn",
    "=": "zoomIn",
    "-": "zoomOut",
    f: "fit",
    "/": "find",
  };
  const SHIFTED = { ArrowRight: "panRight", ArrowLeft: "panLeft" };

  // Keys that the browser or a screen reader holds are theirs.
  function command(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return "";
    }
    return (event.shiftKey && SHIFTED[event.key]) || COMMANDS[event.key] || "";
  }

  const HELP =
    "Arrows move, fold and unfold; Enter opens a span; + and - zoom, Shift with arrows pans, " +
    "f fits all; / filters; Ctrl and the wheel zoom too.";

  all.keys = { command, HELP };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

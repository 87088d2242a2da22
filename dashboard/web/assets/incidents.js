// A row of the incidents that is pointed at, or has the focus, shows its path; a click pins it.
(function () {
  const REST_MS = 180;
  const GRID = "#overview-alerts";
  let pinned = "";
  let shown = "";
  let waiting = 0;

  function tell(id) {
    const now = id || pinned;
    // A click on a name leaves the page before the pointer has rested.
    if (now !== shown && document.querySelector(GRID)) {
      shown = now;
      const pick = { id: now, pinned: now !== "" && now === pinned };
      window.dash_clientside.set_props("overview-pick", { data: pick });
    }
  }

  function rowOf(target) {
    const row = target instanceof Element && target.closest(GRID + " .ag-row");
    return row ? row.getAttribute("row-id") : "";
  }

  // The pointer passes over rows on its way: only where it rests is asked for.
  function point(event) {
    const id = rowOf(event.target);
    window.clearTimeout(waiting);
    if (id || shown !== pinned) {
      waiting = window.setTimeout(tell, REST_MS, id);
    }
  }

  function pin(event) {
    const id = rowOf(event.target);
    // Enter on a cell with a link follows it, as a click on the link does.
    const link = event.type === "keydown" && event.target.querySelector("a[href]");
    if (!id || link || event.target.closest("a")) {
      return;
    }
    pinned = pinned === id ? "" : id;
    shown = "-";
    document.querySelectorAll(GRID + " .ag-row").forEach((row) => {
      row.classList.toggle("pinned", row.getAttribute("row-id") === pinned);
    });
    tell(pinned ? "" : id);
  }

  document.addEventListener("mouseover", point);
  document.addEventListener("focusin", point);
  document.addEventListener("click", pin);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      pin(event);
    }
  });
  // A pin is of the page as it stands: another range keeps it, another page does not.
  window.addEventListener("_dashprivate_pushstate", () => {
    if (window.location.pathname !== "/") {
      pinned = "";
      shown = "";
    }
  });
})();

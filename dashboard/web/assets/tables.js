// Builds plain tables from what their component carries, where and when they are seen.
(function () {
  const BOX = "[data-table]";
  // What a grid that grows gives the height of all its rows, drawn or not.
  const ROWS = ".grows .ag-center-cols-container";

  function link(href) {
    const element = document.createElement("a");
    element.href = href;
    element.addEventListener("click", (event) => {
      if (!(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey)) {
        event.preventDefault();
        window.millworth.go(href);
        window.scrollTo(0, 0);
      }
    });
    return element;
  }

  function cell(tag, value, className) {
    const element = document.createElement(tag);
    element.className = className;
    const plain = typeof value === "string" ? { text: value } : value;
    const inner = plain.href ? link(plain.href) : plain.strong ? document.createElement("b") : element;
    const marked = plain.mark || plain.title ? document.createElement("span") : inner;
    marked.textContent = plain.text;
    if (marked !== inner) {
      marked.className = plain.mark;
      marked.title = plain.title;
      inner.append(marked);
    }
    if (inner !== element) {
      element.append(inner);
    }
    return element;
  }

  function line(tag, cells, numeric) {
    const row = document.createElement("tr");
    row.append(...cells.map((each, place) => cell(tag, each, numeric.includes(place) ? "num" : "")));
    return row;
  }

  function build(box) {
    // What nobody has opened is built when somebody does.
    if (box.closest("details:not([open])") || box.built === box.dataset.table) {
      return;
    }
    box.built = box.dataset.table;
    const { headings, rows, numeric } = JSON.parse(box.built);
    const table = document.createElement("table");
    table.className = "plain";
    table.createTHead().append(line("th", headings, numeric));
    table.createTBody().append(...rows.map((row) => line("td", row, numeric)));
    box.replaceChildren(table);
  }

  const heights = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.closest(".grows");
      const around = box?.clientHeight - box?.querySelector(".ag-body-viewport").clientHeight;
      box?.style.setProperty("--rows", target.offsetHeight + around + "px");
    }
  });

  function look(changes) {
    for (const { target, addedNodes } of changes) {
      if (target.dataset && target.dataset.table) {
        build(target);
      }
      for (const node of addedNodes) {
        if (node.nodeType === Node.ELEMENT_NODE) {
          (node.matches(BOX) ? [node] : [...node.querySelectorAll(BOX)]).forEach(build);
          const rows = node.matches(ROWS) ? [node] : node.querySelectorAll(ROWS);
          rows.forEach((each) => heights.observe(each));
        }
      }
    }
  }

  new MutationObserver(look).observe(document.documentElement, {
    attributeFilter: ["data-table"],
    childList: true,
    subtree: true,
  });
  // A grid draws the rows that fit: paper has these alone, and says so.
  function count(box) {
    const view = box.querySelector(".ag-body-viewport")?.getBoundingClientRect();
    const rows = view ? window.dash_ag_grid.getApi(box.querySelector(":scope > div").id).getDisplayedRowCount() : 0;
    const seen = [...box.querySelectorAll(".ag-center-cols-container .ag-row")].filter((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return top >= view.top - 1 && bottom <= view.bottom + 1;
    });
    // Of a paper's height a part is another than of a window's.
    box.style.setProperty("--on-paper", box.clientHeight + "px");
    delete box.dataset.cut;
    if (seen.length < rows) {
      box.dataset.cut = seen.length + " of " + rows + " rows are on this paper: scroll for others";
    }
  }

  window.addEventListener("beforeprint", () => {
    document.querySelectorAll(".grid-box").forEach(count);
  });
  document.addEventListener(
    "toggle",
    (event) => event.target.querySelectorAll(BOX).forEach(build),
    true,
  );
})();

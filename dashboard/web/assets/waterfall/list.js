// The rows in sight as a tree for screen readers: the canvas says nothing to them.
(function (all) {
  const ROWS_MAX = 60;

  function item(view, tree, place) {
    const { model } = view;
    const row = view.rows[place];
    const one = document.createElement("div");
    one.id = tree.id + "-" + row;
    one.setAttribute("role", "treeitem");
    one.dataset.place = place;
    one.setAttribute("aria-level", model.depth[row] + 1);
    one.setAttribute("aria-posinset", place + 1);
    one.setAttribute("aria-setsize", view.rows.length);
    one.setAttribute("aria-selected", String(row === view.chosen));
    if (model.end[row] > row + 1) {
      one.setAttribute("aria-expanded", String(!view.folded.has(row)));
    }
    one.textContent = all.model.said(model, row);
    return one;
  }

  // Called when what is in sight has changed, not at each pixel of a scroll.
  function show(tree, view) {
    const [first, last] = view.sight;
    const key = [first, last, view.at, view.chosen, view.changes].join();
    if (tree.dataset.shown !== key) {
      tree.dataset.shown = key;
      const places = [];
      for (let place = first; place < Math.min(last, first + ROWS_MAX - 1); place += 1) {
        places.push(place);
      }
      // The row that the keyboard is on stays, also where it is scrolled out of sight.
      if (view.at >= 0 && view.at < view.rows.length && !places.includes(view.at)) {
        places.push(view.at);
        places.sort((a, b) => a - b);
      }
      tree.replaceChildren(...places.map((place) => item(view, tree, place)));
      const row = view.rows[view.at];
      tree.setAttribute("aria-activedescendant", row === undefined ? "" : tree.id + "-" + row);
    }
    for (const one of tree.children) {
      one.style.top = one.dataset.place * all.rows.HEIGHT - view.top + "px";
    }
  }

  all.list = { show };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

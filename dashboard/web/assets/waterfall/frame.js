// The elements of a waterfall, and what the pointer and the keyboard do on them.
(function (all) {
  const EMPTY =
    "The spans of this decision are not assembled yet. It is attributed some seconds after it " +
    "ends, and they appear here by themselves. If it stays so, see Health.";

  // Without a span there is a gap only where its spans lapsed.
  function why(model) {
    return model.gaps.length ? "Its spans are not here: " + model.gaps[0].detail + "." : EMPTY;
  }

  function build(view) {
    const { make } = all.panel;
    const element = (tag, name, into) => {
      const made = make(tag, "wf-" + name);
      into.append(made);
      return made;
    };
    const { root } = view;
    root.replaceChildren();
    view.tools = element("div", "tools tools", root);
    view.stageLine = element("p", "stages", root);
    view.body = element("div", "body", root);
    view.main = element("div", "main", view.body);
    view.panel = element("section", "panel", view.body);
    view.panel.setAttribute("aria-label", "Chosen span");
    view.panel.hidden = true;
    const mapBox = element("div", "map", view.main);
    mapBox.setAttribute("aria-hidden", "true");
    view.map = element("canvas", "map-canvas", mapBox);
    view.window = element("div", "window", mapBox);
    view.headCanvas = element("canvas", "head", view.main);
    view.headCanvas.setAttribute("aria-hidden", "true");
    view.scroll = element("div", "scroll", view.main);
    view.space = element("div", "space", view.scroll);
    view.sheet = element("div", "sheet", view.space);
    view.canvas = element("canvas", "rows", view.sheet);
    view.canvas.setAttribute("aria-hidden", "true");
    view.tree = element("div", "tree", view.sheet);
    Object.assign(view.tree, { id: root.id + "-tree", tabIndex: 0 });
    view.tree.setAttribute("role", "tree");
    view.tree.setAttribute("aria-label", "Spans of the decision");
    view.tree.setAttribute("aria-description", all.keys.HELP);
    view.pointedSaid = element("p", "said note", view.main);
    view.pointedSaid.textContent = window.matchMedia("(hover: hover) and (min-width: 641px)").matches
      ? all.keys.HELP
      : "Touch a row to open its span.";
    view.empty = element("p", "empty note", root);
    view.empty.setAttribute("role", "status");
    tools(view);
    listen(view, mapBox);
  }

  function tools(view) {
    const { make } = all.panel;
    const input = (type, label) => {
      const made = make("input", "");
      made.type = type;
      made.setAttribute("aria-label", label);
      return made;
    };
    const button = (words, title, does) => {
      const made = make("button", "", words);
      Object.assign(made, { type: "button", title: title });
      made.addEventListener("click", does);
      return made;
    };
    view.search = input("search", "Filter spans by name or service");
    view.search.placeholder = "Name or service";
    view.search.addEventListener("input", () => view.model && view.look({ text: view.search.value }));
    view.search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" || event.key === "Enter") {
        event.preventDefault();
        if (event.key === "Escape") {
          view.search.value = "";
          view.look({ text: "" });
        }
        view.tree.focus();
      }
    });
    const least = input("number", "Only spans of at least so many milliseconds");
    Object.assign(least, { placeholder: "min ms", min: 0, step: "any", className: "wf-least" });
    least.addEventListener("input", () => view.model && view.look({ leastNs: (Number(least.value) || 0) * 1e6 }));
    const path = input("checkbox", "Only what is on the critical path");
    path.addEventListener("change", () => view.model && view.look({ pathOnly: path.checked }));
    view.counted = make("span", "note");
    view.counted.setAttribute("role", "status");
    view.tools.append(
      view.search,
      least,
      make("label", "wf-check", path, " critical path only"),
      button("Fit", "Show all of the time (f)", () => view.model && view.does("fit")),
      button("+", "Zoom in (+)", () => view.model && view.does("zoomIn")),
      button("−", "Zoom out (-)", () => view.model && view.does("zoomOut")),
      button("Fold", "Fold everything under the top", () => view.model && view.foldAll(true)),
      button("Unfold", "Unfold everything", () => view.model && view.foldAll(false)),
      view.counted,
    );
  }

  function count(view) {
    const { model, rows, marks } = view;
    const found = marks ? marks.filter((mark) => mark === 2).length : model.size;
    const missing = model.spans.is_missing.filter(Boolean).length;
    const some = all.words.fixed(found, 0) + " of ";
    view.counted.textContent =
      (marks ? some : "") +
      all.words.count(model.size - missing, "span") +
      (missing ? ", " + all.words.fixed(missing, 0) + " missing" : "") +
      (rows.length < model.size && !marks ? ", " + all.words.fixed(rows.length, 0) + " unfolded" : "");
  }

  function stages(view) {
    const { parts, basis } = all.head.said(view.model, view.normal);
    const { make } = all.panel;
    view.stageLine.replaceChildren(
      ...parts.map((each) => make("span", each.isOver ? "wf-over" : "", each.name + " " + each.took)),
      make("span", "note", basis),
    );
  }

  // Words in the place of the rows, with a button where it may be tried again.
  function say(view, text, again) {
    view.empty.replaceChildren(text);
    if (again) {
      const button = all.panel.make("button", "", "Ask again");
      button.type = "button";
      button.addEventListener("click", again);
      view.empty.append(" ", button);
    }
    view.root.classList.toggle("wf-nothing", text !== "");
    if (view.model) {
      stages(view);
    }
  }

  function listen(view, mapBox) {
    const { tree, scroll } = view;
    const place = (event) =>
      Math.floor((event.clientY - tree.getBoundingClientRect().top + view.top) / all.rows.HEIGHT);
    const px = (event) => event.clientX - view.main.getBoundingClientRect().left;
    scroll.addEventListener("scroll", () => {
      view.top = scroll.scrollTop;
      view.draw("rows");
    });
    tree.addEventListener("keydown", (event) => {
      const command = view.model ? all.keys.command(event) : "";
      if (command) {
        event.preventDefault();
        view.does(command);
      }
    });
    view.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        view.close();
      }
    });
    for (const [name, has] of [["focus", true], ["blur", false]]) {
      tree.addEventListener(name, () => {
        view.hasFocus = has;
        view.draw("rows");
      });
    }
    tree.addEventListener("mousemove", (event) => {
      const at = view.rows ? place(event) : -1;
      if (at !== view.pointed && view.model) {
        view.pointed = at;
        const row = view.rows[at];
        view.pointedSaid.textContent = row === undefined ? "" : all.model.said(view.model, row);
        view.draw("rows");
      }
    });
    tree.addEventListener("mouseleave", () => {
      view.pointed = -1;
      view.draw("rows");
    });
    wheel(view, scroll, px);
    drag(view, tree, px, place);
    dragMap(view, mapBox, px);
  }

  function wheel(view, scroll, px) {
    const turn = (event, zooms) => {
      if (!view.model) {
        return;
      }
      const isWide = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (zooms || event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const factor = Math.pow(all.ZOOM, Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY) / 100, 1));
        view.scaleTo(all.scale.zoom(view.scale, factor, view.ns(Math.max(px(event), view.left))));
      } else if (isWide && !all.scale.isFit(view.scale)) {
        event.preventDefault();
        const by = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
        view.scaleTo(all.scale.pan(view.scale, by / Math.max(view.right - view.left, 1)));
      }
    };
    scroll.addEventListener("wheel", (event) => turn(event, false), { passive: false });
    view.headCanvas.addEventListener("wheel", (event) => turn(event, true), { passive: false });
    view.map.parentElement.addEventListener("wheel", (event) => turn(event, true), { passive: false });
  }

  // A drag over the bars moves the time; a click without one chooses a span, or folds it.
  function drag(view, tree, px, place) {
    let begun = null;
    tree.addEventListener("pointerdown", (event) => {
      begun = view.model && event.button === 0 ? { px: px(event), scale: view.scale, moved: false } : null;
    });
    tree.addEventListener("pointermove", (event) => {
      if (!begun || !event.buttons) {
        return;
      }
      const by = px(event) - begun.px;
      if (begun.moved || (Math.abs(by) > all.DRAG_PX && begun.px > view.left && !all.scale.isFit(view.scale))) {
        begun.moved = true;
        tree.setPointerCapture(event.pointerId);
        view.scaleTo(all.scale.pan(begun.scale, -by / Math.max(view.right - view.left, 1)));
      }
    });
    tree.addEventListener("click", (event) => {
      const at = place(event);
      const row = view.rows ? view.rows[at] : undefined;
      const moved = begun && begun.moved;
      begun = null;
      if (row === undefined || moved) {
        return;
      }
      view.at = at;
      const caret = 4 + Math.min(view.model.depth[row], all.rows.DEPTH_MAX) * Math.min(all.rows.INDENT, view.left / 24);
      const isOnCaret = px(event) < caret + all.rows.CARET && px(event) > caret - 6;
      if (isOnCaret && view.model.end[row] > row + 1) {
        view.fold(row, !view.folded.has(row));
      } else {
        view.choose(row);
      }
    });
  }

  function dragMap(view, mapBox, px) {
    let begun = null;
    const follow = (event) => {
      view.scaleTo(all.minimap.dragged(view, begun, px(event)));
    };
    mapBox.addEventListener("pointerdown", (event) => {
      if (!view.model || event.button !== 0) {
        return;
      }
      const grip = all.minimap.grip(view, px(event));
      begun = { px: px(event), scale: view.scale, grip: grip };
      if (grip === "bring") {
        const at = all.scale.ns(view.mapScale, px(event), view.left, view.right - view.left);
        const wide = view.scale.to - view.scale.from;
        begun.scale = all.scale.within(view.scale, at - wide / 2, wide);
        view.scaleTo(begun.scale);
      }
      const share = (event.clientY - mapBox.getBoundingClientRect().top) / all.minimap.HEIGHT;
      view.scroll.scrollTop = share * view.rows.length * all.rows.HEIGHT - view.height / 2;
      mapBox.setPointerCapture(event.pointerId);
    });
    mapBox.addEventListener("pointermove", (event) => begun && event.buttons && follow(event));
    mapBox.addEventListener("pointerup", () => (begun = null));
  }

  all.frame = { build, count, say, stages, why };
})((globalThis.Waterfall = globalThis.Waterfall || {}));

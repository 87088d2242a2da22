// One waterfall: what is shown of which decision, and everything that changes it.
(function (all) {
  const ROWS_MAX = 14;
  const { HEIGHT } = all.rows;
  const ZOOM = 1.6;
  const DRAG_PX = 4;

  // Not a step that "back" returns to: that leads to the page from which one came.
  function address(spanId) {
    const next = new URL(location.href);
    next.hash = spanId ? "span=" + spanId : "";
    window.history.replaceState(window.history.state, "", next);
  }

  class View {
    constructor(root) {
      this.root = root;
      this.id = "";
      this.version = "";
      this.model = null;
      this.normal = null;
      this.folded = new Set();
      this.wanted = {};
      this.changes = 0;
      this.fits = new Map();
      all.frame.build(this);
      this.watch();
    }

    // Sizes and colours change without a word to us; what was left by the page is let go.
    watch() {
      const again = () => {
        if (!this.root.isConnected) {
          sizes.disconnect();
          schemes.disconnect();
        } else if (this.model && this.frame() !== this.drawnIn) {
          this.resize();
        }
      };
      const sizes = new ResizeObserver(again);
      sizes.observe(this.root);
      const schemes = new MutationObserver(again);
      schemes.observe(document.documentElement, {
        attributeFilter: ["data-mantine-color-scheme"],
      });
    }

    // What a drawing is made for: the height of the page's element follows from it.
    frame() {
      return this.root.clientWidth + document.documentElement.dataset.mantineColorScheme;
    }

    set(columns) {
      const isSame = this.model && this.model.decision_id === columns.decision_id;
      const chosen = isSame && this.chosen >= 0 ? this.model.spans.span_id[this.chosen] : "";
      const folded = isSame ? [...this.folded].map((row) => this.model.spans.span_id[row]) : [];
      this.model = all.model.of(columns);
      this.version = columns.version;
      this.folded = new Set(folded.map((id) => this.model.rowOf(id)).filter((row) => row >= 0));
      this.chosen = chosen ? this.model.rowOf(chosen) : -1;
      this.pointed = -1;
      if (!isSame) {
        this.at = 0;
        this.top = 0;
        this.scroll.scrollTop = 0;
        this.panel.hidden = true;
        this.scale = all.scale.whole(columns.from_ns, columns.to_ns);
      }
      this.mapScale = all.scale.whole(columns.from_ns, columns.to_ns);
      this.changes += 1;
      all.frame.say(this, this.model.size ? "" : all.frame.why(this.model));
      this.filter();
      this.resize();
    }

    setNormal(normal) {
      this.normal = normal;
      all.frame.stages(this);
      this.draw("head");
    }

    // Rows follow from what is folded and what is looked for.
    filter() {
      const { model } = this;
      const row = this.rows && this.rows.length ? this.rows[this.at] : 0;
      const matches = all.model.matcher(model, this.wanted);
      this.marks = all.tree.kept(model, matches);
      this.rows = all.tree.shown(model, this.folded, this.marks);
      this.at = all.tree.placeOf(model, this.rows, row === undefined ? 0 : row);
      this.changes += 1;
      all.frame.count(this);
    }

    resize() {
      this.drawnIn = this.frame();
      const most = Math.min(ROWS_MAX * HEIGHT, Math.round(window.innerHeight * 0.55));
      this.height = Math.max(2 * HEIGHT, Math.min(this.rows.length * HEIGHT, most));
      this.scroll.style.height = this.height + "px";
      this.space.style.height = this.rows.length * HEIGHT + "px";
      this.sheet.style.height = this.height + "px";
      if (this.width !== this.scroll.clientWidth) {
        this.width = this.scroll.clientWidth;
        this.fits.clear();
      }
      // Room behind the longest bar for how long it took.
    this.right = this.width - (this.width < 640 ? 62 : 76);
    this.left = Math.round(Math.min(Math.max(this.width * 0.28, 118), 320));
      this.colours = all.paint.colours(this.root);
      this.hatches = this.hatches || all.paint.hatches(this.canvas.getContext("2d"));
      this.draw("map", "head", "rows");
    }

    x(ns) {
      const { from, to } = this.scale;
      return this.left + ((ns - from) / (to - from)) * (this.right - this.left);
    }

    ns(px) {
      return all.scale.ns(this.scale, px, this.left, this.right - this.left);
    }

    // A name that was fitted once, and its width, are not measured again while the page's stays.
    fitted(context, text, room) {
      const key = context.font + "|" + Math.round(room) + "|" + text;
      let found = this.fits.get(key);
      if (found === undefined) {
        if (this.fits.size > 4000) {
          this.fits.clear();
        }
        const widthOf = (each) => context.measureText(each).width;
        const fit = all.words.fit(text, room, widthOf);
        found = { text: fit, width: widthOf(fit) };
        this.fits.set(key, found);
      }
      return found;
    }

    // Drawn once a frame, whatever asks for it how often.
    draw(...parts) {
      this.dirty = new Set([...(this.dirty || []), ...parts]);
      if (!this.waiting) {
        this.waiting = requestAnimationFrame(() => this.render());
      }
    }

    render() {
      this.waiting = 0;
      if (!this.model || !this.root.isConnected) {
        return;
      }
      const { dirty } = this;
      this.dirty = new Set();
      this.ticks = all.scale.ticks(this.scale, this.right - this.left);
      this.sight = this.rows.length
        ? all.tree.inSight(this.top, this.height, HEIGHT, this.rows.length)
        : [0, 0];
      if (dirty.has("map") && this.isDrawn) {
        all.minimap.draw(this.map, this);
      }
      if (dirty.has("head")) {
        all.head.draw(this.headCanvas, this);
      }
      all.rows.draw(this.canvas, this);
      all.minimap.placeWindow(this.window, this);
      all.list.show(this.tree, this);
      if (!this.isDrawn) {
        this.isDrawn = true;
        performance.mark("waterfall-drawn");
        // What was asked for is seen; the map of all of it takes another frame.
        this.draw("map");
      }
    }

    scaleTo(scale) {
      this.scale = scale;
      this.draw("head", "rows");
    }

    go(place) {
      const last = this.rows.length - 1;
      this.at = Math.min(Math.max(place, 0), Math.max(last, 0));
      const y = this.at * HEIGHT;
      if (y < this.scroll.scrollTop) {
        this.scroll.scrollTop = y;
      } else if (y + HEIGHT > this.scroll.scrollTop + this.height) {
        this.scroll.scrollTop = y + HEIGHT - this.height;
      }
      this.top = this.scroll.scrollTop;
      this.draw("rows");
    }

    fold(row, isFolded) {
      if (isFolded) {
        this.folded.add(row);
      } else {
        this.folded.delete(row);
      }
      this.filter();
      this.go(all.tree.placeOf(this.model, this.rows, row));
      this.resize();
    }

    foldAll(isFolded) {
      this.folded.clear();
      for (let row = 0; isFolded && row < this.model.size; row += 1) {
        if (this.model.depth[row] > 0 && this.model.end[row] > row + 1) {
          this.folded.add(row);
        }
      }
      this.filter();
      this.resize();
      this.go(this.at);
    }

    look(wanted) {
      Object.assign(this.wanted, wanted);
      this.filter();
      this.resize();
      this.go(this.at);
    }

    // Show the span that the address names: a link leads whoever is sent it to the same one.
    chooseNamed() {
      const named = new URLSearchParams(location.hash.slice(1)).get("span");
      const row = named ? this.model.rowOf(named) : -1;
      if (row >= 0) {
        this.go(all.tree.placeOf(this.model, this.rows, row));
        this.choose(row);
      }
    }

    async choose(row) {
      const { model } = this;
      this.chosen = row;
      address(model.spans.span_id[row]);
      this.scale = all.scale.show(this.scale, model.start[row], model.start[row] + model.length[row]);
      if (this.asked) {
        this.asked.abort();
      }
      all.panel.show(this, null, "");
      this.resize();
      if (model.spans.is_missing[row]) {
        return;
      }
      this.asked = new AbortController();
      const answer = await all.ask(
        "span",
        {
          decision_id: this.id || model.decision_id,
          span_id: model.spans.span_id[row],
          trace_id: model.trace_ids[model.spans.trace_id[row]],
        },
        this.asked.signal,
      );
      if (!answer.isAborted && this.model.decision_id === model.decision_id && this.chosen >= 0) {
        const hadFocus = this.panel.contains(document.activeElement);
        all.panel.show(this, answer.found, answer.refused);
        if (hadFocus) {
          this.panel.querySelector("h3").focus();
        }
      }
    }

    close() {
      this.chosen = -1;
      address("");
      this.panel.hidden = true;
      this.tree.focus();
      this.resize();
    }

    does(command) {
      const { model, rows } = this;
      const row = rows[this.at];
      const page = Math.max(1, Math.floor(this.height / HEIGHT) - 1);
      const hasChildren = row !== undefined && model.end[row] > row + 1;
      const middle =
        row !== undefined && model.start[row] < this.scale.to && model.start[row] + model.length[row] > this.scale.from
          ? model.start[row] + model.length[row] / 2
          : (this.scale.from + this.scale.to) / 2;
      const commands = {
        down: () => this.go(this.at + 1),
        up: () => this.go(this.at - 1),
        first: () => this.go(0),
        last: () => this.go(rows.length - 1),
        pageDown: () => this.go(this.at + page),
        pageUp: () => this.go(this.at - page),
        unfold: () =>
          this.folded.has(row) ? this.fold(row, false) : hasChildren && this.go(this.at + 1),
        fold: () =>
          hasChildren && !this.folded.has(row)
            ? this.fold(row, true)
            : row !== undefined && this.go(all.tree.placeOf(model, rows, model.parent[row])),
        zoomIn: () => this.scaleTo(all.scale.zoom(this.scale, 1 / ZOOM, middle)),
        zoomOut: () => this.scaleTo(all.scale.zoom(this.scale, ZOOM, middle)),
        panLeft: () => this.scaleTo(all.scale.pan(this.scale, -0.2)),
        panRight: () => this.scaleTo(all.scale.pan(this.scale, 0.2)),
        fit: () => this.scaleTo(all.scale.fit(this.scale)),
        find: () => this.search.focus(),
        close: () => this.chosen >= 0 && this.close(),
        open: () => {
          if (row !== undefined) {
            this.choose(row);
            this.panel.querySelector("h3").focus();
          }
        },
      };
      commands[command]();
    }
  }

  all.View = View;
  all.DRAG_PX = DRAG_PX;
  all.ZOOM = ZOOM;
})((globalThis.Waterfall = globalThis.Waterfall || {}));

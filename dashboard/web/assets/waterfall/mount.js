// Puts a waterfall into the page of a decision, and reads what it shows from /api/v1.
(function (all) {
  const UNCHANGED = () => window.dash_clientside.no_update;
  const WAIT_MS = 30000;
  const views = new WeakMap();

  all.ask = async function (what, parameters, signal) {
    const path = "/api/v1/waterfall" + (what ? "/" + what : "") + "?" + new URLSearchParams(parameters);
    const limits = [AbortSignal.timeout(WAIT_MS), ...(signal ? [signal] : [])];
    try {
      const answer = await fetch(path, { signal: AbortSignal.any(limits) });
      const found = await answer.json();
      return answer.ok
        ? { found: found, refused: "" }
        : { refused: found.detail || "Refused with status " + answer.status + "." };
    } catch (silent) {
      return { isAborted: Boolean(signal && signal.aborted), refused: "Millworth did not answer." };
    }
  };

  // The address names the decision before anything of its page is there: it is asked for meanwhile.
  const named = location.pathname === "/decision" ? new URLSearchParams(location.search).get("id") : "";
  let begun = named ? { id: named, answer: all.ask("", { decision_id: named }) } : null;

  function viewOf(id) {
    const root = document.getElementById(id);
    if (root && !views.has(root)) {
      views.set(root, new all.View(root));
    }
    return root ? views.get(root) : null;
  }

  async function load(view, id) {
    const early = begun && begun.id === id ? begun.answer : null;
    begun = null;
    const answer = await (early || all.ask("", { decision_id: id }));
    if (view.id !== id) {
      return;
    }
    if (answer.refused) {
      all.frame.say(view, answer.refused, () => {
        all.frame.say(view, "Reading…");
        view.loaded = load(view, id);
      });
      return;
    }
    const isFirst = !view.model;
    view.set(answer.found);
    if (isFirst) {
      view.chooseNamed();
    }
    all.ask("normal", { decision_id: id }).then((normal) => {
      if (view.id === id && normal.found) {
        view.setNormal(normal.found);
      }
    });
  }

  function note(view) {
    return view.model
      ? ["solid: on the critical path · light: off it", view.model.left_out].filter(Boolean).join(" · ")
      : "";
  }

  // `known` is of the page: the version of what it read. Where that is another, all is read anew.
  async function waterfall(query, known) {
    const id = new URLSearchParams(query || "").get("id") || "";
    const view = viewOf("decision-waterfall");
    if (!view || !id) {
      return UNCHANGED();
    }
    if (view.id !== id) {
      view.id = id;
      view.version = "";
      view.model = null;
      view.normal = null;
      view.panel.hidden = true;
      all.frame.say(view, "Reading…");
      view.loaded = load(view, id);
    }
    await view.loaded;
    if (known && known.id === id && view.id === id && view.version !== known.version) {
      view.loaded = load(view, id);
      await view.loaded;
    }
    return note(view);
  }

  if (window.dash_clientside) {
    window.dash_clientside.millworth = Object.assign(window.dash_clientside.millworth || {}, {
      waterfall: waterfall,
    });
  }
})((globalThis.Waterfall = globalThis.Waterfall || {}));

// The search of every page: Ctrl K opens it, arrows choose, Enter goes there or copies a command.
(function () {
  const WAIT_MS = 150; // after the last letter
  const ANSWER_MS = 10000;
  const FIRST = "Ids, services, actions, regions, pages, commands";
  let dialog, field, list, said, hits, at, timer, asking;
  let answeredFor = null; // what the list is of

  function make(tag, attributes, ...children) {
    const part = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => part.setAttribute(name, value));
    part.append(...children);
    return part;
  }

  function build() {
    field = make("input", {
      type: "text",
      id: "search-field",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "Search",
      "aria-controls": "search-list",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      placeholder: FIRST,
    });
    list = make("ul", { id: "search-list", role: "listbox", "aria-label": "What was found" });
    said = make("div", { id: "search-said", class: "note", role: "status" });
    dialog = make("dialog", { id: "search-dialog", "aria-label": "Search" }, field, list, said);
    document.body.append(dialog);
    field.addEventListener("input", () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(ask, WAIT_MS);
    });
    field.addEventListener("keydown", press);
    // A click beside the dialog is one on its backdrop.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => asking && asking.abort());
  }

  function open() {
    if (!dialog) {
      build();
    }
    if (!dialog.open) {
      // Closing it gives the focus back to where it was.
      dialog.showModal();
      field.value = "";
      answeredFor = null;
      show([], "");
      ask();
    }
    field.focus();
  }

  function choose(place) {
    at = place;
    [...list.children].forEach((row, own) => row.setAttribute("aria-selected", own === at));
    const row = list.children[at];
    if (row) {
      field.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
  }

  function show(found, text) {
    hits = found;
    list.replaceChildren(
      ...hits.map((hit, place) => {
        const kind = make("span", { class: "search-kind" }, hit.kind);
        const name = make("span", { class: "search-name" }, hit.text);
        const note = make("span", { class: "note" }, hit.copy ? hit.note + " · Enter copies it" : hit.note);
        const row = make("li", { role: "option", id: "search-hit-" + place }, kind, name, note);
        row.addEventListener("mousemove", () => at !== place && choose(place));
        row.addEventListener("click", () => take(hit));
        return row;
      }),
    );
    said.textContent = text;
    field.setAttribute("aria-expanded", String(hits.length > 0));
    choose(hits.length ? 0 : -1);
  }

  function take(hit) {
    if (hit.copy) {
      copy(hit.copy);
      return;
    }
    dialog.close();
    window.millworth.go(hit.href);
    window.scrollTo(0, 0);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied: " + text;
    } catch (refused) {
      // Over plain HTTP a browser hands out no clipboard: the text is there to be marked.
      field.value = text;
      field.select();
      said.textContent = "This browser allows no copy here: press Ctrl C.";
    }
  }

  function press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && hits.length) {
      event.preventDefault();
      choose((at + step + hits.length) % hits.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      // What was typed since the last answer is asked first.
      window.clearTimeout(timer);
      ask().then((answered) => answered && hits[at] && take(hits[at]));
    }
  }

  // True where the list is of what stands in the field.
  async function ask() {
    const wanted = field.value.trim();
    if (answeredFor === wanted && hits.length) {
      return true;
    }
    if (asking) {
      asking.abort();
    }
    const mine = (asking = new AbortController());
    const late = window.setTimeout(() => mine.abort("late"), ANSWER_MS);
    said.textContent = "Searching…";
    try {
      const path = "/api/v1/search?q=" + encodeURIComponent(wanted);
      const answer = await fetch(path, { signal: mine.signal });
      const found = await answer.json();
      if (!answer.ok) {
        throw new Error(found.detail || "status " + answer.status);
      }
      const away = found.away ? " Ids and names could not be read: " + found.away : "";
      const none = `Nothing has “${wanted}”. Looked through: ${found.looked_through.join("; ")}.`;
      answeredFor = wanted;
      show(found.hits, (found.hits.length ? "" : none) + away);
      return true;
    } catch (failed) {
      if (mine === asking && dialog.open) {
        answeredFor = null;
        const why = mine.signal.reason === "late" ? "no answer within 10 s" : failed.message;
        show([], "The search failed: " + why + ". Press Enter to try again.");
      }
      return false;
    } finally {
      window.clearTimeout(late);
    }
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest("#search-open")) {
      open();
    }
  });
})();

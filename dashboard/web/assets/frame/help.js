// What keys do, and links to what is shown: `?` or the button in the head opens it.
(function () {
  const keys = () => [
    ["Ctrl K", "search ids, names, pages and commands"],
    ["?", "this help"],
    ["Tab, arrows", "go from cell to cell of a table"],
    ["Enter", "follow the link of a cell, open a span"],
    ["Esc", "close what is open"],
    ["a waterfall", window.Waterfall.keys.HELP],
  ];
  let dialog, link, said;

  function make(tag, attributes, ...children) {
    const part = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => part.setAttribute(name, value));
    part.append(...children);
    return part;
  }

  // Of a range that follows the clock the same address shows another range a minute later.
  function address(isFrozen) {
    const found = new URL(window.location.href);
    if (isFrozen && !found.searchParams.get("until")) {
      found.searchParams.set("until", new Date().toISOString());
    }
    // Who is sent it may have chosen another clock.
    if (!found.searchParams.get("tz")) {
      found.searchParams.set("tz", "UTC");
    }
    return found.href;
  }

  async function copy(isFrozen) {
    link.value = address(isFrozen);
    link.hidden = false;
    try {
      await navigator.clipboard.writeText(link.value);
      said.textContent = "Copied.";
    } catch (refused) {
      // Over plain HTTP a browser hands out no clipboard: the text is there to be marked.
      link.select();
      said.textContent = "This browser allows no copy here: press Ctrl C.";
    }
  }

  function button(text, isFrozen) {
    const made = make("button", { type: "button" }, text);
    made.addEventListener("click", () => copy(isFrozen));
    return made;
  }

  function build() {
    const rows = keys().map(([key, does]) =>
      make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)),
    );
    link = make("input", { type: "text", id: "help-link", readonly: "", "aria-label": "Link" });
    said = make("div", { id: "help-said", class: "note", role: "status" });
    dialog = make(
      "dialog",
      { id: "help-dialog", "aria-label": "Keys and links" },
      make("h2", {}, "Share what you see"),
      make(
        "div",
        { class: "tools" },
        button("Copy a link that follows the clock", false),
        button("Copy a link to this moment", true),
      ),
      link,
      said,
      make("h2", {}, "Keys"),
      make("dl", {}, ...rows),
    );
    document.body.append(dialog);
    // A click beside the dialog is one on its backdrop.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  function open() {
    if (!dialog) {
      build();
    }
    if (!dialog.open && !document.querySelector("dialog[open]")) {
      link.hidden = true;
      said.textContent = "";
      dialog.showModal();
    }
  }

  function isTyping(target) {
    return target instanceof Element && Boolean(target.closest("input, textarea, [contenteditable]"));
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !event.ctrlKey && !event.metaKey && !isTyping(event.target)) {
      event.preventDefault();
      open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest && event.target.closest("#help-open")) {
      open();
    }
  });
})();

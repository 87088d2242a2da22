// Asks the service on every page how it is, and says what a page that stands still cannot say.
(function () {
  const EVERY_MS = 5000;
  let answeredAt = Date.now();
  let showing = "";

  function say(text, gone, again = false) {
    const box = document.getElementById("pulse");
    document.documentElement.classList.toggle("gone", gone);
    if (text !== showing) {
      showing = text;
      box.querySelector("span").textContent = text;
      box.querySelector("button").hidden = !again;
      box.hidden = text === "";
    }
  }

  // Of this page; what was left unanswered on another one is of no matter any more.
  function ofThisPage() {
    return [...window.millworthOpen.values()].filter(
      (each) => each.path === window.location.pathname,
    );
  }

  function sayGivenUp() {
    const which = "Some of what this page asked was not answered: what is shown may be of another choice.";
    say(which, true, true);
  }

  function sayAnswered(text) {
    const found = troubles(text);
    if (ofThisPage().some((each) => each.isGivenUp)) {
      sayGivenUp();
    } else if (text.includes("is stopping")) {
      say("Millworth is stopping.", false);
    } else if (ofThisPage().length) {
      found.push("Some of what this page asked is not answered yet; it is asked again by itself.");
      say(found.join(" · "), true);
    } else {
      say(found.join(" · "), false);
    }
  }

  // What a balancer is told too: a line a stage, and why one is not ready.
  function troubles(text) {
    return text
      .split("\n")
      .filter((line) => line.includes(": not ready: ") && !line.startsWith("pages: "))
      .map((line) => line.replace(": not ready: ", ": "));
  }

  async function ask() {
    try {
      const answer = await fetch("/pulse", {
        cache: "no-store",
        signal: AbortSignal.timeout(EVERY_MS),
      });
      const text = await answer.text();
      // A proxy's word for that it has no answer.
      if (answer.status >= 500) throw new Error(text);
      answeredAt = Date.now();
      if (answer.status === 401) {
        say(
          "You are signed out. Reload the page to sign in, or sign in in another tab " +
            "to keep what you are writing here.",
          true,
        );
      } else {
        sayAnswered(text);
      }
    } catch (silent) {
      const seconds = Math.round((Date.now() - answeredAt) / 1000);
      say(
        `No answer from Millworth for ${seconds} s. ` +
          `What is shown is of ${window.millworth.dated(answeredAt)} or before; it is asked again by itself.`,
        true,
      );
    }
    window.setTimeout(ask, EVERY_MS);
  }

  // The address has what was chosen: the page that it opens shows that, or says why not.
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#pulse button")) {
      window.location.reload();
    }
  });
  window.addEventListener("millworth-given-up", sayGivenUp);
  window.setTimeout(ask, EVERY_MS);
})();

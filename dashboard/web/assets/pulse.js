// Asks the service on every page how it is, and says what a page that stands still cannot say.
(function () {
  const EVERY_MS = 5000;
  let answeredAt = Date.now();
  let showing = "";

  function say(box, text, gone) {
    document.documentElement.classList.toggle("gone", gone);
    if (text !== showing) {
      showing = text;
      box.querySelector("span").textContent = text;
      box.hidden = text === "";
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
    const box = document.getElementById("pulse");
    try {
      const answer = await fetch("/pulse", {
        cache: "no-store",
        signal: AbortSignal.timeout(EVERY_MS),
      });
      const text = await answer.text();
      answeredAt = Date.now();
      if (answer.status === 401) {
        say(box, "You are signed out. Reload the page to sign in.", true);
      } else {
        const found = troubles(text);
        const stopping = text.includes("is stopping");
        say(box, stopping ? "Millworth is stopping." : found.join(" · "), false);
      }
    } catch (silent) {
      const seconds = Math.round((Date.now() - answeredAt) / 1000);
      say(
        box,
        `No answer from Millworth for ${seconds} s. ` +
          `What is shown is of ${window.millworth.dated(answeredAt)} or before; it is asked again by itself.`,
        true,
      );
    }
    window.setTimeout(ask, EVERY_MS);
  }

  window.setTimeout(ask, EVERY_MS);
})();

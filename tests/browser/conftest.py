"""Chromium as a visitor has it: an empty profile, and a record of every request it makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# How long to wait for what is looked for, never how fast it has to be: on two busy cores a page
# that takes a second on a quiet machine takes ten.
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)


@dataclass
class Visit:
    """One page, the requests it made to other hosts, and what it wrote to the console as errors."""

    page: Page
    foreign_requests: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Start Chromium once for all tests of this folder; what each sees is its own."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is not installed; `make install-test` installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Open a window on an empty profile, which ends with it."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    # Also of what `expect` does not wait for: a page that opens, a click, a key.
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    visit = Visit(page)

    def note_request(url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", None):
            visit.foreign_requests.append(url)

    page.on("request", lambda request: note_request(request.url))
    page.on(
        "console",
        lambda message: (
            visit.console_errors.append(message.text) if message.type == "error" else None
        ),
    )
    page.on("pageerror", lambda error: visit.console_errors.append(str(error)))
    yield visit
    context.close()


# Of a desk, and of a telephone in the hand of whoever is on call.
WIDE: Final[ViewportSize] = {"width": 1440, "height": 900}
NARROW: Final[ViewportSize] = {"width": 390, "height": 844}
# What is drawn to the width of its place hears of another width some frames later.
_OVER: Final = """async () => {
  const root = document.documentElement;
  for (let frame = 0; frame < 120 && root.scrollWidth > root.clientWidth; frame += 1) {
    await new Promise(requestAnimationFrame);
  }
  return root.scrollWidth - root.clientWidth;
}"""
# The end of a sum of money is its largest part, and that of an instant its day.
_CUT: Final = """() => [...document.querySelectorAll(".ag-cell div, .card div")]
  .filter(each => each.scrollWidth > each.clientWidth && !each.children.length)
  .map(each => each.textContent).filter(text => /\\$|\\d [A-Z]{3}\\b|^\\.\\d/.test(text))"""
# The second line of a cell is what the first is of.
_CLIPPED: Final = """() => [...document.querySelectorAll(".ag-cell .two")]
  .filter(each => {
    const cell = each.closest(".ag-cell"), wraps = cell.matches(".ag-cell-wrap-text");
    // A cell that wraps ends above what pads it.
    const below = wraps ? -parseFloat(getComputedStyle(cell).paddingBottom) : 1;
    return each.getBoundingClientRect().bottom > cell.getBoundingClientRect().bottom + below;
  })
  .map(each => each.textContent)"""


def runs_over(page: Page, where: str) -> list[str]:
    """Return where a page is wider than its window, or cuts a cell: both themes, both widths."""
    found = list[str]()
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.wait_for_selector(f"html[data-mantine-color-scheme={theme}]")
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            if (over := page.evaluate(_OVER)) > 0:
                found.append(f"{where} runs over by {over} px, {theme}, {size['width']} px")
            if cut := page.evaluate(_CUT) + page.evaluate(_CLIPPED):
                found.append(f"{where} cuts {cut}, {theme}, {size['width']} px")
    return found

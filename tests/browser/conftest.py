"""Chromium as a visitor has it: an empty profile, and a record of every request it makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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

"""I/O: Chromium, for benchmarks of pages: what a page asks its service for, and what it does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from collector.core.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
_CALLBACKS: Final = "/_dash-update-component"
_QUIET_MS: Final = 1_500
_LOOK_MS: Final = 250
PAGE_MS_MAX: Final = 120_000
# What a page has to begin with, for the figures that only a browser has.
WATCH: Final = """
window.benchTasks = []; window.benchShift = 0; window.benchPaint = 0;
performance.setResourceTimingBufferSize(10000);
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take))
  .observe({ type, buffered: true });
watch("longtask", (each) => window.benchTasks.push([each.startTime, each.duration]));
watch("layout-shift", (each) => { window.benchShift += each.hadRecentInput ? 0 : each.value; });
watch("largest-contentful-paint", (each) => { window.benchPaint = each.startTime; });
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser of its own, closed at the end.

    Raises:
        InputError: Chromium or playwright is not here.
    """
    path = shutil.which("chromium")
    try:
        playwright = import_module("playwright.sync_api")
    except ImportError:
        raise InputError("bench: playwright is not installed; `make install-dev` does it") from None
    if path is None:
        raise InputError("bench: chromium is not on the path; `make install-test` installs it")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Requests:
    """What a page has asked for since it was given, and what of it is not answered yet."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._waits = 0
        self._answered: list[Request] = []
        self.foreign = 0  # asked of another machine
        page.on("request", partial(self._count, 1))
        page.on("requestfinished", partial(self._count, -1))
        page.on("requestfailed", partial(self._count, -1))

    def wait(self) -> None:
        """Wait until callbacks were answered and none waits; a page asks again after seconds."""
        quiet_ms = waited_ms = 0
        while quiet_ms < _QUIET_MS and waited_ms < PAGE_MS_MAX:
            self._page.wait_for_timeout(_LOOK_MS)
            waited_ms += _LOOK_MS
            quiet_ms = quiet_ms + _LOOK_MS if self._answered and not self._waits else 0

    def callbacks(self) -> list[tuple[str, float]]:
        """Return of each callback what it writes, and ms from when the page wanted it to its end.

        The wait for one of a browser's six connections is in it.
        """
        return [
            (json.loads(each.post_data or "{}")["output"], each.timing["responseEnd"])
            for each in self._answered
        ]

    def _count(self, by: int, request: Request) -> None:
        self.foreign += by > 0 and urlsplit(request.url).hostname not in {"127.0.0.1", None}
        if _CALLBACKS in request.url:
            self._waits += by
            if by < 0:
                self._answered.append(request)

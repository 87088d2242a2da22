"""I/O: Chromium, for benchmarks of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

from collector.core.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")


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

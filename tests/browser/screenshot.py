"""Take docs/images/overview.png: the Overview of a demo while its incident lasts.

Run by `make screenshot`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.support.dashboard.demo import RunningDemo

# The incident lasts from 30 s to 120 s; a picture at about 90 s shows what came before it too.
RUN_S = 110
PICTURE_AFTER_S = 85
BYTES_MAX = 300_000
_ALERT_WAIT_MS = 75_000


def take(url: str, path: Path) -> None:
    """Open the Overview, wait for the alert of the incident, and write the picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed; `make install-test` installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, color_scheme="light")
        page.goto(url)
        _await_incident(page)
        page.screenshot(path=path)
        browser.close()


def _await_incident(page: Page) -> None:
    expect(page.locator("#overview-path .js-plotly-plot")).to_be_visible()
    expect(page.locator("#overview-alerts")).to_contain_text(
        "store slower by", timeout=_ALERT_WAIT_MS
    )
    # The demo has run for about 45 s by now; charts fill until the picture is taken.
    page.wait_for_timeout((PICTURE_AFTER_S - 45) * 1000)


def main(path: Path) -> None:
    """Run the demo and write the picture. Exits with 1 where it is too large for a README."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="millworth-screenshot-") as scratch,
        RunningDemo(Path(scratch) / "demo", RUN_S) as demo,
    ):
        take(demo.url, path)
    if (size := path.stat().st_size) > BYTES_MAX:
        raise SystemExit(f"{path}: {size} bytes, at most {BYTES_MAX}; make the window smaller")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""I/O: what somebody does on a store of a size: pages, an hour anew, a hold, fewer days."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from collector.bench.harness import Progress
from collector.core.clock import NS_PER_DAY, NS_PER_HOUR, NS_PER_S, SystemClock
from collector.core.errors import InputError
from dashboard.bench.chromium import chromium
from dashboard.bench.growth.look import look
from dashboard.bench.served import NO_PACKETS, Served, served
from dashboard.units import utc_iso

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

_PAGES: Final = {
    "overview": "/",
    "alerts": "/alerts",
    "explore": "/explore",
    "decisions": "/decision",
    "budgets": "/budgets",
    "velocity": "/velocity",
    "network": "/network",
    "trust": "/trust",
    "health": "/health",
}
_WINDOW: Final = "window=24h"
_CALLBACKS: Final = "/_dash-update-component"
_PAGE_MS_MAX: Final = 120_000
_QUIET_MS: Final = 1_500
_LOOK_MS: Final = 250
_WAIT_S_MAX: Final = 600.0
_FEWER_DAYS: Final = "[retention]\ndecisions_days = 25\n"


def pages(service: Served, progress: Progress) -> dict[str, float]:
    """Return what each page costs the service until the browser waits for nothing more."""
    figures: dict[str, float] = {}
    try:
        with chromium() as browser:
            for name, path in _PAGES.items():
                before = look(service)
                page = browser.new_page()
                answers = _Answers(page)
                page.goto(f"{service.pages}{path}?{_WINDOW}", timeout=_PAGE_MS_MAX)
                answers.wait()
                after = look(service)
                page.close()
                figures[f"page_cpu_s_{name}"] = after.cpu_s - before.cpu_s
                figures[f"page_rows_{name}"] = after.rows_asked_since(before)
    except InputError as error:
        progress(f"no pages: {error}")
    return figures


class _Answers:
    """What a page has asked the service for, and waits for."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asked, self._waits = 0, 0
        page.on("request", partial(self._count, 1))
        page.on("requestfinished", partial(self._count, -1))
        page.on("requestfailed", partial(self._count, -1))

    def wait(self) -> None:
        """Wait until it was answered and asks for no more; a page asks again after seconds."""
        quiet_ms = waited_ms = 0
        while quiet_ms < _QUIET_MS and waited_ms < _PAGE_MS_MAX:
            self._page.wait_for_timeout(_LOOK_MS)
            waited_ms += _LOOK_MS
            quiet_ms = quiet_ms + _LOOK_MS if self._asked and not self._waits else 0

    def _count(self, by: int, request: Request) -> None:
        if _CALLBACKS in request.url:
            self._asked += by > 0
            self._waits += by


def acts(service: Served, progress: Progress) -> dict[str, float]:
    """Return what an hour that is attributed anew costs, and a hold on all that is kept."""
    now_ns = SystemClock().now_ns()
    begin_ns = now_ns - 10 * NS_PER_DAY
    hour = {
        "begin": f"{utc_iso(begin_ns)}Z",
        "end": f"{utc_iso(begin_ns + NS_PER_HOUR)}Z",
    }
    hold = {
        "name": "bench",
        "tables": ["*"],
        "from_ns": now_ns - 20 * NS_PER_DAY,
        "to_ns": now_ns - 10 * NS_PER_DAY,
        "reason": "bench growth",
        "actor": "bench",
    }
    figures: dict[str, float] = {}
    with httpx.Client(base_url=service.pages, trust_env=False, timeout=_WAIT_S_MAX) as http:
        for name, path, body in (("recompute", "recompute", hour), ("hold", "holds", hold)):
            before = look(service)
            answer = http.post(f"/api/v1/{path}", json=body)
            after = look(service)
            if answer.status_code != httpx.codes.OK:
                progress(f"{path}: {answer.status_code} {answer.text[:200]}")
                continue
            figures[f"{name}_s"] = (after.at_ns - before.at_ns) / NS_PER_S
            figures[f"{name}_cpu_s"] = after.cpu_s - before.cpu_s
            figures[f"{name}_rows"] = after.rows_asked_since(before)
            progress(f"{name} in {figures[f'{name}_s']:.1f} s")
    return figures


def changed_retention(scratch: Path, progress: Progress) -> dict[str, float]:
    """Return how long a start takes that keeps what is there for fewer days."""
    with served(scratch, NO_PACKETS + _FEWER_DAYS) as service:
        progress(f"fewer days: ready in {service.ready_s:.1f} s")
        return {
            "retention_receives_s": service.receives_s,
            "retention_ready_s": service.ready_s,
        }

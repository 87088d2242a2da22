"""I/O: what somebody does on a store of a size: pages, an hour anew, a hold, fewer days."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx

from collector.bench.harness import Progress
from collector.core.clock import SystemClock
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from dashboard.bench.chromium import PAGE_MS_MAX, Requests, chromium
from dashboard.bench.growth.look import look
from dashboard.bench.served import NO_PACKETS, Served, served
from dashboard.units import utc_iso

PAGES: Final = {
    "overview": "/",
    "alerts": "/alerts",
    "explore": "/explore",
    "decisions": "/decisions",
    "budgets": "/budgets",
    "velocity": "/velocity",
    "network": "/network",
    "trust": "/trust",
    "health": "/health",
}
_WINDOW: Final = "window=24h"
_WAIT_S_MAX: Final = 600.0
_FEWER_DAYS: Final = "[retention]\ndecisions_days = 25\n"


def pages(service: Served, progress: Progress) -> dict[str, float]:
    """Return what each page costs the service until the browser waits for nothing more."""
    figures: dict[str, float] = {}
    try:
        with chromium() as browser:
            for name, path in PAGES.items():
                before = look(service)
                page = browser.new_page()
                requests = Requests(page)
                page.goto(f"{service.pages}{path}?{_WINDOW}", timeout=PAGE_MS_MAX)
                requests.wait()
                after = look(service)
                page.close()
                figures[f"page_cpu_s_{name}"] = after.cpu_s - before.cpu_s
                figures[f"page_rows_{name}"] = after.rows_asked_since(before)
    except InputError as error:
        progress(f"no pages: {error}")
    return figures


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

"""I/O: what one who opens a page waits for, and what the service reads for it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from collector.bench.harness import MIB, Progress
from dashboard.bench.chromium import PAGE_MS_MAX, WATCH, Requests
from dashboard.bench.growth.look import look
from dashboard.bench.served import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCOPES: Final = {"": "&action=offer&region=eu-west", "all_": ""}  # by the prefix of their keys
_WINDOW: Final = "?window=24h"
_MS_PER_S: Final = 1_000
_FOUND: Final = """() => {
  const own = performance.getEntriesByType("resource");
  const [address] = performance.getEntriesByType("navigation");
  const bytes = own.reduce((sum, each) => sum + each.transferSize, address.transferSize);
  return [window.benchPaint, window.benchShift, own.length + 1, bytes / 1024];
}"""
_DRAWN: Final = """() => {
  const drawn = performance.getEntriesByName("waterfall-drawn")[0].startTime;
  // Until the task that it was drawn in, and those before, are done, no key is answered.
  const busy = window.benchTasks.filter(([at]) => at < drawn).map(([at, long]) => at + long);
  return Math.max(drawn, ...busy);
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page, opened by a browser without a cache until it waits for nothing more."""

    panels: list[tuple[str, float]]  # what a callback writes, and ms from wanted to answered
    lcp_ms: float  # until the largest text or picture was painted
    cls: float  # how much layout moved
    requests: float
    kib: float  # as transferred
    foreign: int  # requests to other machines


def run_visits(
    browser: Browser,
    service: Served,
    pages: Mapping[str, str],
    decision: str,
    runs: int,
    progress: Progress,
) -> dict[str, float]:
    """Return medians over visits, and percentiles over all callbacks of all pages.

    Args:
        browser: each visit is a context of its own in it.
        service: with a day of decisions.
        pages: paths by name.
        decision: the id of one of eight spans.
        runs: visits a page and scope.
        progress: told of each page.

    Keys: `panel_p95_ms` of callbacks scoped to an action and a region, `panel_all_p95_ms` of those
    without a scope; of each page without a scope `panel_p95_ms_PAGE`, `lcp_s_PAGE`, `cls_PAGE`,
    `requests_PAGE`, `kib_PAGE`, `rows_PAGE` and `mib_read_PAGE` (which the store read for it);
    `lcp_s` and `cls`, the worst of these; `decision_8_interactive_s`, from the address of a
    decision of eight spans until its rows are drawn and answer; `external_requests`, of all.
    """
    figures: dict[str, float] = {}
    panels: defaultdict[str, list[float]] = defaultdict(list)
    foreign = 0
    for name, path in pages.items():
        for key, scope in SCOPES.items():
            before = look(service)
            visits = [visit(browser, f"{service.pages}{path}{_WINDOW}{scope}") for _ in range(runs)]
            after = look(service)
            own = [ms for each in visits for _, ms in each.panels]
            panels[key] += own
            foreign += sum(each.foreign for each in visits)
            slowest = max((each for of in visits for each in of.panels), key=lambda each: each[1])
            progress(
                f"dashboard: {name}{scope or ', all'}: panels p95 {p95(own):.0f} ms,"
                f" slowest {slowest[0][:60]} {slowest[1]:.0f} ms"
            )
        figures |= {
            f"panel_p95_ms_{name}": p95(own),
            f"lcp_s_{name}": statistics.median(each.lcp_ms for each in visits) / _MS_PER_S,
            f"cls_{name}": max(each.cls for each in visits),
            f"requests_{name}": statistics.median(each.requests for each in visits),
            f"kib_{name}": statistics.median(each.kib for each in visits),
            f"rows_{name}": after.rows_asked_since(before) / runs,
            f"mib_read_{name}": after.bytes_asked_since(before) / runs / MIB,
        }
    drawn = [_decision(browser, f"{service.pages}/decision?id={decision}") for _ in range(runs)]
    return {
        "panel_p95_ms": p95(panels[""]),
        "panel_all_p95_ms": p95(panels["all_"]),
        "lcp_s": max(value for key, value in figures.items() if key.startswith("lcp_s_")),
        "cls": max(value for key, value in figures.items() if key.startswith("cls_")),
        "decision_8_interactive_s": statistics.median(drawn) / _MS_PER_S,
        "external_requests": float(foreign),
        **figures,
    }


def visit(browser: Browser, address: str) -> Visit:
    """Open a page as one who was never here, and wait until it waits for nothing more."""
    page = _new_page(browser)
    requests = Requests(page)
    page.goto(address, timeout=PAGE_MS_MAX)
    requests.wait()
    lcp_ms, cls, count, kib = page.evaluate(_FOUND)
    found = Visit(requests.callbacks(), lcp_ms, cls, count, kib, requests.foreign)
    page.context.close()
    return found


def p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return float(np.percentile(values, 95))


def _decision(browser: Browser, address: str) -> float:
    """Return ms until a decision's rows are drawn and answer."""
    page = _new_page(browser)
    page.goto(address, timeout=PAGE_MS_MAX)
    page.get_by_role("treeitem").first.wait_for(timeout=PAGE_MS_MAX)
    drawn_ms: float = page.evaluate(_DRAWN)
    page.context.close()
    return drawn_ms


def _new_page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(WATCH)
    return page

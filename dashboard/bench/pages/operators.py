"""I/O: what those who keep pages open wait for at each refresh, and what they cost the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from collector.bench.harness import MIB, Progress
from collector.core.times import NS_PER_S
from dashboard.bench.chromium import PAGE_MS_MAX, Requests
from dashboard.bench.growth.look import look
from dashboard.bench.pages.visits import p95
from dashboard.bench.served import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPERATORS: Final = 8
_WINDOW: Final = "?window=24h"
_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Load:
    cores: float  # of the service
    p95_ms: float  # of callbacks, 0 where there are none


def run_operators(
    browser: Browser,
    service: Served,
    pages: Mapping[str, str],
    watched_s: float,
    soak_s: float,
    progress: Progress,
) -> dict[str, float]:
    """Return figures of no, one and eight open pages, each for `watched_s`, and of one kept open.

    Keys: `eight_p95_ms` of the callbacks of eight who look at the Overview, `eight_pages_p95_ms`
    of eight who look at different pages; `cores_none`, `cores_one`, `cores_eight` and
    `cores_eight_pages` of the service; `x_eight_cpu`, of `cores_eight` to `cores_one`;
    `heap_growth_mib` and `dom_growth_nodes` of an Overview kept open for `soak_s`, after garbage
    was collected, beside the same after a tenth of it.
    """
    overview = [pages["overview"]]
    kinds = {
        "none": [],
        "one": overview,
        "eight": overview * OPERATORS,
        "eight_pages": list(islice(cycle(pages.values()), OPERATORS)),
    }
    watched = {}
    for name, paths in kinds.items():
        watched[name] = _watch(browser, service, paths, watched_s)
        progress(
            f"dashboard: {len(paths)} open pages ({name}): {watched[name].cores:.2f} cores of the"
            f" service, callbacks p95 {watched[name].p95_ms:.0f} ms"
        )
    return {
        "eight_p95_ms": watched["eight"].p95_ms,
        "eight_pages_p95_ms": watched["eight_pages"].p95_ms,
        "x_eight_cpu": watched["eight"].cores / watched["one"].cores,
        **{f"cores_{name}": each.cores for name, each in watched.items()},
        **_kept_open(browser, f"{service.pages}{overview[0]}{_WINDOW}", soak_s, progress),
    }


def _watch(browser: Browser, service: Served, paths: list[str], watched_s: float) -> _Load:
    """Return what pages cost for a while, once all are there."""
    # A browser of each: they share nothing but the machine and the service.
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in paths]
    pages = [context.new_page() for context in contexts]
    clock = browser.new_context().new_page()
    for page, path in zip(pages, paths, strict=True):
        page.goto(f"{service.pages}{path}{_WINDOW}", timeout=PAGE_MS_MAX)
    clock.wait_for_timeout(watched_s * _MS_PER_S / 6)  # until all are there
    refreshes = [Requests(page) for page in pages]
    before = look(service)
    clock.wait_for_timeout(watched_s * _MS_PER_S)
    after = look(service)
    took_ms = [ms for each in refreshes for _, ms in each.callbacks()]
    for context in [*contexts, clock.context]:
        context.close()
    seconds = (after.at_ns - before.at_ns) / NS_PER_S
    return _Load((after.cpu_s - before.cpu_s) / seconds, p95(took_ms) if took_ms else 0.0)


def _kept_open(
    browser: Browser, address: str, soak_s: float, progress: Progress
) -> dict[str, float]:
    """Return by how much the heap and the nodes of a page grew."""
    page = browser.new_page()
    page.goto(address, timeout=PAGE_MS_MAX)
    page.wait_for_timeout(soak_s * _MS_PER_S / 10)
    early = _heap(page)
    page.wait_for_timeout(soak_s * _MS_PER_S * 9 / 10)
    late = _heap(page)
    page.close()
    grown = {key: late[key] - early[key] for key in early}
    progress(f"dashboard: kept open for {soak_s:.0f} s: {grown['heap_growth_mib']:+.1f} MiB")
    return grown


def _heap(page: Page) -> dict[str, float]:
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    devtools.send("Performance.enable")
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    values = {each["name"]: each["value"] for each in metrics}
    devtools.detach()
    return {
        "heap_growth_mib": values["JSHeapUsedSize"] / MIB,
        "dom_growth_nodes": values["Nodes"],
    }

"""I/O: `millworth bench dashboard`: a decision of ten thousand spans, as Chromium shows it.

`millworth up` runs as a command over a directory of its own and is sent one decision by OTLP. A
browser without a cache opens its page for each run. Times are those of the browser: what the
Performance API says of tasks, of frames while the rows are scrolled, and of layout that moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

from collector.bench.harness import Progress, medians, own_directory
from collector.core.clock import SystemClock
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS, NS_PER_S
from dashboard.bench.chromium import WATCH, Requests, chromium
from dashboard.bench.served import NO_PACKETS, Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SPANS: Final = 10_000
_BATCH: Final = 2_000
_DECISION: Final = "bench"
_TRACE: Final = "be" * 16
_ATTRIBUTED_S_MAX: Final = 180.0
_FOUND: Final = """async () => {
  const answer = performance.getEntriesByType("resource")
    .find((each) => each.name.includes("/api/v1/waterfall?"));
  const drawn = performance.getEntriesByName("waterfall-drawn")[0].startTime;
  const scroll = document.querySelector(".wf-scroll");
  const frames = [];
  await new Promise((done) => {
    let before = 0;
    const step = (now) => {
      frames.push(now - before);
      before = now;
      scroll.scrollTop += 90;
      frames.length < 301 ? requestAnimationFrame(step) : done();
    };
    requestAnimationFrame(step);
  });
  const own = frames.slice(1).sort((a, b) => a - b);
  const tasks = window.benchTasks.filter(([at, long]) =>
    at + long > answer.responseEnd && at < drawn);
  return {
    trace_10k_ms: drawn - answer.responseEnd,
    trace_10k_longest_task_ms: Math.max(0, ...tasks.map(([, long]) => long)),
    trace_10k_answer_ms: answer.responseEnd - answer.requestStart,
    trace_10k_answer_kib: answer.transferSize / 1024,
    trace_10k_drawn_ms: drawn,
    scroll_frame_p50_ms: own[150],
    scroll_frame_p95_ms: own[285],
    scroll_late_frames_ratio: own.filter((each) => each > 20).length / own.length,
    rows_in_dom: document.querySelectorAll("[role=treeitem]").length,
    trace_10k_cls: window.benchShift,
  };
}"""


def run_waterfall(runs: int, progress: Progress) -> dict[str, float]:
    """Return medians over runs, each a new browser without a cache.

    Keys: `trace_10k_ms` from the answer to the first paint, the wait for a frame included, and
    `trace_10k_longest_task_ms`, the longest task in it (0: none of 50 ms or more);
    `trace_10k_answer_ms`, `_kib` of /api/v1/waterfall; `trace_10k_drawn_ms` from the address to
    the first paint; `scroll_frame_p50_ms`, `_p95_ms` and `scroll_late_frames_ratio` (over 20 ms)
    of 300 frames; `span_panel_ms` from a click to all that is known of a span; `rows_in_dom`,
    `trace_10k_cls`, `external_requests`.

    Raises:
        InputError: Chromium or playwright is not here, or the decision was not attributed.
    """
    with own_directory() as scratch, chromium() as open_one, served(scratch, NO_PACKETS) as service:
        _send(service)
        progress(f"dashboard: {SPANS} spans are stored and attributed")
        done = []
        for run in range(runs):
            done.append(_visit(open_one, service.pages))
            progress(f"dashboard: run {run + 1}: {done[-1]['trace_10k_ms']:.0f} ms to first paint")
    return medians(done)


def _visit(browser: Browser, pages: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    requests = Requests(page)
    page.add_init_script(WATCH)
    page.goto(f"{pages}/decision?id={_DECISION}")
    rows = page.get_by_role("treeitem")
    rows.first.wait_for(timeout=60_000)
    page.wait_for_load_state("networkidle")
    figures: dict[str, float] = page.evaluate(_FOUND)
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    rows.nth(3).click()
    page.locator(".wf-links").wait_for(timeout=60_000)
    figures["span_panel_ms"] = (clock.monotonic_ns() - began_ns) / NS_PER_MS
    figures["external_requests"] = float(requests.foreign)
    context.close()
    return figures


def _send(service: Served) -> None:
    """Send one decision of SPANS spans, four deep, and wait until it is attributed."""
    clock = SystemClock()
    began_ns = clock.now_ns() - 60 * NS_PER_S
    spans = [
        _span(0, began_ns, SPANS * 2 * NS_PER_MS),
        *(_call(number, began_ns) for number in range(1, SPANS)),
    ]
    with httpx.Client(trust_env=False, timeout=60) as http:
        for begin in range(0, SPANS, _BATCH):
            http.post(
                f"http://127.0.0.1:{service.http_port}/v1/traces",
                json=_request(spans[begin : begin + _BATCH]),
            ).raise_for_status()
        deadline_ns = clock.monotonic_ns() + round(_ATTRIBUTED_S_MAX * NS_PER_S)
        while clock.monotonic_ns() < deadline_ns:
            answer = http.get(f"{service.pages}/api/v1/decisions/{_DECISION}")
            split = answer.json().get("attribution") if answer.status_code == 200 else None
            if split and split["span_count"] == SPANS:
                return
    raise InputError(f"bench: the decision was not attributed in {_ATTRIBUTED_S_MAX:.0f} s")


def _call(number: int, began_ns: int) -> dict[str, Any]:
    return _span(number, began_ns + number * 2 * NS_PER_MS, NS_PER_MS * (1 + number % 3))


def _span(number: int, start_ns: int, took_ns: int) -> dict[str, Any]:
    above = number - 1 if number % 4 else 0
    attributes = {"call.number": str(number)}
    if number == 0:
        attributes = {"decision.action": "offer", "decision.id": _DECISION}
    return {
        "traceId": _TRACE,
        "spanId": f"{number + 1:016x}",
        "parentSpanId": f"{above + 1:016x}" if number else "",
        "name": f"call {number % 40}" if number else "decide",
        "kind": 3 if number else 2,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + took_ns),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }


def _request(spans: list[dict[str, Any]]) -> dict[str, Any]:
    service = {"key": "service.name", "value": {"stringValue": "bench"}}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [service]}, "scopeSpans": [{"scope": {}, "spans": spans}]}
        ]
    }

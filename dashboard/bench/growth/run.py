"""I/O: `millworth bench growth`: the whole service on stores of different sizes.

The same for each size: start, idleness, 60 decisions a second as they happen, a thousand late ones
of 20 days beside them, routes, SIGTERM. CPU is that of the service and its children, and rows are
what the engine says that it read, so that figures of sizes can be compared on a busy machine.
"""

from __future__ import annotations

import http.client
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from collector.bench.decision_load import decision_patterns
from collector.bench.harness import Progress, own_directory
from collector.bench.open_sender import OpenSender
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.bench.growth.acts import acts, changed_retention, pages
from dashboard.bench.growth.look import Look, late_done_at, look
from dashboard.bench.growth.store import build, copy
from dashboard.bench.process_figures import cpu_by_thread_s, peak_rss_mib
from dashboard.bench.served import NO_PACKETS, Served, served

SPANS: Final = (1_000_000, 10_000_000)
LATE: Final = 1_000
LATE_DAYS: Final = 20
_RATE: Final = 60
_SETTLE_S: Final = 60.0  # jobs that run once an hour run at the start
_IDLE_S: Final = 60.0
_RAMP_S: Final = 15.0
_LIVE_S: Final = 45.0
_LATE_S_MAX: Final = 300.0
_STOP_S_MAX: Final = 60.0
_LOOK_S: Final = 1.0
_READY_S: Final = 5.0
_ROUTES: Final = {
    "alerts": "/api/v1/alerts?window=7d",
    "reconcile": "/api/v1/reconcile?window=24h",
    "modes": "/api/v1/vram/modes?window=24h",
    "caches": "/api/v1/vram/caches?window=24h",
    "debt": "/api/v1/vram/debt",
    "nodes": "/api/v1/vram/nodes?window=24h",
    "cost": "/api/v1/cost?window=24h",
    "channels": "/api/v1/vram/channels?window=24h",
    "budgets": "/api/v1/budgets",
    "retention": "/api/v1/retention",
    "health": "/api/v1/health",
    "readyz": "/readyz",
    "metrics": "/metrics",
}


def run_growth(
    runs: int,
    progress: Progress,
    *,
    spans: Sequence[int] = (),
    directory: Path | None = None,
) -> dict[str, float]:
    """Return the figures of one run a size, by size in millions of spans.

    Args:
        runs: not heeded: a run takes minutes a size, and its figures are of CPU and rows.
        progress: told how far it is.
        spans: sizes of the stores, by default `SPANS`.
        directory: where stores are kept; those that are there are used again.

    Keys, of a store of N million spans: `ready_s_Nm`, `ready_cpu_s_Nm`, `idle_cores_Nm`,
    `idle_rows_per_s_Nm`, `live_cpu_ms_Nm` (a decision at 60/s), `live_rows_per_s_Nm`,
    `late_s_Nm` (until a thousand are attributed and counted), `late_cpu_s_Nm`, `late_added_s_Nm`
    (by which what comes meanwhile is later; none of these where it was not
    done in five minutes), `route_cpu_s_NAME_Nm`, `route_rows_NAME_Nm`,
    `page_cpu_s_NAME_Nm`, `page_rows_NAME_Nm` (in Chromium, where it is installed),
    `recompute_cpu_s_Nm`, `recompute_rows_Nm` and `recompute_s_Nm` (an hour), `hold_s_Nm`,
    `hold_cpu_s_Nm` (adding one), `rows_JOB_Nm` (a minute of idleness), `stop_s_Nm`, `peak_gb_Nm`
    (before the hour and the hold), `peak_acts_gb_Nm`, and of a start with fewer days of retention
    `retention_receives_s_Nm` and `retention_ready_s_Nm`. Of the largest over the smallest:
    `x_live_cpu_Nm`, `x_worst_Nm` (of CPU).
    """
    kept = directory or Path(tempfile.gettempdir()) / "millworth-growth"
    figures: dict[str, float] = {}
    found: list[dict[str, float]] = []
    for number, size in enumerate(sorted(spans or SPANS)):
        name = f"{size / 1e6:g}m"
        build(kept / name, size, progress)
        found.append(_measured(kept / name, number, progress))
        figures |= {f"{key}_{name}": value for key, value in found[-1].items()}
    ratios = {
        key: found[-1][key] / value
        for key, value in found[0].items()
        if "cpu" in key and value > 0 and key in found[-1]
    }
    if len(found) > 1:
        figures[f"x_live_cpu_{name}"] = ratios["live_cpu_ms"]
        figures[f"x_worst_{name}"] = max(ratios.values())
    return figures


def _measured(kept: Path, seed: int, progress: Progress) -> dict[str, float]:
    waiting = threading.Event()
    with own_directory() as scratch:
        copy(kept, scratch)
        with served(scratch, NO_PACKETS) as service:
            waiting.wait(_READY_S)
            figures = {
                "ready_s": service.ready_s,
                "ready_cpu_s": cpu_by_thread_s(service.pid)[""],
            }
            waiting.wait(_SETTLE_S)
            figures |= _idle(service, waiting)
            progress(f"idle, {figures['idle_cores']:.3f} cores")
            figures |= _live_and_late(service, seed, waiting, progress)
            figures |= _routes(service, progress)
            figures |= pages(service, progress)
            figures["peak_gb"] = peak_rss_mib(service.pid) / 1024
            figures |= acts(service, progress)
            figures["peak_acts_gb"] = peak_rss_mib(service.pid) / 1024
            figures["stop_s"] = _stopped_s(service.pid, waiting)
            progress(f"stopped in {figures['stop_s']:.1f} s")
        figures |= changed_retention(scratch, progress)
    return figures


def _idle(service: Served, waiting: threading.Event) -> dict[str, float]:
    before = look(service)
    waiting.wait(_IDLE_S)
    after = look(service)
    seconds = (after.at_ns - before.at_ns) / NS_PER_S
    return {
        "idle_cores": (after.cpu_s - before.cpu_s) / seconds,
        "idle_rows_per_s": (after.rows_read - before.rows_read) / seconds,
        **{
            f"rows_{asker.removeprefix('job ')}": rows - before.rows.get(asker, 0.0)
            for asker, rows in after.rows.items()
            if asker.startswith("job ")
        },
    }


def _live_and_late(
    service: Served, seed: int, waiting: threading.Event, progress: Progress
) -> dict[str, float]:
    sender = OpenSender(service.http_port, seed + 1)
    sender.send(_RATE, _RAMP_S + _LIVE_S + _LATE_S_MAX / 2)
    waiting.wait(_RAMP_S)
    before, looks = look(service), list[Look]()
    while not looks or looks[-1].at_ns - before.at_ns < _LIVE_S * NS_PER_S:
        waiting.wait(_LOOK_S)
        looks.append(look(service))
    seconds = (looks[-1].at_ns - before.at_ns) / NS_PER_S
    live_cores = (looks[-1].cpu_s - before.cpu_s) / seconds
    alone_s = _most(looks, "attributed")
    progress(f"live, {live_cores:.2f} cores, at most {alone_s:.1f} s behind")
    _send_late(service.http_port)
    sent = look(service)
    late, is_done = _until_no_longer_late(service, sent, waiting)
    late_s = (late[-1].at_ns - sent.at_ns) / NS_PER_S
    beside_s = _most(late, "attributed")
    sender.sent()
    sender.close()
    live = {
        "live_cpu_ms": live_cores / _RATE * 1_000,
        "live_rows_per_s": (looks[-1].rows_read - before.rows_read) / seconds,
    }
    if not is_done:
        progress(f"late, not done in {late_s:.0f} s: no figures")
        return live
    progress(f"late, {late_s:.0f} s; what came meanwhile at most {beside_s:.1f} s behind")
    return live | {
        "late_s": late_s,
        "late_cpu_s": max(late[-1].cpu_s - sent.cpu_s - live_cores * late_s, 0.0),
        "late_added_s": max(beside_s - alone_s, 0.0),
    }


def _until_no_longer_late(
    service: Served, sent: Look, waiting: threading.Event
) -> tuple[list[Look], bool]:
    """Return looks until what was sent is done, and whether it is; or looks of so long."""
    looks = list[Look]()
    while not looks or looks[-1].at_ns - sent.at_ns < _LATE_S_MAX * NS_PER_S:
        waiting.wait(_LOOK_S)
        looks.append(look(service))
        if done := late_done_at(sent, looks):
            return looks[:done], True
    return looks, False


def _most(looks: Iterable[Look], stage: str) -> float:
    return max(each.behind_s[stage] for each in looks)


def _send_late(port: int) -> None:
    """Send decisions that lie evenly in the last days, a request each."""
    spans, _ = decision_patterns(77, 1, SystemClock().now_ns())
    line = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(LATE):
        body = spans.request((99 << 40) + number, -(number + 1) * LATE_DAYS * NS_PER_DAY // LATE)
        line.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = line.getresponse()
        answer.read()
        assert answer.status == http.client.OK, answer.status
    line.close()


def _routes(service: Served, progress: Progress) -> dict[str, float]:
    figures: dict[str, float] = {}
    with httpx.Client(base_url=service.pages, trust_env=False, timeout=300) as http_client:
        for name, path in _ROUTES.items():
            before = look(service)
            answer = http_client.get(path)
            after = look(service)
            if answer.status_code != httpx.codes.OK:
                progress(f"{path}: {answer.status_code}")
                continue
            figures[f"route_cpu_s_{name}"] = after.cpu_s - before.cpu_s
            figures[f"route_rows_{name}"] = after.rows_asked_since(before)
    return figures


def _stopped_s(pid: int, waiting: threading.Event) -> float:
    """Return how long a process takes to end after SIGTERM."""
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    os.kill(pid, signal.SIGTERM)
    while (past_s := (clock.monotonic_ns() - began_ns) / NS_PER_S) < _STOP_S_MAX:
        with suppress(OSError):
            # It has ended, and its parent, which is this process, has not asked about it yet.
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                waiting.wait(0.05)
                continue
        return past_s
    return _STOP_S_MAX

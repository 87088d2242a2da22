"""I/O: `millworth bench recovery`: delays injected through the reference path, and found again."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from attribution.core.segments import SEGMENTS
from attribution.whatif.recovery import summary_of
from collector.bench.harness import Progress, medians
from collector.core.clock import SystemClock
from collector.core.errors import TransientError
from collector.core.times import NS_PER_S
from dashboard.demo.own_service import endpoint, own_service
from dashboard.reference.launch import ReferencePathError
from dashboard.service.calibration import Calibration, Comparison, InjectedDecision, compare
from dashboard.service.process import Service

DELAYS_MS = (1.0, 5.0, 20.0, 80.0)
ROUNDS = 20
DRAIN_S_MAX = 60.0
_CHECK_S = 0.25


def run_recovery(runs: int, progress: Progress) -> dict[str, float]:
    """Inject 1, 5, 20 and 80 ms into each segment in turn, and count what attribution finds.

    Returns:
        Medians over the runs. `right_segment_ratio` and `error_ratio_*` hold the very stretch of
        time that was injected against the critical path; `blamed_ratio_*` looks as an operator
        does, at the segment that is furthest above its usual, and `largest_ratio` is the rival:
        the segment that takes longest.
    """
    settings: dict[str, dict[str, object]] = {
        "packet": {"enabled": False},
        "attribution": {"settle_s": 2.0},
    }
    with own_service(**settings) as service:
        progress("starting the reference decision path ...")
        try:
            with Calibration(endpoint(service), DELAYS_MS) as calibration:
                done = [
                    _run(service, calibration, f"run {number + 1} of {runs}", progress)
                    for number in range(runs)
                ]
        except ReferencePathError as error:
            raise TransientError(f"the reference decision path: {error}") from error
    return medians(done)


def _run(
    service: Service, calibration: Calibration, name: str, progress: Progress
) -> dict[str, float]:
    clock = SystemClock()
    from_ns = clock.now_ns()
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % 140 == 0:
            progress(f"{name}: {done} decisions")

    injected = calibration.run(ROUNDS, count)
    comparisons = _settled(service, injected, from_ns)
    return _figures(injected, comparisons)


def _settled(
    service: Service, injected: Sequence[InjectedDecision], from_ns: int
) -> list[Comparison]:
    """Wait until every decision is attributed with all its spans, and judge."""
    deadline_ns = service.clock.monotonic_ns() + round(DRAIN_S_MAX * NS_PER_S)
    waiting = threading.Event()
    # Exporters of the path's processes send twice a second; later spans give a new revision.
    waiting.wait(2.0)
    service.collector.flush(DRAIN_S_MAX)
    while True:
        service.attribution.drain(service.clock.now_ns())
        comparisons = compare(injected, service.store, from_ns)
        if len(comparisons) == len(injected) or service.clock.monotonic_ns() > deadline_ns:
            return comparisons
        waiting.wait(_CHECK_S)


def _figures(
    injected: Sequence[InjectedDecision], comparisons: Sequence[Comparison]
) -> dict[str, float]:
    if not comparisons:
        raise TransientError("no decision of the calibration was attributed; look at the log")
    whole = summary_of([each.recovered for each in comparisons])
    assert whole.right_segment_ratio is not None
    assert whole.error_ratio_p50 is not None
    assert whole.error_ratio_p99 is not None
    figures = {
        "decisions": float(len(comparisons)),
        "unjudged": float(len(injected) - len(comparisons)),
        "right_segment_ratio": whole.right_segment_ratio,
        "error_ratio_p50": whole.error_ratio_p50,
        "error_ratio_p99": whole.error_ratio_p99,
    }
    time_ns = np.array([each.segment_ns for each in comparisons])
    segment = np.array([SEGMENTS.index(_pair(each.known.segment)) for each in comparisons])
    usual = np.array(
        [
            np.median(time_ns[segment != index, index]) if (segment != index).any() else 0.0
            for index in range(len(SEGMENTS))
        ]
    )
    blamed = (time_ns - usual).argmax(axis=1) == segment
    added = np.array([each.known.added_ms for each in comparisons])
    for added_ms in DELAYS_MS:
        is_own_segment = added == added_ms
        part = summary_of(
            [
                each.recovered
                for each, is_own in zip(comparisons, is_own_segment, strict=True)
                if is_own
            ]
        )
        figures[f"error_ratio_p99_{added_ms:g}ms"] = part.error_ratio_p99 or 0.0
        figures[f"blamed_ratio_{added_ms:g}ms"] = float(blamed[is_own_segment].mean())
    figures["blamed_ratio"] = float(blamed.mean())
    figures["largest_ratio"] = float((time_ns.argmax(axis=1) == segment).mean())
    return figures


def _pair(segment: str) -> tuple[str, str]:
    stage, _, latency_class = segment.partition("/")
    return stage, latency_class

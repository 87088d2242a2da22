"""I/O: known delays through a reference path of its own, and whether attribution finds them.

One decision at a time, so that each delay belongs to one decision. Every region of the scenario
suffers one delay in one segment; the processes of the path tell when each began and ended, and
that is compared with what the service stored about the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from attribution.core.segments import SEGMENTS as ALL_SEGMENTS
from attribution.core.selection import CALIBRATION_ACTION
from attribution.whatif.recovery import (
    REFERENCE_REGION,
    PathSection,
    Recovered,
    pieces_of,
    recovered,
)
from collector.core.clock import AnchoredClock
from collector.core.sql import sql
from collector.store.connect import Connections
from dashboard.reference.launch import InjectedDelay, ReferencePath
from dashboard.reference.scenario import BASE_MS, SEGMENTS, FaultWindow, Scenario

_SQL = sql("calibration", __file__)
_FOREVER_S = 1e9
_ANSWER_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class InjectedDecision:
    """One decision and the delay that it suffered."""

    decision_id: str
    segment: str
    added_ms: float
    delays_ns: list[tuple[int, int]]  # Unix ns


def scenario(delays_ms: Sequence[float]) -> Scenario:
    """Return one region for each segment and delay, and one that takes what is usual."""
    faults = tuple(
        FaultWindow(-_FOREVER_S, _FOREVER_S, _region(segment, added_ms), segment, added_ms)
        for segment in SEGMENTS
        for added_ms in delays_ms
    )
    of_path = (
        FaultWindow(-_FOREVER_S, _FOREVER_S, REFERENCE_REGION, segment, usual_ms)
        for segment, usual_ms in BASE_MS.items()
    )
    return Scenario(
        seed=1,
        rate_per_s=1.0,  # the traffic is never started: decisions are asked for one by one
        regions=(*(fault.region for fault in faults), REFERENCE_REGION),
        base_ms={},
        faults=(*faults, *of_path),
        action=CALIBRATION_ACTION,
        is_valued=False,  # no customer asked: they are in no dollar figure
    )


class Calibration:
    """A reference path that suffers known delays; a context manager that takes it down."""

    def __init__(self, otlp_endpoint: str, delays_ms: Sequence[float]) -> None:
        self._scenario = scenario(delays_ms)
        self._endpoint = otlp_endpoint
        self._path = ReferencePath()
        self._number = 0

    def __enter__(self) -> Self:
        self._path.start(self._scenario, otlp_endpoint=self._endpoint)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._path.stop()

    def run(
        self, rounds: int, on_decision: Callable[[], None] = lambda: None
    ) -> list[InjectedDecision]:
        """Send one decision through every segment and delay, again and again.

        The segments take turns, so that what this machine does meanwhile falls on all alike. With
        each round goes one decision that takes the reference path's own time; it is not returned.
        """
        asked = []
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self._path.path_port}",
            trust_env=False,
            timeout=_ANSWER_S_MAX,
        ) as client:
            for _ in range(rounds):
                self._ask(client, REFERENCE_REGION)
                for fault in self._scenario.faults:
                    if fault.region == REFERENCE_REGION:
                        continue
                    asked.append((fault, *self._ask(client, fault.region)))
                    on_decision()
        by_region: dict[str, list[InjectedDelay]] = {}
        for delay in self._path.take_delays():
            by_region.setdefault(delay.region, []).append(delay)
        return [
            InjectedDecision(
                decision_id,
                fault.segment,
                fault.added_ms,
                [
                    (each.from_ns + offset_ns, each.to_ns + offset_ns)
                    for each in by_region.get(fault.region, [])
                    if sent_ns <= each.from_ns and each.to_ns <= answered_ns
                ],
            )
            for fault, decision_id, offset_ns, sent_ns, answered_ns in asked
        ]

    def _ask(self, client: httpx.Client, region: str) -> tuple[str, int, int, int]:
        query = {"customer": f"c{self._number % 500:04d}", "region": region, "channel": "web"}
        self._number += 1
        # Anchored anew for each, as the clocks of its spans are: a wall clock that is slewed runs
        # off from an older anchor by microseconds a second.
        clock = AnchoredClock()
        sent_ns = clock.read_ns()
        answer = client.get("/decide", params=query)
        answered_ns = clock.read_ns()
        answer.raise_for_status()
        return str(answer.json()["decision_id"]), clock.offset_ns, sent_ns, answered_ns


@dataclass(frozen=True, slots=True)
class Comparison:
    """One decision whose truth is known, and what attribution made of it."""

    known: InjectedDecision
    recovered: Recovered
    segment_ns: list[int]  # of its critical path, by index into spans.SEGMENTS


def compare(
    known: Sequence[InjectedDecision], store: Connections, from_ns: int
) -> list[Comparison]:
    """Compare what was injected with what is stored.

    A decision that is not attributed, or of which no delay is known, is left out.
    """
    result = store.client().query(
        _SQL, parameters={"action": CALIBRATION_ACTION, "from_ns": from_ns}
    )
    stored: dict[str, tuple[list[int], list[Any]]] = {
        row[0]: (row[1], row[2]) for row in result.result_rows
    }
    comparisons = []
    for each in known:
        if each.decision_id not in stored or not each.delays_ns:
            continue
        bounds, sections = stored[each.decision_id]
        pieces = pieces_of((PathSection(*section) for section in sections), _filled(bounds))
        stage, _, latency_class = each.segment.partition("/")
        segment = ALL_SEGMENTS.index((stage, latency_class))
        segment_ns = [0] * len(ALL_SEGMENTS)
        for at, begun_ns, ended_ns in pieces:
            segment_ns[at] += ended_ns - begun_ns
        comparisons.append(Comparison(each, recovered(segment, each.delays_ns, pieces), segment_ns))
    return comparisons


def _filled(bounds: list[int]) -> list[int]:
    """Give a stage without a stamp no time: it begins with the next."""
    filled = list(bounds)
    for at in (3, 2, 1):
        filled[at] = filled[at] or filled[at + 1]
    return filled


def _region(segment: str, added_ms: float) -> str:
    return f"{segment.replace('/', '-')}-{round(added_ms * 1000)}us"

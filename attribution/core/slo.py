"""Pure: latency budgets: what was promised, what was measured, and whether that can be said.

A budget promises that half of the decisions take at most `p50_ms` and nineteen of twenty at most
`p95_ms`. What is judged is the share of decisions over each; with its interval, so that a handful
of decisions neither keeps nor breaks a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.core.intervals import Z90 as Z90
from collector.core.intervals import Z95 as Z95
from collector.core.intervals import wilson as wilson


class Verdict(StrEnum):
    """What the decisions of a window say of one promise."""

    MET = "met"
    MISSED = "missed"
    UNCLEAR = "unclear"  # too few decisions, or too near the line
    NO_DATA = "no decisions"


@dataclass(frozen=True, slots=True)
class Measured:
    """The decisions of one budget in one window."""

    decisions: int
    p50_ns: int  # 0 without decisions
    p95_ns: int
    over_p50: int  # decisions over what is promised to half of them
    over_p95: int


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of a budget, judged."""

    quantile: float
    target_ms: float
    measured_ms: float | None
    over_ratio: float | None  # share of the decisions over the target
    over_ratio_low: float | None  # its 95 % interval
    over_ratio_high: float | None
    verdict: Verdict


def promises(p50_ms: float | None, p95_ms: float | None, measured: Measured) -> list[Promise]:
    """Judge the promises that a budget makes."""
    found = []
    for quantile, target_ms, got_ns, over in (
        (0.5, p50_ms, measured.p50_ns, measured.over_p50),
        (0.95, p95_ms, measured.p95_ns, measured.over_p95),
    ):
        if target_ms is None:
            continue
        if measured.decisions == 0:
            found.append(Promise(quantile, target_ms, None, None, None, None, Verdict.NO_DATA))
            continue
        low, high = wilson(over, measured.decisions)
        allowed = 1 - quantile
        verdict = (
            Verdict.MISSED if low > allowed else Verdict.MET if high <= allowed else Verdict.UNCLEAR
        )
        found.append(
            Promise(
                quantile,
                target_ms,
                got_ns / 1e6,
                over / measured.decisions,
                low,
                high,
                verdict,
            )
        )
    return found


def worst(all_: Sequence[Promise]) -> Verdict:
    """Return the verdict of a budget: its worst promise; one that is unclear is no better."""
    order = [Verdict.MISSED, Verdict.UNCLEAR, Verdict.MET, Verdict.NO_DATA]
    return min((each.verdict for each in all_), key=order.index, default=Verdict.NO_DATA)

"""Pure: latency budgets: what was promised, what was measured, and whether that can be said.

A budget promises that half of the decisions take at most `p50_ms` and nineteen of twenty at most
`p95_ms`. What is judged is the share of decisions over each; with its interval, so that a handful
of decisions neither keeps nor breaks a promise.

Decisions that are late come together, as in a pause, and thirty of one pause say as much as one. So
the interval has the dispersion of the share between minutes, and is never narrower than that of
decisions which are late one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.core.intervals import Z90 as Z90
from collector.core.intervals import Z95 as Z95
from collector.core.intervals import wilson as wilson

# Of fewer minutes nobody can tell how much late decisions come together: a pause may be in several,
# and is in each of so many the less likely.
_MINUTES_MIN, _MINUTES_EACH = 10, 3


class Verdict(StrEnum):
    """What the decisions of a window say of one promise."""

    MET = "met"
    MISSED = "missed"
    UNCLEAR = "unclear"  # too few decisions, minutes or pauses, or too near the line
    NO_DATA = "no decisions"


@dataclass(frozen=True, slots=True)
class Measured:
    """The decisions of one budget in one window."""

    decisions: int
    p50_ns: int  # 0 without decisions
    p95_ns: int
    over_p50: int  # decisions over what is promised to half of them
    over_p95: int
    # By minute that has any, in one order: decisions, and those over what is promised.
    minutes: Sequence[int] = ()
    minutes_over_p50: Sequence[int] = ()
    minutes_over_p95: Sequence[int] = ()


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
    promises = []
    for quantile, target_ms, got_ns, over, each in (
        (0.5, p50_ms, measured.p50_ns, measured.over_p50, measured.minutes_over_p50),
        (0.95, p95_ms, measured.p95_ns, measured.over_p95, measured.minutes_over_p95),
    ):
        if target_ms is None:
            continue
        if measured.decisions == 0:
            promises.append(Promise(quantile, target_ms, None, None, None, None, Verdict.NO_DATA))
            continue
        low, high = share_interval(over, measured.decisions, each, measured.minutes)
        allowed = 1 - quantile
        verdict = Verdict.MET if high <= allowed else Verdict.UNCLEAR
        if low > allowed and _is_significant(each, measured.minutes, allowed):
            verdict = Verdict.MISSED
        promises.append(
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
    return promises


def _is_significant(
    over_by_cluster: Sequence[int], by_cluster: Sequence[int], allowed: float
) -> bool:
    """Return whether minutes tell of more than one pause: many do, and a few that are all over."""
    if len(by_cluster) >= _MINUTES_MIN:
        return True
    lows = [wilson(over, n)[0] for over, n in zip(over_by_cluster, by_cluster, strict=True) if n]
    return len(lows) >= _MINUTES_EACH and min(lows) > allowed


def share_interval(
    over: int, decisions: int, over_by_cluster: Sequence[int], by_cluster: Sequence[int]
) -> tuple[float, float]:
    """Return the 95 % interval of a share of decisions, of which some are late together.

    By the effective number of decisions: as many as would vary so much from minute to minute, were
    they late one by one. Where they come together beyond chance, one of the pauses that they amount
    to tells how large a pause is, and not how many there are.

    Args:
        over: decisions that are.
        decisions: all of them, at least one.
        over_by_cluster: by minute, those that are.
        by_cluster: by minute, all of them.
    """
    low, high = wilson(over, decisions)
    if over in (0, decisions) or len(by_cluster) < 2:
        return low, high
    share, freedom = over / decisions, len(by_cluster) - 1
    squares = sum((o - share * n) ** 2 for o, n in zip(over_by_cluster, by_cluster, strict=True))
    alone = share * (1 - share) * decisions
    together = max(squares * len(by_cluster) / freedom / alone, 1.0)
    effective = decisions / together
    if together > 1 + Z95 * math.sqrt(2 / freedom):
        pauses = share * effective
        effective *= (pauses - 1) / pauses
    if effective <= 0:
        return 0.0, 1.0
    wide = wilson(share * effective, effective)
    return min(low, wide[0]), max(high, wide[1])


def worst(all_: Sequence[Promise]) -> Verdict:
    """Return the verdict of a budget: its worst promise; one that is unclear is no better."""
    order = [Verdict.MISSED, Verdict.UNCLEAR, Verdict.MET, Verdict.NO_DATA]
    return min((each.verdict for each in all_), key=order.index, default=Verdict.NO_DATA)

"""Pure: what degraded decisions took and earned, beside normal ones of the same hour and kind.

A mode is not drawn by lot: a service degrades because something is wrong, and that alone makes
decisions slower and dearer. So each degraded decision is compared with the normal ones of its hour,
action, region and channel, and with no other; those without such a twin are counted apart. What
is left is still correlation: it says what the mode went with, not what it caused.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from attribution.core.money import rounded
from attribution.core.slo import Z95

NORMAL = "normal"
# Fewer on either side have no interval to speak of.
COMPARED_MIN = 30
# Where fewer sales were to be expected on either side, their money has none.
_SALES_MIN = 10
CAUTION = (
    "observational: hour, action, region and channel are held equal, and not what made the mode "
    "change; the gate takes no such figure"
)


@dataclass(frozen=True, slots=True)
class ModeCell:
    """Sums of the decisions of one hour, action, region, channel and mode."""

    hour_ns: int
    action: str
    region: str
    channel: str
    mode: str  # "" where it is not said
    n: int
    failed: int
    sum_ms: float
    sum_ms2: float
    earned: int  # decisions whose earnings are known
    unknown: int
    earning: int  # that earned something, of a known amount or not
    sum_usd: float
    sum_usd2: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more a mean decision had than its normal twins, with its 95 % interval."""

    change: float
    low: float
    high: float
    compared: int  # decisions of the mode that have twins


@dataclass(frozen=True, slots=True)
class ModeImpact:
    """One mode; a difference is None where too few can be compared."""

    mode: str
    decisions: int
    failed: int
    mean_ms: float
    mean_usd: float | None  # earned by a decision, None where none is known
    raw_ms: float | None  # more than a normal one, whatever the hour: for comparison
    ms: Difference | None
    usd: Difference | None
    total_usd: Decimal | None  # of the compared decisions together
    total_low_usd: Decimal | None
    total_high_usd: Decimal | None
    uncompared: int  # decisions without a normal twin
    verdict: str  # "slower", "faster", "no difference found" or "n too small"


def impacts(cells: Sequence[ModeCell]) -> tuple[str, list[ModeImpact]]:
    """Return the mode that others are compared with, and every mode, the most used first."""
    by_mode: dict[str, list[ModeCell]] = defaultdict(list)
    for cell in cells:
        by_mode[cell.mode].append(cell)
    base = NORMAL if NORMAL in by_mode else ""
    twins = {_place(cell): cell for cell in by_mode.get(base, [])}
    mode_impacts = [
        _impact(mode, mode_cells, base, by_mode.get(base, []), twins)
        for mode, mode_cells in by_mode.items()
    ]
    return base, sorted(mode_impacts, key=lambda impact: (-impact.decisions, impact.mode))


def _impact(
    mode: str,
    cells: Sequence[ModeCell],
    base: str,
    normal: Sequence[ModeCell],
    twins: Mapping[tuple[int, str, str, str], ModeCell],
) -> ModeImpact:
    decisions = sum(cell.n for cell in cells)
    earned = sum(cell.earned for cell in cells)
    mean_ms = sum(cell.sum_ms for cell in cells) / decisions
    pairs = [(cell, twins[_place(cell)]) for cell in cells if _place(cell) in twins]
    ms = usd = raw_ms = None
    if mode != base:
        normals = sum(cell.n for cell in normal)
        raw_ms = mean_ms - sum(cell.sum_ms for cell in normal) / normals if normals else None
        ms = _difference([((c.n, c.sum_ms, c.sum_ms2), (t.n, t.sum_ms, t.sum_ms2))
                          for c, t in pairs])  # fmt: skip
        if _has_sales(pairs):
            usd = _difference(
                [
                    ((c.earned, c.sum_usd, c.sum_usd2), (t.earned, t.sum_usd, t.sum_usd2))
                    for c, t in pairs
                ]
            )
    return ModeImpact(
        mode=mode,
        decisions=decisions,
        failed=sum(cell.failed for cell in cells),
        mean_ms=mean_ms,
        mean_usd=sum(cell.sum_usd for cell in cells) / earned if earned else None,
        raw_ms=raw_ms,
        ms=ms,
        usd=usd,
        total_usd=_total(usd, "change"),
        total_low_usd=_total(usd, "low"),
        total_high_usd=_total(usd, "high"),
        uncompared=0 if mode == base else decisions - (ms.compared if ms else 0),
        verdict=_verdict(mode == base, ms),
    )


def _has_sales(pairs: Sequence[tuple[ModeCell, ModeCell]]) -> bool:
    """Return whether sales were to be expected, were there no difference, on both sides."""
    expected = [0.0, 0.0]
    for pair in pairs:
        earning = sum(each.earned for each in pair)
        rate = sum(each.earning for each in pair) / earning if earning else 0.0
        expected = [e + each.earned * rate for e, each in zip(expected, pair, strict=True)]
    return min(expected) >= _SALES_MIN


Sums = tuple[int, float, float]


def _difference(pairs: Sequence[tuple[Sums, Sums]]) -> Difference | None:
    """Return the mean over the decisions of the mode of how they differ within their cell."""
    compared, change, variance = 0, 0.0, 0.0
    for (n, total, squares), (m, other, other_squares) in pairs:
        if n < 2 or m < 2:
            continue
        compared += n
        change += n * (total / n - other / m)
        first, second = _variance(n, total, squares), _variance(m, other, other_squares)
        # A side of few decisions, none of which sold, does not vary: both together do.
        pooled_variance = ((n - 1) * first + (m - 1) * second) / (n + m - 2)
        variance += n * n * (max(first, pooled_variance) / n + max(second, pooled_variance) / m)
    if compared < COMPARED_MIN:
        return None
    half = Z95 * math.sqrt(variance) / compared
    mean = change / compared
    return Difference(mean, mean - half, mean + half, compared)


def _variance(n: int, total: float, squares: float) -> float:
    return max(squares - total * total / n, 0.0) / (n - 1)


def _total(usd: Difference | None, name: str) -> Decimal | None:
    if usd is None:
        return None
    return rounded(Decimal(getattr(usd, name) * usd.compared))


def _verdict(is_base: bool, ms: Difference | None) -> str:
    if is_base:
        return "compared with"
    if ms is None:
        return "n too small"
    if ms.low > 0:
        return "slower"
    return "faster" if ms.high < 0 else "no difference found"


def _place(cell: ModeCell) -> tuple[int, str, str, str]:
    return cell.hour_ns, cell.action, cell.region, cell.channel

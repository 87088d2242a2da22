"""Pure: what the Health page says of the clocks of hosts, a figure a pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dashboard.health.items import HealthItem
from dashboard.units import Zone
from packet.correlate.clock_offset import ClockState
from packet.store.writer import ClockRow

_NS_A_US: Final = 1_000
_PAIRS_MAX: Final = 20  # the gravest first; every pair is in `clock_offsets`


def clock_items(rows: Sequence[ClockRow]) -> Iterator[HealthItem]:
    """Yield one figure a pair of hosts, by whichever source bounds its error best.

    Args:
        rows: of one minute; none where one host alone is seen.
    """
    best: dict[tuple[str, str], ClockRow] = {}
    for row in rows:
        known = best.get((row.host_a, row.host_b))
        if known is None or row.offset.bound_ns < known.offset.bound_ns:
            best[row.host_a, row.host_b] = row
    gravity = list(ClockState)  # the gravest first
    ordered = sorted(best.values(), key=lambda row: (gravity.index(row.offset.state), row.host_a))
    for row in ordered[:_PAIRS_MAX]:
        is_well = row.offset.state is ClockState.SYNCHRONISED
        yield HealthItem(
            f"clock.{row.host_a}.{row.host_b}",
            round(row.offset.offset_ns / _NS_A_US, 1),
            "us",
            "ok" if is_well else "warn",
            _detail(row),
        )


def _detail(row: ClockRow) -> str:
    offset = row.offset
    parts = [f"{offset.state}, by {row.source}, off by {offset.bound_ns / _NS_A_US:.1f} us at most"]
    if offset.stepped_ns is not None:
        parts.append(f"a clock was set at about {Zone().full(offset.stepped_ns)}")
    if offset.drift_ppm is not None and offset.state is ClockState.DRIFTING:
        parts.append(f"{offset.drift_ppm:+.1f} ppm")
    if row.says_unsynchronised:
        parts.append(f"nothing holds the clock of {', '.join(row.says_unsynchronised)}")
    if row.excluded:
        parts.append(
            f"{row.excluded} of {row.segments} one-way times are no longer than that and left out"
        )
    return "; ".join(parts)

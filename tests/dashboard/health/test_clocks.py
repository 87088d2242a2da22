"""What the Health page says of clocks: the gravest first, with what the error is at most."""

from __future__ import annotations

from dataclasses import replace

from dashboard.health.clocks import clock_items
from packet.correlate.clock_offset import ClockOffset, ClockState
from packet.store.writer import ClockRow

_NS = 1_790_000_000_000_000_000


def _row(
    host_b: str, state: ClockState, bound_ns: int = 90_000, source: str = "packets"
) -> ClockRow:
    offset = ClockOffset(
        from_ns=_NS, to_ns=_NS, at_ns=_NS, offset_ns=5_000_000, bound_ns=bound_ns,
        median_offset_ns=5_000_000, rtt_min_ns=2 * bound_ns, drift_ppm=25.04, drift_bound_ppm=3.0,
        state=state, stepped_ns=None, forward=10, reverse=10,
    )  # fmt: skip
    return ClockRow(_NS, "app", host_b, source, offset, (), 20, 0)


def test_clock_that_is_off_is_a_warning_and_comes_first() -> None:
    """Stepped, drifting, unsynchronised; what agrees is no warning."""
    stepped = _row("web", ClockState.STEPPED)
    stepped = replace(stepped, offset=replace(stepped.offset, stepped_ns=_NS), excluded=7)
    rows = [
        _row("db", ClockState.SYNCHRONISED),
        replace(_row("edge", ClockState.UNSYNCHRONISED), says_unsynchronised=("edge",)),
        _row("mail", ClockState.DRIFTING),
        stepped,
    ]
    items = list(clock_items(rows))
    assert [(item.name, item.value, item.status) for item in items] == [
        ("clock.app.web", 5_000.0, "warn"),
        ("clock.app.mail", 5_000.0, "warn"),
        ("clock.app.edge", 5_000.0, "warn"),
        ("clock.app.db", 5_000.0, "ok"),
    ]
    assert items[0].detail == (
        "stepped, by packets, off by 90.0 us at most; a clock was set at about 2026-09-21 "
        "14:13:20.000000000 UTC; 7 of 20 one-way times are no longer than that and left out"
    )
    assert items[1].detail.endswith("; +25.0 ppm")
    assert items[2].detail.endswith("; nothing holds the clock of edge")


def test_source_with_the_narrower_bound_is_told() -> None:
    """Packets and spans both see a pair; a figure a pair is enough."""
    rows = [
        _row("db", ClockState.SYNCHRONISED, 400_000, "spans"),
        _row("db", ClockState.SYNCHRONISED, 90_000),
    ]
    (item,) = clock_items(rows)
    assert "by packets, off by 90.0 us" in item.detail
    assert list(clock_items([])) == []

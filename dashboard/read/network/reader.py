"""I/O: what the packets of a range show, for the Network page and `/api/v1/network`."""

from __future__ import annotations

from typing import Any, Final

from dashboard.read.network.rows import ClockPair, Network, Pair, Waited, Wire, share_interval
from dashboard.read.reader import Reader
from dashboard.read.rows import Range

PAIRS_MAX: Final = 200


def network(reader: Reader, view: Range) -> Network:
    """Return what was waited for, who spoke with whom, and bursts.

    What was waited for is of the decisions of one action and region; connections carry all of them.
    """
    span = {"from_ns": view.from_ns, "to_ns": view.to_ns}
    (wire,) = reader.ask("wire", __file__, span)
    waited = reader.ask("waited", __file__, {**span, "action": view.action, "region": view.region})
    pairs = reader.ask("pairs", __file__, {**span, "rows_max": PAIRS_MAX})
    return Network(
        view.from_ns,
        view.to_ns,
        [Waited(**row) for row in waited],
        _wire(wire),
        [_pair(row) for row in pairs],
        reader.bursts(view.from_ns, view.to_ns),
    )


def clocks(reader: Reader, view: Range) -> list[ClockPair]:
    """Return each pair of hosts by its newest minute of a range, the gravest first."""
    gravity = ("stepped", "drifting", "unsynchronised")
    span = {"from_ns": view.from_ns, "to_ns": view.to_ns}
    found = [ClockPair(**row) for row in reader.ask("clocks", __file__, span)]
    return sorted(
        found,
        key=lambda each: (
            gravity.index(each.state) if each.state in gravity else len(gravity),
            each.host_a,
            each.host_b,
        ),
    )


def _wire(row: dict[str, Any]) -> Wire:
    packets = row["packets"]
    low, high = share_interval(row["retransmissions"], packets) if packets else (None, None)
    return Wire(**row, retransmission_low=low, retransmission_high=high)


def _pair(row: dict[str, Any]) -> Pair:
    low, high = share_interval(row["retransmissions"], row["packets"])
    del row["rtts_ns"]
    return Pair(**row, retransmission_low=low, retransmission_high=high)

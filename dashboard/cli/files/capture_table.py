"""Pure: the connections of capture files as a table, the dearest first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from rich import box
from rich.table import Table

from collector.core.times import NS_PER_MS, NS_PER_S
from dashboard.units import UNKNOWN
from packet.tcp.connections import EVENTS, WireFlow

TOP: Final = 50  # as many as a screen or two hold


class Sort(StrEnum):
    """What makes a connection dear."""

    BYTES = "bytes"
    PACKETS = "packets"
    DURATION = "duration"
    RTT = "rtt"
    RETRANSMISSIONS = "retransmissions"
    DUPLICATE_ACKS = "duplicate-acks"
    LOST = "lost"
    BEGIN = "begin"  # the first to begin is first


def _both(flow: WireFlow, name: str) -> int:
    place = list(EVENTS).index(name)
    return flow.from_client.events[place] + flow.from_server.events[place]


def _rtt_ns(flow: WireFlow) -> int | None:
    """Return the mean round trip of the data of both ends, None where there is none."""
    both = (flow.from_client, flow.from_server)
    count = sum(each.rtt_count for each in both)
    return sum(each.rtt_sum_ns for each in both) // count if count else None


_KEYS: Final[dict[Sort, Callable[[WireFlow], int]]] = {
    Sort.BYTES: lambda flow: flow.from_client.wire_bytes + flow.from_server.wire_bytes,
    Sort.PACKETS: lambda flow: flow.from_client.packets + flow.from_server.packets,
    Sort.DURATION: lambda flow: flow.last_ns - flow.first_ns,
    Sort.RTT: lambda flow: _rtt_ns(flow) or 0,
    Sort.RETRANSMISSIONS: lambda flow: _both(flow, "retransmissions"),
    Sort.DUPLICATE_ACKS: lambda flow: _both(flow, "duplicate_acks"),
    Sort.LOST: lambda flow: _both(flow, "lost_segments"),
    Sort.BEGIN: lambda flow: -flow.first_ns,
}


def dearest(flows: Sequence[WireFlow], sort: Sort, top: int) -> list[WireFlow]:
    """Return the first `top` by what they cost; all of them where that is 0."""
    return heapq.nlargest(top or len(flows), flows, key=_KEYS[sort])


def capture_table(flows: Sequence[WireFlow]) -> Table:
    """Return a row a connection, in the order given."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("client", "server", "protocol", "begin (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in (
        "s", "packets", "bytes to server", "to client", "handshake RTT (ms)", "data RTT (ms)",
        "sent again", "duplicate ACKs", "lost", "zero windows",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    table.add_column("state")
    for flow in flows:
        table.add_row(
            f"{flow.client[0]} {flow.client[1]}",
            f"{flow.server[0]} {flow.server[1]}",
            {6: "TCP", 17: "UDP"}[flow.protocol],
            _begin(flow.first_ns),
            f"{(flow.last_ns - flow.first_ns) / NS_PER_S:,.3f}",
            f"{_KEYS[Sort.PACKETS](flow):,}",
            f"{flow.from_client.wire_bytes:,}",
            f"{flow.from_server.wire_bytes:,}",
            _ms(flow.handshake_rtt_ns),
            _ms(_rtt_ns(flow)),
            f"{_both(flow, 'retransmissions'):,}",
            f"{_both(flow, 'duplicate_acks'):,}",
            f"{_both(flow, 'lost_segments'):,}",
            f"{_both(flow, 'zero_windows'):,}",
            flow.state or "",
        )
    return table


def _ms(ns: int | None) -> str:
    return UNKNOWN if ns is None else f"{ns / NS_PER_MS:,.3f}"


def _begin(at_ns: int) -> str:
    instant = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)  # 64 bits of ns end in 2554
    return f"{instant:%Y-%m-%d %H:%M:%S}.{at_ns // NS_PER_MS % 1000:03}"

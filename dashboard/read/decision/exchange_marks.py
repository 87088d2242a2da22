"""Pure: the packets of each exchange that carried a span, as marks on the row of that span."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dashboard.read.decision.link_wording import is_one_of_a_set
from dashboard.read.packet_rows import Packet, SpanFlow, by_exchange

_SYN, _RST = 0x02, 0x04
_FLAGS: Final = ((_SYN, "SYN"), (0x10, "ACK"), (0x08, "PSH"), (0x01, "FIN"), (_RST, "RST"))


@dataclass(frozen=True, slots=True)
class ExchangeColumns:
    """Exchanges, one place of each list for each; those of one row follow each other.

    Caller and callee share the packets of an exchange: they are listed with the first of its rows,
    and `same_as` of the other is that row.
    """

    row: list[int] = field(default_factory=list)
    from_ns: list[int] = field(default_factory=list)  # since ingress
    to_ns: list[int] = field(default_factory=list)
    is_sure: list[int] = field(default_factory=list)  # 0: one of several, unknown which
    same_as: list[int] = field(default_factory=list)  # row of the caller, -1 for its own packets
    packets: list[int] = field(default_factory=list)  # how many of the packet columns are its own
    connection: list[str] = field(default_factory=list)
    method: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    wire_ns: list[int | None] = field(default_factory=list)
    retransmissions: list[int] = field(default_factory=list)  # of its connection
    zero_windows: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PacketColumns:
    """Kept packets in the order of the exchanges, and by time within each."""

    at_ns: list[int] = field(default_factory=list)  # since ingress
    is_request: list[int] = field(default_factory=list)  # towards the server
    payload_bytes: list[int] = field(default_factory=list)
    is_again: list[int] = field(default_factory=list)  # the same bytes were sent before
    is_window_zero: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def exchange_marks(
    flows: Sequence[SpanFlow],
    packets: Sequence[Packet],
    rows: Mapping[str, int],
    ingress_ns: int,
) -> tuple[ExchangeColumns, PacketColumns]:
    """Return the exchanges of the spans that have a row, and their packets.

    Args:
        flows: which exchanges carried which spans.
        packets: what is kept of their connections, by time.
        rows: the row of each span by its id; a span without one is left out.
        ingress_ns: what times count from.
    """
    exchanges, marks = ExchangeColumns(), PacketColumns()
    by_flow: dict[int, list[Packet]] = defaultdict(list)
    for packet in packets:
        by_flow[packet.flow_hash].append(packet)
    placed: list[tuple[int, int, SpanFlow]] = []
    for own in by_exchange(flows):
        shown = {rows[flow.span_id]: flow for flow in own if flow.span_id in rows}
        first = min(shown, default=-1)
        placed += [(row, -1 if row == first else first, flow) for row, flow in shown.items()]
    for row, same_as, flow in sorted(placed, key=lambda each: (each[0], each[2].from_ns)):
        own_packets = [] if same_as >= 0 else _between(by_flow[flow.flow_hash], flow)
        exchanges.row.append(row)
        exchanges.from_ns.append(flow.from_ns - ingress_ns)
        exchanges.to_ns.append(flow.to_ns - ingress_ns)
        exchanges.is_sure.append(int(not is_one_of_a_set(flow.confidence)))
        exchanges.same_as.append(same_as)
        exchanges.packets.append(len(own_packets))
        exchanges.connection.append(
            f"{flow.client_address}:{flow.client_port} → {flow.server_address}:{flow.server_port}"
        )
        exchanges.method.append(flow.method)
        exchanges.confidence.append(flow.confidence)
        exchanges.wire_ns.append(flow.wire_ns)
        exchanges.retransmissions.append(flow.retransmissions)
        exchanges.zero_windows.append(flow.zero_windows)
        _add(marks, own_packets, flow.client_port, ingress_ns)
    return exchanges, marks


def _between(packets: Sequence[Packet], flow: SpanFlow) -> Sequence[Packet]:
    def at(packet: Packet) -> int:
        return packet.ts_ns

    return packets[
        bisect_left(packets, flow.from_ns, key=at) : bisect_right(packets, flow.to_ns, key=at)
    ]


def _add(
    marks: PacketColumns, packets: Sequence[Packet], client_port: int, ingress_ns: int
) -> None:
    sent: set[tuple[bool, int]] = set()
    for packet in packets:
        is_request = packet.src_port == client_port
        # A byte of a keep-alive is sent again on purpose.
        segment = (is_request, packet.tcp_seq)
        is_again = packet.payload_bytes > 1 and segment in sent
        if packet.payload_bytes > 1:
            sent.add(segment)
        # A reset has no window to speak of.
        is_zero = packet.tcp_window == 0 and not packet.tcp_flags & (_SYN | _RST)
        marks.at_ns.append(packet.ts_ns - ingress_ns)
        marks.is_request.append(int(is_request))
        marks.payload_bytes.append(packet.payload_bytes)
        marks.is_again.append(int(is_again))
        marks.is_window_zero.append(int(is_zero))
        marks.said.append(
            f"{flag_names(packet.tcp_flags)}, seq {packet.tcp_seq}, ack {packet.tcp_ack}, "
            f"window {packet.tcp_window}, kept for {packet.kept_for}"
        )


def flag_names(tcp_flags: int) -> str:
    """Return the TCP flags in words: `PSH ACK`."""
    return " ".join(name for bit, name in _FLAGS if tcp_flags & bit) or "no flags"

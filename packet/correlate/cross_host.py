"""Pure: exchanges that two recorders saw under different names, known by their sequence numbers.

Address translation and published ports change the ends of a connection, and no byte of TCP's own
numbers: the first segment of a request and of its response have the same sequence number and the
same acknowledgement wherever they are seen. What ends a connection and opens another one, as a
proxy does, changes them, and is not joined. Segments may be merged or split on the way, so only
where each message begins is compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from collector.core.times import NS_PER_S
from packet.correlate.spans import SpanFlow
from packet.decode.columns import I64, PacketColumns, rows_by_key

SEQ: Final = "seq"
# Clocks of two hosts that are further apart would be the first thing to mend.
_APART_MAX_NS: Final = 10 * NS_PER_S
# Of 64 bits of a request alone; the response, which a recorder may have missed, gives 64 more.
_REQUEST_CONFIDENCE: Final = 0.9
_U32: Final = 2**32


@dataclass(frozen=True, slots=True)
class _Message:
    """One direction of an exchange: how it begins, and how many bytes follow."""

    seq: int
    ack: int
    length: int


def links_elsewhere(
    links: Sequence[SpanFlow], here: PacketColumns, there: PacketColumns
) -> list[SpanFlow]:
    """Return the links of the same spans to what another recorder saw of their exchanges.

    Args:
        links: of spans to connections that the first recorder saw.
        here: the packets of messages that it kept, see `messages`.
        there: those of the other; a connection of the same name is the same and is left out.
    """
    here, there = here.in_order(), there.in_order()
    rows_here, rows_there = _by_flow(here), _by_flow(there)
    begins: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(there.tcp_seq.tolist(), there.tcp_ack.tolist(), strict=True)):
        begins[key].append(row)
    span_flows = []
    for link in links:
        rows = rows_here.get(link.flow_hash)
        if rows is None or link.flow_hash in rows_there:
            continue
        inside = rows[(here.ts_ns[rows] >= link.from_ns) & (here.ts_ns[rows] <= link.to_ns)]
        if len(inside):
            span_flows += _elsewhere(link, here.take(inside), there, rows_there, begins)
    return span_flows


def _by_flow(packets: PacketColumns) -> dict[int, I64]:
    return {int(packets.flow_hash[rows[0]]): rows for rows in rows_by_key(packets.flow_hash)}


def _elsewhere(
    link: SpanFlow,
    exchange: PacketColumns,
    there: PacketColumns,
    rows_there: dict[int, I64],
    begins: dict[tuple[int, int], list[int]],
) -> list[SpanFlow]:
    is_request = exchange.src_port == exchange.src_port[0]
    request, response = _message(exchange.take(is_request)), _message(exchange.take(~is_request))
    assert request is not None
    joined = []
    for row in begins.get((request.seq, request.ack), ()):
        if abs(int(there.ts_ns[row]) - link.from_ns) > _APART_MAX_NS:
            continue
        other_packets = there.take(rows_there[int(there.flow_hash[row])])
        joined_times = _joined(link, other_packets, int(there.src_port[row]), request, response)
        if joined_times is not None:
            joined.append(joined_times)
    # Who has the response too is surer than who has not; equals share what there is.
    best = max((each.confidence for each in joined), default=0.0)
    sure = {each.flow_hash: each for each in joined if each.confidence == best}
    return [
        replace(each, confidence=min(each.confidence, link.confidence) / len(sure))
        for each in sure.values()
    ]


def _joined(
    link: SpanFlow,
    packets: PacketColumns,
    client_port: int,
    request: _Message,
    response: _Message | None,
) -> SpanFlow | None:
    """Return the link to one connection of the other recorder, None where it is another one."""
    is_asked = packets.src_port == client_port
    is_request = is_asked & _within(packets, request)
    answered = np.zeros(len(packets), np.bool_)
    confidence = _REQUEST_CONFIDENCE
    if response is not None:
        starts = (packets.tcp_seq == response.seq) & (packets.tcp_ack == response.ack) & ~is_asked
        if starts.any():
            answered, confidence = ~is_asked & _within(packets, response), 1.0
        elif (~is_asked & _within(packets, response)).any():
            return None
    both = packets.ts_ns[is_request | answered]
    wire_ns = None
    if answered.any():
        wire_ns = int(packets.ts_ns[answered].min()) - int(packets.ts_ns[is_request].max())
    return replace(
        link,
        flow_hash=int(packets.flow_hash[0]),
        from_ns=int(both.min()),
        to_ns=int(both.max()),
        packets=len(both),
        wire_ns=wire_ns if wire_ns is not None and wire_ns >= 0 else None,
        method=SEQ,
        confidence=confidence,
    )


def _message(packets: PacketColumns) -> _Message | None:
    if not len(packets):
        return None
    first = int(packets.tcp_seq[0])
    ends = (packets.tcp_seq.astype(np.int64) - first) % _U32 + packets.payload_bytes
    # What lies before the first, half of the numbers away, is an older segment sent again.
    return _Message(first, int(packets.tcp_ack[0]), int(ends[ends < _U32 // 2].max(initial=1)))


def _within(packets: PacketColumns, message: _Message) -> np.ndarray:
    return (packets.tcp_seq.astype(np.int64) - message.seq) % _U32 < message.length

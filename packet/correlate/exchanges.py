"""Pure: the payload of each connection cut into exchanges, and what their requests said.

An exchange is a request and the response to it. On a connection of HTTP/2 several requests may be
on their way at once: they are one exchange then, of all of them. What is of the connection itself
(`messages`) belongs to none; where it could not be read, a request that said whose it is begins its
exchange all the same, and what lies behind its span is left out (`Exchanges.seen`). Of a connection
only what was on the wire near a span is kept, so the response to an earlier request may not be
there: where an acknowledgement covers bytes that are not there, what follows belongs to nothing
before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packet.correlate.messages import message_kinds
from packet.correlate.trace_context import HEADER, Context
from packet.decode.columns import I64, U32, U64, Mask, PacketColumns, port_pair, rows_by_key

Barred: TypeAlias = Callable[[int], bool]  # whether an exchange is another's, by its place


@dataclass(frozen=True, slots=True, eq=False)
class Exchanges:
    """The exchanges of one connection, in time, not overlapping."""

    ts_ns: U64  # of the packets of all of them
    starts: I64  # place of the first packet of each, and the end of the last
    answered_ns: I64  # first byte of the response; -1 where that or the request was not seen
    wire_ns: I64  # ... from the last of the request; -1 likewise
    follows: Mask  # begins with a request, and nothing is missing before it

    @property
    def first_ns(self) -> U64:
        """Return when each began."""
        return self.ts_ns[self.starts[:-1]]

    @property
    def last_ns(self) -> U64:
        """Return when each ended."""
        return self.ts_ns[self.starts[1:] - 1]

    def totals(self, begin: int, end: int, until_ns: int) -> tuple[int, int, int | None]:
        """Return packets, the last one's stamp and the wire time of exchanges [begin, end).

        What came after `until_ns` is in none of them, but for the first packet.
        """
        rows = self.ts_ns[self.starts[begin] : self.starts[end]]
        packets = max(int(np.searchsorted(rows, np.uint64(until_ns), side="right")), 1)
        wire_ns = np.where(self.answered_ns <= until_ns, self.wire_ns, -1)[begin:end]
        whole = int(wire_ns.sum()) if (wire_ns >= 0).all() else None
        return packets, int(rows[packets - 1]), whole


@dataclass(frozen=True, slots=True)
class Place:
    """One exchange of one connection."""

    flow_hash: int
    client_port: int
    index: int
    method: str  # of the context that was found there


def cut(
    packets: PacketColumns,
    client_port: int,
    said_ns: Sequence[int],
    kinds: tuple[Mask, Mask],
) -> Exchanges:
    """Cut the messages of one connection before each request that follows a response.

    Args:
        packets: with payload, by time.
        client_port: of who asks.
        said_ns: stamps of the packets that carried a context.
        kinds: `messages.message_kinds` of these packets.
    """
    is_message, is_reset = kinds
    from_client = packets.src_port == client_port
    rows = np.flatnonzero(is_message)
    # Bytes of the connection itself are acknowledged as well: a gap is where none of all is there.
    gaps = np.diff(np.cumsum(_after_a_gap(packets, from_client))[rows], prepend=0) > 0
    # Who gives up asks for nothing more: that ends an exchange, and is no answer.
    is_request, gave_up = (from_client & ~is_reset)[rows], (from_client & is_reset)[rows]
    times = packets.ts_ns[rows]
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (is_request[1:] & ~is_request[:-1]) | gaps[1:]
    stated = np.flatnonzero(is_request & np.isin(times, np.array(said_ns, np.uint64)))
    _, first = np.unique(np.cumsum(begins)[stated], return_index=True)
    begins[stated[first]] = True
    starts = np.append(np.flatnonzero(begins), len(rows))
    if not len(rows):
        none = np.zeros(0, np.int64)
        return Exchanges(times, starts, none, none, none.astype(np.bool_))
    # Within an exchange all of the request precedes all of the response.
    requests = np.add.reduceat(is_request.astype(np.int64), starts[:-1])
    answered = np.minimum(starts[:-1] + requests, len(rows) - 1)
    sent = np.maximum(answered - 1, 0)
    both = (requests > 0) & (requests < np.diff(starts)) & ~gave_up[answered]
    ts_ns = times.astype(np.int64)
    answered_ns = np.where(both, ts_ns[answered], -1)
    wire_ns = np.where(both, ts_ns[answered] - ts_ns[sent], -1)
    return Exchanges(times, starts, answered_ns, wire_ns, (is_request & ~gaps)[starts[:-1]])


def _after_a_gap(packets: PacketColumns, is_request: Mask) -> Mask:
    """Return which packets acknowledge bytes of the other side that no packet before them carries.

    Of requests in a row the later one acknowledges what came between them; of a response it is the
    request that is compared with, as far as it is there. Packets of UDP acknowledge nothing.
    """
    gap = np.zeros(len(packets), np.bool_)
    ack, size = packets.tcp_ack, packets.payload_bytes
    gap[1:] = is_request[1:] & is_request[:-1] & (_ahead(ack[1:], ack[:-1]) > 0)
    last_asked = np.maximum.accumulate(np.where(is_request, np.arange(len(packets)), -1))
    answers = np.flatnonzero(~is_request & (last_asked >= 0))
    request = last_asked[answers]
    gap[answers] = _ahead(ack[answers], packets.tcp_seq[request] + size[request]) > 0
    return gap


def _ahead(one: U32, other: U32) -> NDArray[np.int32]:
    """Return how far one sequence number is ahead of another, around the end of 32 bits."""
    return (one - other).view(np.int32)


def begun_within(
    exchanges: Exchanges, from_ns: int, to_ns: int, is_barred: Barred
) -> tuple[int, int]:
    """Return [begin, end) of the exchanges that begin in [from_ns, to_ns], barred ones cut off."""
    begin = int(np.searchsorted(exchanges.first_ns, np.uint64(max(from_ns, 0)), side="left"))
    end = int(np.searchsorted(exchanges.first_ns, np.uint64(max(to_ns, 0)), side="right"))
    while begin < end and is_barred(begin):
        begin += 1
    while begin < end and is_barred(end - 1):
        end -= 1
    return begin, end


def overlapped_most(
    exchanges: Exchanges, from_ns: int, to_ns: int, is_barred: Barred
) -> tuple[int, int]:
    """Return [begin, end) of the one that overlaps [from_ns, to_ns] most and is not barred."""
    begin = int(np.searchsorted(exchanges.last_ns, np.uint64(max(from_ns, 0)), side="left"))
    end = int(np.searchsorted(exchanges.first_ns, np.uint64(max(to_ns, 0)), side="right"))
    free = np.array([index for index in range(begin, end) if not is_barred(index)], np.int64)
    if not len(free):
        return 0, 0
    first = exchanges.first_ns[free].astype(np.int64)
    last = exchanges.last_ns[free].astype(np.int64)
    most = int(free[np.argmax(np.minimum(last, to_ns) - np.maximum(first, from_ns))])
    return most, most + 1


class Traffic:
    """Connections by their ports and by their hash, each cut once, with the contexts in them."""

    def __init__(self, columns: PacketColumns, contexts: Iterable[Context]) -> None:
        payload = columns.take(columns.payload_bytes > 0).in_order()
        known_contexts = list(contexts)
        is_message, is_reset = message_kinds(payload, known_contexts)
        self._flows: dict[int, PacketColumns] = {}
        self._kinds: dict[int, tuple[Mask, Mask]] = {}
        self._by_ports: dict[int, list[PacketColumns]] = defaultdict(list)
        for rows in rows_by_key(payload.flow_hash):
            packets = payload.take(rows)
            flow_hash = int(packets.flow_hash[0])
            self._flows[flow_hash] = packets
            self._kinds[flow_hash] = is_message[rows], is_reset[rows]
            pair = port_pair(int(packets.src_port[0]), int(packets.dst_port[0]))
            self._by_ports[pair].append(packets)
        self._cut: dict[tuple[int, int], Exchanges] = {}
        self._said: dict[tuple[str, str], list[Place]] = defaultdict(list)
        self._in: dict[tuple[int, int], dict[int, list[Context]]] = defaultdict(dict)
        stated = [
            each for each in known_contexts if each.trace_id and each.flow_hash in self._flows
        ]
        self._said_ns: dict[tuple[int, int], list[int]] = defaultdict(list)
        for context in stated:
            self._said_ns[context.flow_hash, context.client_port].append(context.ts_ns)
        for context in stated:
            self._place(context)

    def of_ports(self, pair: int) -> list[PacketColumns]:
        """Return the payload packets of the connections of two ports, by time."""
        return self._by_ports.get(pair, [])

    def exchanges(self, flow_hash: int, client_port: int) -> Exchanges:
        """Return the exchanges of a connection that is there."""
        key = flow_hash, client_port
        if key not in self._cut:
            packets, kinds = self._flows[flow_hash], self._kinds[flow_hash]
            self._cut[key] = cut(packets, client_port, self._said_ns[key], kinds)
        return self._cut[key]

    def said_by(self, trace_id: str, span_id: str) -> list[Place]:
        """Return the exchanges whose request said that this span sent it."""
        return self._said.get((trace_id, span_id), [])

    def callers(self, place: Place) -> int:
        """Return how many spans have said that they sent a request of one exchange."""
        contexts = self._in[place.flow_hash, place.client_port][place.index]
        return len({(each.trace_id, each.span_id) for each in contexts})

    def is_said(self, flow_hash: int, client_port: int, index: int) -> bool:
        """Return whether a request of one exchange said whose it is."""
        return index in self._in.get((flow_hash, client_port), {})

    def is_of_others(self, flow_hash: int, client_port: int, index: int, trace_id: str) -> bool:
        """Return whether a request said that its exchange is of another trace.

        Only where one exchange is one request: an HTTP/2 exchange may hold a request that said
        nothing, or said it too late to be searched.
        """
        contexts = self._in.get((flow_hash, client_port), {}).get(index, ())
        trace_ids = {each.trace_id for each in contexts if each.method == HEADER}
        return bool(trace_ids) and trace_id not in trace_ids

    def _place(self, context: Context) -> None:
        key = context.flow_hash, context.client_port
        exchanges = self.exchanges(*key)
        index = int(np.searchsorted(exchanges.first_ns, np.uint64(context.ts_ns), "right")) - 1
        if index >= 0 and context.ts_ns <= int(exchanges.last_ns[index]):
            self._in[key].setdefault(index, []).append(context)
            place = Place(*key, index, context.method)
            places = self._said[context.trace_id, context.span_id]
            if place not in places:
                places.append(place)

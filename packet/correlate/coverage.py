"""Pure: which spans have all of their packets, and what the kernel dropped meanwhile.

A span is whole where each of its exchanges lies in a window of time whose packets were all there
when they were pulled. That its packets can be linked is not enough: a clock that is off links it to
what was kept for somebody else.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

import numpy as np

from packet.correlate.claims import WINDOW_MARGIN_NS, SpanEndpoints
from packet.correlate.spans import SpanFlow
from packet.decode.columns import I64, U32, PacketColumns, rows_by_key

Key = tuple[str, str]  # trace and span
Window = tuple[int, int]

_READINGS_MAX: Final = 4_096  # three hours of a job that runs every 3 s


class Coverage:
    """For each span its exchanges, and the windows of which the recorder had everything."""

    def __init__(self) -> None:
        self._windows: dict[Key, set[Window]] = defaultdict(set)
        self._exchanges: dict[Key, list[Window]] = {}
        self._torn: set[Key] = set()
        self.unproven = 0  # first and last packets of sides of connections that were kept

    def add(self, spans: Iterable[SpanEndpoints], since_ns: int) -> None:
        """Note the windows of spans that were pulled from a recorder that holds all since then."""
        for span in spans:
            if span.start_ns >= since_ns:
                self._windows[span.trace_id, span.span_id].add(window_of(span))

    def add_exchanges(self, links: Iterable[SpanFlow], tears: Mapping[int, Sequence[int]]) -> None:
        """Note the exchanges of spans, found among all packets of their connections.

        Args:
            links: of spans to what the recorder had.
            tears: by connection, when bytes of it are missing.
        """
        windows: dict[Key, list[Window]] = defaultdict(list)
        for row in links:
            if row.wire_ns is None:
                continue
            key = row.trace_id, row.span_id
            windows[key].append((row.from_ns, row.to_ns))
            if any(row.from_ns <= at <= row.to_ns for at in tears.get(row.flow_hash, ())):
                self._torn.add(key)
        self._exchanges |= windows

    def is_whole(self, key: Key) -> bool:
        """Return whether a span has exchanges, none torn, and all of them in what was there."""
        exchanges, windows = self._exchanges.get(key, ()), self._windows.get(key, ())
        return (
            bool(exchanges)
            and key not in self._torn
            and all(
                any(begin <= first and last <= end for begin, end in windows)
                for first, last in exchanges
            )
        )


class Drops:
    """What the recorder saw and the kernel dropped, as it was read over time."""

    def __init__(self) -> None:
        self._readings: deque[tuple[int, int, int]] = deque(maxlen=_READINGS_MAX)

    def note(self, now_ns: int, recorded: int, dropped: int) -> None:
        """Note a reading since the recorder's start; one that started anew begins at 0."""
        if self._readings and recorded < self._readings[-1][1]:
            self._readings.append((self._readings[-1][0], 0, 0))
        self._readings.append((now_ns, recorded, dropped))

    def between(self, from_ns: int, to_ns: int) -> tuple[int, int]:
        """Return packets recorded and dropped in a time, between the readings around it."""
        recorded = dropped = 0
        before = (0, 0, 0)
        for reading in self._readings:
            is_touched = reading[0] > from_ns and before[0] < to_ns
            if is_touched and reading[1] >= before[1]:
                recorded += reading[1] - before[1]
                dropped += max(reading[2] - before[2], 0)
            before = reading
        return recorded, dropped


def window_of(span: SpanEndpoints) -> Window:
    """Return the time whose packets are kept for a span."""
    return span.start_ns - WINDOW_MARGIN_NS, span.end_ns + WINDOW_MARGIN_NS


def moved(spans: Sequence[SpanEndpoints], links: Iterable[SpanFlow]) -> list[SpanEndpoints]:
    """Return the spans as they were on the wire, where that is outside of their own windows.

    A clock that is off by more than the margin of a window has its packets elsewhere.
    """
    by_key = {(span.trace_id, span.span_id): span for span in spans}
    span_endpoints = []
    for row in links:
        span = by_key[row.trace_id, row.span_id]
        begin_ns, end_ns = window_of(span)
        if row.from_ns < begin_ns or row.to_ns > end_ns:
            span_endpoints.append(replace(span, start_ns=row.from_ns, end_ns=row.to_ns))
    return span_endpoints


def tears_of(packets: PacketColumns, client_ports: AbstractSet[int]) -> dict[int, list[int]]:
    """Return by connection when bytes are missing that were on their way.

    What nobody saw, and the other side acknowledged before the next segment came, is of what was
    answered by that where it is of a request, and of the answer before it where it is of one. Else
    it is of the next segment's exchange.
    """
    tears: dict[int, list[int]] = defaultdict(list)
    for here, back in _sides(packets):
        first = here.tcp_seq[0]
        begins = _since(here.tcp_seq, first)
        order = np.argsort(begins, kind="stable")
        ends = np.maximum.accumulate((begins + here.payload_bytes)[order])
        for gap in np.flatnonzero(begins[order][1:] > ends[:-1]).tolist():
            before_ns, after_ns = (int(here.ts_ns[order[place]]) for place in (gap, gap + 1))
            acked = _since(back.tcp_ack, first)
            is_torn = (back.ts_ns > before_ns) & (back.ts_ns < after_ns) & (acked > ends[gap])
            times = tears[int(here.flow_hash[0])]
            if is_torn.any():
                is_request = int(here.src_port[0]) in client_ports
                times.append(int(back.ts_ns[is_torn].min()) if is_request else before_ns)
            if not is_torn.any() or acked[is_torn].max() < begins[order[gap + 1]]:
                times.append(after_ns)  # all of it, or what was not acknowledged
    return tears


def edges_of(packets: PacketColumns) -> list[int]:
    """Return when each side of each connection was first and last seen to say something.

    What it said before and behind that, and nobody saw, leaves no gap.
    """
    return [int(ns) for here, _ in _sides(packets) for ns in (here.ts_ns.min(), here.ts_ns.max())]


def _sides(packets: PacketColumns) -> Iterator[tuple[PacketColumns, PacketColumns]]:
    """Yield what each side of each connection says, and what the other side sends meanwhile."""
    for rows in rows_by_key(packets.flow_hash):
        flow = packets.take(rows)
        for port in np.unique(flow.src_port).tolist():
            here = flow.take((flow.src_port == port) & (flow.payload_bytes > 0))
            if len(here):
                yield here, flow.take(flow.src_port != port)


def _since(numbers: U32, first: np.uint32) -> I64:
    """Return how far TCP's numbers are behind one of them; they begin anew at 2^32."""
    behind: I64 = (numbers - first).astype(np.int32).astype(np.int64)
    return behind

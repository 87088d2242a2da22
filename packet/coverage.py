"""Pure: which spans have all of their packets, and what the kernel dropped meanwhile.

A span is whole where each of its exchanges lies in a window of time whose packets were all there
when they were pulled. That its packets can be linked is not enough: a clock that is off links it to
what was kept for somebody else.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from packet.link import WINDOW_MARGIN_NS, SpanEndpoints, SpanFlow

Key = tuple[str, str]  # trace and span
Window = tuple[int, int]

_READINGS_MAX: Final = 4_096  # two hours of a job that runs every 2 s


class Coverage:
    """For each span the windows of which the recorder had everything."""

    def __init__(self) -> None:
        self._windows: dict[Key, set[Window]] = defaultdict(set)

    def add(self, spans: Iterable[SpanEndpoints], since_ns: int) -> None:
        """Note the windows of spans that were pulled from a recorder that holds all since then."""
        for span in spans:
            if span.start_ns >= since_ns:
                self._windows[span.trace_id, span.span_id].add(window_of(span))

    def is_whole(self, key: Key, exchanges: Collection[Window]) -> bool:
        """Return whether there are exchanges of a span, and all of them lie in what was there."""
        windows = self._windows.get(key, set())
        return bool(exchanges) and all(
            any(begin <= first and last <= end for begin, end in windows)
            for first, last in exchanges
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
    found = []
    for row in links:
        span = by_key[row.trace_id, row.span_id]
        begin_ns, end_ns = window_of(span)
        if row.from_ns < begin_ns or row.to_ns > end_ns:
            found.append(replace(span, start_ns=row.from_ns, end_ns=row.to_ns))
    return found

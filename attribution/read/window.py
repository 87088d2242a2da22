"""Pure: which traces a query is about, by when they were received where that names most of them.

To name a trace costs some microseconds a query: the name is escaped, parsed and looked up.
Thousands that were received in one window are found by it, and rows of others are left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Column, Table
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE

# Fewer are named; and a window of which most are not wanted is not read for the others.
_WINDOW_TRACES_MIN: Final = 200
_WANTED_SHARE_MIN: Final = 0.5
# A trace over more is looked up: which of these hours it has spans in.
LONG_NS: Final = NS_PER_HOUR
# ... and it is read from its first instant to its last if it has them in more minutes than these.
MINUTES_MAX: Final = 6_000


class Bounds(NamedTuple):
    """When the first and the last span of a trace began, Unix ns."""

    trace_id: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """The parameters of a query about some traces, and which rows of its answer are theirs."""

    parameters: dict[str, Any]
    trace_ids: Column | None  # None: every row is

    def rows(self, answer: Table, column: str = "trace_id") -> Table:
        """Return the rows of the traces that the query is about.

        Args:
            answer: what the store returned.
            column: which one holds the traces.
        """
        if self.trace_ids is None:
            return answer
        return answer.filter(pc.is_in(answer[column], value_set=self.trace_ids))


@dataclass(frozen=True, slots=True)
class SpanTimes:
    """When a span was received, in (after, until], and when it began, in [from, to]; Unix ns."""

    after_ns: int
    until_ns: int
    from_ns: int
    to_ns: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Return it as the parameters of a query."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReceivedWindow:
    """A time of reception, (after, until], and the traces of which spans were received in it.

    What was received later is not looked at.
    """

    after_ns: int
    until_ns: int
    trace_ids: Column

    @classmethod
    def empty(cls, until_ns: int) -> ReceivedWindow:
        """Return a window that ends then, in which nothing was received: traces are named."""
        return cls(until_ns, until_ns, pa.array([], pa.string()))

    def filter_for(self, trace_ids: Column) -> TraceFilter:
        """Return how to ask about these traces."""
        if isinstance(trace_ids, pa.ChunkedArray):
            trace_ids = trace_ids.combine_chunks()
        count = len(self.trace_ids)
        if count >= _WINDOW_TRACES_MIN and len(trace_ids) >= _WANTED_SHARE_MIN * count:
            is_received = pc.is_in(trace_ids, value_set=self.trace_ids)
            common = pc.sum(is_received).as_py() or 0
            if common >= _WANTED_SHARE_MIN * count:
                named = trace_ids.filter(pc.invert(is_received)).to_pylist()
                window = {"came_after_ns": self.after_ns, "came_until_ns": self.until_ns}
                return TraceFilter(
                    {"trace_ids": named, **window}, None if common == count else trace_ids
                )
        return named_traces(trace_ids)


def named_traces(trace_ids: Column) -> TraceFilter:
    """Return how to ask about these traces by their names alone."""
    no_window = {"came_after_ns": 0, "came_until_ns": 0}
    return TraceFilter({"trace_ids": trace_ids.to_pylist(), **no_window}, None)


def bounds_of(answer: Table) -> list[Bounds]:
    """Return the bounds of the traces in an answer, in its order."""
    columns = (answer[name].to_pylist() for name in ("trace_id", "from_ns", "to_ns"))
    return list(map(Bounds, *columns))


def minutes_of(places: Iterable[Bounds]) -> set[int] | None:
    """Return the minutes, counted from the epoch, that some places lie in; None: in too many."""
    minutes = set[int]()
    for _, first_ns, last_ns in places:
        first, last = first_ns // NS_PER_MINUTE, last_ns // NS_PER_MINUTE
        if last - first >= MINUTES_MAX:
            return None
        minutes.update(range(first, last + 1))
        if len(minutes) > MINUTES_MAX:
            return None
    return minutes


def in_groups(instants: Sequence[int], apart_ns: int, count_max: int) -> Iterator[tuple[int, int]]:
    """Yield (from, to) slices of ascending instants, so that each reads one short range of time."""
    begin = 0
    for index in range(1, len(instants) + 1):
        is_end = index == len(instants)
        is_apart = is_end or instants[index] - instants[index - 1] > apart_ns
        if is_apart or index - begin == count_max:
            yield begin, index
            begin = index

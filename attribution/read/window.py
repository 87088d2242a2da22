"""Pure: which traces a query is about, said by when they came where that says most of them.

To name a trace costs some microseconds a query: the name is escaped, parsed and looked up.
Thousands that came in one window are found by it, and what is found of others is left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Column, Table
from collector.core.clock import NS_PER_HOUR, NS_PER_MINUTE

# Fewer are named; and a window of which most are not wanted is not read for the others.
_WINDOW_TRACES_MIN: Final = 200
_WANTED_SHARE_MIN: Final = 0.5
# A trace over more is looked up: which of these hours it has spans in.
LONG_NS: Final = NS_PER_HOUR
# ... and it is read from its first instant to its last if it has them in more minutes than these.
MINUTES_MAX: Final = 6_000
Bounds: TypeAlias = tuple[str, int, int]  # of a trace: its id, its first and last instant, Unix ns


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a query, and what of its answer is wanted."""

    parameters: dict[str, Any]
    wanted: Column | None  # None: there is nothing but that in the answer

    def only(self, found: Table, of: str = "trace_id", **others: Column) -> Table:
        """Return the rows of the traces that were asked about, or of other columns' values.

        Args:
            found: an answer.
            of: the column of the traces.
            others: by column, values whose rows are wanted as well.
        """
        if self.wanted is None:
            return found
        is_wanted = pc.is_in(found[of], value_set=self.wanted)
        for name, values in others.items():
            is_wanted = pc.or_(is_wanted, pc.is_in(found[name], value_set=values))
        return found.filter(is_wanted)


@dataclass(frozen=True, slots=True)
class Around:
    """When a span came, in (after, until], and when it began, in [from, to]; Unix ns."""

    after_ns: int
    until_ns: int
    from_ns: int
    to_ns: int

    @property
    def parameters(self) -> dict[str, Any]:
        """Return it as the parameters of a query."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Window:
    """The traces of which spans came in (after, until]."""

    after_ns: int
    until_ns: int
    trace_ids: Column

    def asked(self, wanted: Column) -> Asked:
        """Return how to ask about these traces."""
        if isinstance(wanted, pa.ChunkedArray):
            wanted = wanted.combine_chunks()
        count = len(self.trace_ids)
        if count >= _WINDOW_TRACES_MIN and len(wanted) >= _WANTED_SHARE_MIN * count:
            has_come = pc.is_in(wanted, value_set=self.trace_ids)
            common = pc.sum(has_come).as_py() or 0
            if common >= _WANTED_SHARE_MIN * count:
                named = wanted.filter(pc.invert(has_come)).to_pylist()
                window = {"came_after_ns": self.after_ns, "came_until_ns": self.until_ns}
                return Asked({"trace_ids": named, **window}, None if common == count else wanted)
        nothing = {"came_after_ns": 0, "came_until_ns": 0}
        return Asked({"trace_ids": wanted.to_pylist(), **nothing}, None)


def bounds_of(found: Table) -> list[Bounds]:
    """Return the rows of an answer: of each trace its id, its first and its last instant."""
    columns = (found[name].to_pylist() for name in ("trace_id", "from_ns", "to_ns"))
    return list(zip(*columns, strict=True))


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
    for at in range(1, len(instants) + 1):
        is_end = at == len(instants)
        if is_end or instants[at] - instants[at - 1] > apart_ns or at - begin == count_max:
            yield begin, at
            begin = at

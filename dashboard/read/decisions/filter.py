"""Pure: a filter of decisions, their order, and where in it a page begins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from attribution.core.segments import SEGMENTS, segments_of
from collector.core.errors import InputError
from collector.core.times import NS_PER_MINUTE, UNBOUNDED_NS
from dashboard.read.rows import Range

COLUMN_SORTS: Final = ("time", "latency", "segment")
DOLLAR_SORTS: Final = ("lost", "value")
SORTS: Final = (*COLUMN_SORTS, *DOLLAR_SORTS)
# A run attributes, and then sums: what began earlier nobody waits for.
SUMMED_WITHIN_NS: Final = 10 * NS_PER_MINUTE
_CURSOR: Final = re.compile(r"([a-z]+)~(asc|desc)~(-?\d{1,19})~(\d{1,19})~(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """A filter: of each text "" is any; `segment` is one in which a decision was longest."""

    view: Range
    channel: str = ""
    service: str = ""
    cohort: str = ""
    segment: str = ""  # a class, a stage, or stage/class
    late: bool = False  # over its target alone
    failed: bool = False  # those alone
    low_ns: int = 0
    high_ns: int = UNBOUNDED_NS
    # Up to when all are taken to be summed; None: by the end of the range.
    summed_ns: int | None = None

    @property
    def summed(self) -> DecisionFilter:
        """Return the same with that instant fixed, whichever part of the range is read."""
        if self.summed_ns is not None:
            return self
        return replace(self, summed_ns=max(self.view.from_ns, self.view.to_ns - SUMMED_WITHIN_NS))

    @property
    def places(self) -> list[int]:
        """Return 1 to 16 for each segment that is meant, none for any.

        Raises:
            InputError: it names none.
        """
        if not self.segment:
            return []
        segments = segments_of(self.segment)
        return [] if len(segments) == len(SEGMENTS) else sorted(place + 1 for place in segments)


@dataclass(frozen=True, slots=True)
class PageCursor:
    """The last of a page: the next, of the same order, goes on behind it."""

    sort: str
    ascending: bool
    key: int
    ingress_ns: int
    decision_id: str

    def __str__(self) -> str:
        order = "asc" if self.ascending else "desc"
        return f"{self.sort}~{order}~{self.key}~{self.ingress_ns}~{self.decision_id}"


@dataclass(frozen=True, slots=True)
class Order:
    """An order over all that a filter holds, and where in it a page begins."""

    sort: str = "time"
    ascending: bool = False
    cursor: PageCursor | None = field(default=None)

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise InputError(f"sort {self.sort[:40]!r} is not known; give {', '.join(SORTS)}")
        of = self.cursor
        # A place among latencies is one among values as well, and says nothing there.
        if of is not None and (of.sort, of.ascending) != (self.sort, self.ascending):
            raise InputError(
                f"after {str(of)[:60]!r} is where a page in another order ended; leave it out, or "
                "sort as the page before"
            )


def parse_cursor(text: str) -> PageCursor | None:
    """Return where a page begins, None for the first. Raises InputError for what none gave."""
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None or max(abs(int(match[3])), int(match[4])) >= 2**63:
        raise InputError(
            f"after {text[:60]!r} is not where a page ended; give `next` of the page before"
        )
    sort, order, key, ingress_ns, decision_id = match.groups()
    return PageCursor(sort, order == "asc", int(key), int(ingress_ns), decision_id)

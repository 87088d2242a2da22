"""Pure: what the compiled module does, and whether it is there.

An installation without a compiler has none; `IS_THERE` says so, and whoever asks goes the other
way. Its functions let other threads run meanwhile; `collector.otlp.native.logs` has that of logs.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

try:
    from collector.otlp.native import _native
except ImportError:
    _is_there = False
else:
    _is_there = True
IS_THERE: Final = _is_there

# What becomes of an attribute's name; 1 to 4 are the stages that it stamps.
NAME_PLAIN, NAME_QUERY, NAME_STOP = 0, 5, 6
OF_TEXT, OF_QUERY, OF_BYTES = 0, 1, 2  # what a doubtful text is


class Names:
    """Attribute names, and what was judged of each; never changed."""

    def __init__(self, verdicts: Mapping[bytes, int]) -> None:
        self.judged = dict(verdicts)
        self.native = _native.names(self.judged)


@dataclass(frozen=True, slots=True)
class RequestScan:
    """What one pass found of a request that may go to the log as it is, but for what it lists.

    `doubtful` are begin and end of the texts in which a pattern may be, and what each is; None
    where there are too many.
    """

    spans: int
    first_trace: int  # where the id of the first span begins
    unknown: list[tuple[int, int]]  # begin and end of names that nobody has judged
    doubtful: list[tuple[int, int, int]] | None


def check(body: bytes, names: Names, earliest_ns: int, latest_ns: int) -> RequestScan | None:
    """Return what a request has; None where anything is to be done about it.

    It says yes only where every field is known, canonical and in order, every text is UTF-8, ids,
    times and stamps are good, and no known name has a rule.
    """
    scan = _native.check(body, names.native, earliest_ns, latest_ns)
    return None if scan is None else RequestScan(*scan)


@dataclass(frozen=True, slots=True)
class SpanSelection:
    """Which spans the views of decisions are asked about: more than are decisions, never fewer.

    `own` are the customer's names of what a skeleton has: `latency.class`, `decision.stage`,
    `latency.blocking` and `decision.id`, ours where there is no other.
    """

    keys: tuple[bytes, ...]  # an attribute that is enough
    rules: tuple[tuple[bytes, bytes, bytes], ...]  # service, name, kind; any where it is empty
    own: tuple[bytes, bytes, bytes, bytes] = (
        b"latency.class",
        b"decision.stage",
        b"latency.blocking",
        b"decision.id",
    )


@dataclass(frozen=True, slots=True)
class SpanBlocks:
    """Rows in ClickHouse's format Native, in the order of their tables."""

    spans: bytes
    span_rows: int
    traces: bytes  # of the trace index
    skeletons: bytes
    decisions: bytes
    decision_rows: int


def make_blocks(
    content: bytes, places: Iterable[tuple[int, int, int]], selection: SpanSelection
) -> SpanBlocks | Sequence[int]:
    """Return the blocks of requests, or the numbers of those that the official parser has to see.

    The same requests give the same bytes. Those that it does not read are no Protobuf, or have
    twice what is meant to be there once.

    Args:
        content: where the requests are.
        places: begin and end of each, and when it came.
        selection: which spans are in `decisions` too.

    Raises:
        OverflowError: the rows take more than 256 MiB.
        MemoryError: there is no room for them.
    """
    numbers = numbers_of(places)
    spans, span_rows, traces, skeletons, decisions, decision_rows, unreadable = _native.block(
        content, numbers, selection.keys, selection.rules, selection.own
    )
    if unreadable:
        return sorted(set(unreadable))
    return SpanBlocks(spans, span_rows, traces, skeletons, decisions, decision_rows)


def numbers_of(places: Iterable[tuple[int, int, int]]) -> array[int]:
    """Return places as the module takes them."""
    return array("Q", [number for place in places for number in place])

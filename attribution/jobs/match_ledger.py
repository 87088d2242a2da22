"""I/O: keeps to which decision each outcome is counted, and what it says.

What the decisions of a window earned is read from here. An outcome moves to another decision where
it is amended, or where a decision that comes late has its id or key too: the decision that loses it
is told. By then what it said before may be merged away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.read.reader import Reader
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections

# So many outcomes are looked up at a time.
OUTCOMES_MAX: Final = 20_000
# Most outcomes come within so long of their decision.
_RECENT_NS: Final = 10 * NS_PER_MINUTE
_KEY: Final = ("ingress_ns", "decision_id", "outcome_id")
_AMOUNT: Final = pa.decimal128(18, 6)
# What is kept of an outcome beside its decision; `channel` is that decision's.
_FIELDS: Final = {
    "channel": pa.string(),
    "kind": pa.string(),
    "is_sale": pa.uint8(),
    "revenue": _AMOUNT,
    "margin": _AMOUNT,
    "currency": pa.string(),
    "event_ns": pa.uint64(),
}
_NOTHING: Final = ("", "", 0, None, None, "", 0)

MatchFields = tuple[object, ...]  # as _FIELDS


class Match(NamedTuple):
    """An outcome and the decision that it is counted to."""

    ingress_ns: int
    decision_id: str
    outcome_id: str

    @property
    def second_ns(self) -> int:
        """Return the start of the second in which the decision began."""
        return self.ingress_ns - self.ingress_ns % NS_PER_S


class KeptMatch(NamedTuple):
    """The last revision of a match: what it says, None where it is one no longer."""

    said: MatchFields | None
    revision: int


KeptMatches = dict[Match, KeptMatch]


class Matches:
    """The one writer of `outcome_matches`, of one rewrite of cells.

    Args:
        store: where it is kept.
        reader: of what is kept.
        previous: of a rewrite that is not done yet: what it has moved is known, and is moved on
            here.
    """

    def __init__(self, store: Connections, reader: Reader, previous: Matches | None = None) -> None:
        self._store = store
        self._reader = reader
        self._previous = previous
        self._moved: dict[Match, KeptMatch] = {}
        self._touched: set[int] = set()

    def known(self, seconds_ns: Collection[int], outcome_ids: Collection[str]) -> KeptMatches:
        """Return what is kept, or will be, of these seconds and of these outcomes."""
        matches: KeptMatches = {}
        for match, kept in _kept(self._reader.outcome_matches(sorted(seconds_ns), outcome_ids)):
            if match not in matches or matches[match].revision < kept.revision:
                matches[match] = kept
        seconds, ids = set(seconds_ns), set(outcome_ids)
        for moved in (self._previous._moved if self._previous is not None else {}, self._moved):
            matches |= {
                match: kept
                for match, kept in moved.items()
                if match.second_ns in seconds or match.outcome_id in ids
            }
        return matches

    def note(
        self,
        seconds_ns: Collection[int],
        matches: Mapping[Match, MatchFields],
        kept_matches: KeptMatches,
    ) -> None:
        """Take note of every match of the decisions of some seconds.

        Args:
            seconds_ns: of them no other match is left.
            matches: theirs, and of their outcomes those with decisions of other seconds.
            kept_matches: of the same seconds, and of all outcomes that name their decisions.
        """
        seconds, ids = set(seconds_ns), {each.outcome_id for each in matches}
        kept_matches = {
            match: kept
            for match, kept in kept_matches.items()
            if match.second_ns in seconds or match.outcome_id in ids
        }
        for match, fields in matches.items():
            kept = kept_matches.pop(match, KeptMatch(None, 0))
            if kept.said != fields:
                self._move(match, fields, kept.revision)
        for match, kept in kept_matches.items():
            if kept.said is not None:
                self._move(match, None, kept.revision)

    def take_touched(self) -> set[int]:
        """Return the seconds that an outcome went to, or came from, since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def keep(self) -> None:
        """Store what has moved, once the seconds that it touched are rewritten."""
        if self._moved:
            self._store.client().insert_arrow("outcome_matches", _rows(self._moved))

    def _move(self, match: Match, fields: MatchFields | None, revision: int) -> None:
        self._moved[match] = KeptMatch(fields, revision + 1)
        if self._previous is not None:
            self._previous._moved.pop(match, None)
        self._touched.add(match.second_ns)


def fields_of_matches(
    outcomes: Table, matched: Sequence[tuple[int, str, str] | None]
) -> dict[Match, MatchFields]:
    """Return the matches of outcomes with what each says.

    Args:
        outcomes: as `Reader.cell_outcomes` returns them.
        matched: ingress, id and channel of the decision of each, None where there is none.
    """
    ids, kinds, revenue, margin, currency, event_ns = (
        outcomes[name].to_pylist()
        for name in ("outcome_id", "kind", "own_revenue", "own_margin", "currency", "event_ns")
    )
    is_sale = outcomes["is_sale"].cast(pa.uint8()).to_pylist()
    columns = zip(kinds, is_sale, revenue, margin, currency, event_ns, strict=True)
    return {
        Match(*decision[:2], outcome_id): (decision[2], *each)
        for outcome_id, decision, each in zip(ids, matched, columns, strict=True)
        if decision is not None
    }


def seconds_of(reader: Reader, outcomes: Table, received_after_ns: int) -> set[int]:
    """Return when the decisions began that these outcomes name, or were last counted to.

    Args:
        reader: of the decisions.
        outcomes: as `Reader.touched_outcomes` returns them.
        received_after_ns: they came after it.
    """
    ids, decisions, keys = (
        sorted(set(pc.unique(outcomes[name].cast(pa.string())).to_pylist()) - {"", None})
        for name in ("outcome_id", "decision_id", "outcome_key")
    )
    seconds: set[int] = set()
    for begin in range(0, len(ids), OUTCOMES_MAX):
        part = slice(begin, begin + OUTCOMES_MAX)
        recent_ns = received_after_ns - _RECENT_NS
        seconds.update(reader.outcome_seconds(decisions[part], keys[part], recent_ns))
        seconds.update(reader.counted_seconds(ids[part]))
    return seconds


def _kept(stored: Table) -> Iterator[tuple[Match, KeptMatch]]:
    keys, values = (
        zip(*(stored[name].to_pylist() for name in names), strict=True) for names in (_KEY, _FIELDS)
    )
    state = (stored[name].to_pylist() for name in ("is_gone", "revision"))
    for key, each, is_gone, revision in zip(keys, values, *state, strict=True):
        yield Match(*key), KeptMatch(None if is_gone else each, revision)


def _rows(moved: Mapping[Match, KeptMatch]) -> Table:
    matches = sorted(moved)
    kept = [moved[each] for each in matches]
    columns: dict[str, pa.Array] = {
        name: pa.array(values)
        for name, values in zip(_KEY, zip(*matches, strict=True), strict=True)
    }
    columns["revision"] = pa.array([each.revision for each in kept])
    columns["is_gone"] = pa.array([int(each.said is None) for each in kept], pa.uint8())
    field_columns = zip(*(each.said or _NOTHING for each in kept), strict=True)
    for (name, kind), values in zip(_FIELDS.items(), field_columns, strict=True):
        columns[name] = pa.array(values).cast(kind)
    return pa.table(columns)

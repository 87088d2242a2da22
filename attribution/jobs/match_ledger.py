"""I/O: keeps in which second each outcome is counted, so that the decision that loses it is told.

An outcome moves to another decision where it is amended, or where a decision that comes late has
its id or key too. By then what it said before may be merged away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.read.reader import Reader
from collector.store.connect import Connections

_OUTCOMES_MAX: Final = 20_000


class Matches:
    """The one writer of `outcome_matches`, of one rewrite of cells.

    Args:
        store: where it is kept.
        reader: of what is kept.
        beside: of a rewrite that is not done yet: what it has moved is known, and is moved on here.
    """

    def __init__(self, store: Connections, reader: Reader, beside: Matches | None = None) -> None:
        self._store = store
        self._reader = reader
        self._beside = beside
        self._moved: dict[str, tuple[int, int]] = {}  # second and revision by outcome id
        self.touched: set[int] = set()  # seconds that an outcome went to, or came from

    def note(self, seconds_ns: Mapping[str, int]) -> None:
        """Take note of the seconds in which the decisions of some outcomes began, by outcome id."""
        known = self._reader.outcome_matches(sorted(seconds_ns))
        theirs = self._beside._moved if self._beside is not None else {}
        known |= {each: theirs[each] for each in seconds_ns.keys() & theirs.keys()}
        for outcome_id, second_ns in seconds_ns.items():
            was_ns, revision = known.get(outcome_id, (None, 0))
            if second_ns != was_ns:
                self._moved[outcome_id] = (second_ns, revision + 1)
                theirs.pop(outcome_id, None)
                self.touched |= {second_ns} if was_ns is None else {second_ns, was_ns}

    def keep(self) -> None:
        """Store what has moved, once the seconds that it touched are rewritten."""
        if self._moved:
            self._store.client().insert(
                "outcome_matches",
                [[outcome_id, *moved] for outcome_id, moved in sorted(self._moved.items())],
                column_names=["outcome_id", "second_ns", "revision"],
            )


def seconds_of(reader: Reader, outcomes: Table) -> set[int]:
    """Return when the decisions began that these outcomes name, or were last counted to."""
    ids, decisions, keys = (
        sorted(set(pc.unique(outcomes[name].cast(pa.string())).to_pylist()) - {"", None})
        for name in ("outcome_id", "decision_id", "outcome_key")
    )
    seconds: set[int] = set()
    for begin in range(0, len(ids), _OUTCOMES_MAX):
        part = slice(begin, begin + _OUTCOMES_MAX)
        seconds.update(reader.outcome_seconds(decisions[part], keys[part]))
        counted = reader.outcome_matches(ids[part])
        seconds.update(second_ns for second_ns, _ in counted.values())
    return seconds

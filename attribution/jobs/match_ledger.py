"""I/O: keeps in which second each outcome is counted, so that the decision that loses it is told.

An outcome moves to another decision where it is amended, or where a decision that comes late has
its id or key too. By then what it said before may be merged away.
"""

from __future__ import annotations

from collections.abc import Mapping

from attribution.read.reader import Reader
from collector.store.connect import Connections


class Matches:
    """The one writer of `outcome_matches`, of one rewrite of cells."""

    def __init__(self, store: Connections, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self._moved: dict[str, tuple[int, int]] = {}  # second and revision by outcome id
        self.touched: set[int] = set()  # seconds that an outcome went to, or came from

    def note(self, seconds_ns: Mapping[str, int]) -> None:
        """Take note of the seconds in which the decisions of some outcomes began, by outcome id."""
        known = self._reader.outcome_matches(sorted(seconds_ns))
        for outcome_id, second_ns in seconds_ns.items():
            was_ns, revision = known.get(outcome_id, (None, 0))
            if second_ns != was_ns:
                self._moved[outcome_id] = (second_ns, revision + 1)
                self.touched |= {second_ns} if was_ns is None else {second_ns, was_ns}

    def keep(self) -> None:
        """Store what has moved, once the seconds that it touched are rewritten."""
        if self._moved:
            self._store.client().insert(
                "outcome_matches",
                [[outcome_id, *moved] for outcome_id, moved in sorted(self._moved.items())],
                column_names=["outcome_id", "second_ns", "revision"],
            )

"""I/O: outcomes that a run deferred: which decisions they change is looked up later.

Kept in the store as a stretch of arrival. A decision that is attributed after its outcome came is
summed with it in any case; what waits here changes decisions that were summed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.store.connect import Connections
from collector.store.cursors import OUTCOMES_CURSOR, OUTCOMES_UNTIL_CURSOR, write_cursors


class DeferredOutcomes:
    """One stretch of arrival, (done, until], whose outcomes wait to be looked up."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        self.done_ns = self.until_ns = 0
        self._summed: dict[int, int] = {}  # seconds, with all outcomes that came by then

    def begin(self, cursors: Mapping[str, int]) -> None:
        """Take up what an earlier process deferred.

        Args:
            cursors: of every job, by name.
        """
        self.done_ns = cursors.get(OUTCOMES_CURSOR, 0)
        self.until_ns = cursors.get(OUTCOMES_UNTIL_CURSOR, 0)

    @property
    def is_waiting(self) -> bool:
        """Return whether any wait."""
        return self.done_ns < self.until_ns

    def add(self, after_ns: int, until_ns: int) -> None:
        """Take over what was received in (after, until], and what came since all that waits."""
        if not self.is_waiting:
            self.done_ns = max(self.done_ns, after_ns)
        if until_ns > self.until_ns:
            self.until_ns = until_ns
            cursors = {OUTCOMES_CURSOR: self.done_ns, OUTCOMES_UNTIL_CURSOR: until_ns}
            write_cursors(self._store.client(), cursors)

    def finish(self, until_ns: int) -> None:
        """Note that what was received by then waits no more."""
        self.done_ns = until_ns
        self._summed = {second: by_ns for second, by_ns in self._summed.items() if by_ns > until_ns}
        write_cursors(self._store.client(), {OUTCOMES_CURSOR: until_ns})

    def note_summed(self, seconds: Iterable[int], stored_ns: int) -> None:
        """Note that seconds are being summed with all that came by then."""
        if self.is_waiting:
            self._summed |= dict.fromkeys(seconds, stored_ns)

    def unsummed(self, seconds: Iterable[int], until_ns: int) -> set[int]:
        """Return the seconds that were not summed with all that came by then."""
        return {each for each in seconds if self._summed.get(each, 0) < until_ns}

    def forget(self) -> None:
        """Take nothing for summed, after a rewrite that failed."""
        self._summed.clear()

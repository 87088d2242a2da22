"""I/O: which decisions are worth something else by outcomes that came since the last run."""

from __future__ import annotations

from collections.abc import Callable

from attribution.core.config import AttributionConfig
from attribution.jobs.late.deferred_outcomes import DeferredOutcomes
from attribution.jobs.match_ledger import OUTCOMES_MAX, seconds_of
from attribution.jobs.revenue_cells import CellWriter
from attribution.jobs.seen_rows import SeenRows
from attribution.read.reader import Reader
from collector.core.times import NS_PER_S


class NewOutcomes:
    """Looks outcomes up, or leaves them to the lane of what is deferred.

    Args:
        config: how long an insert may take, and how old a rate may be.
        reader: of what is stored.
        cells: who sums the seconds.
        deferred: takes what there is no time for.
    """

    def __init__(
        self,
        config: AttributionConfig,
        reader: Reader,
        cells: CellWriter,
        deferred: DeferredOutcomes,
    ) -> None:
        self._config = config
        self._reader = reader
        self._cells = cells
        self._deferred = deferred
        self.forget()

    def forget(self) -> None:
        """Take every outcome for new, after a run that failed."""
        self._seen_rows = SeenRows()

    def lookup_after_ns(self, cursor_ns: int) -> int:
        """Return since when a run that begins at a cursor looks outcomes up.

        Not since the cursor: those out of files, those that are taken out of the sums and rates are
        no requests of which the collector knows when they are stored.
        """
        return max(cursor_ns - round(self._config.overlap_s * NS_PER_S), self._deferred.until_ns, 0)

    def changed_seconds(
        self,
        after_ns: int,
        until_ns: int,
        defer_until_ns: int | None,
        is_late: Callable[[int], bool],
        *,
        has_time: bool,
    ) -> set[int]:
        """Return when the decisions began whose outcome became known, was amended or was taken.

        Outcomes need not settle: they are read up to now, again and again until the cursor is past
        them, and those seen before are left out.

        Args:
            after_ns: as `lookup_after_ns` returns it.
            until_ns: they came by then.
            defer_until_ns: those that came by then are deferred to the other lane, which sums
                each second once for all that came in a stretch, if there are many or they change
                more seconds than are summed at a time; the next run looks up those that came
                later. None if they may not be.
            is_late: whether a second is summed by that lane in any case.
            has_time: whether this run has time to look any up.
        """
        if has_time or defer_until_ns is None:
            outcomes, self._seen_rows = self._seen_rows.new_rows(
                self._reader.touched_outcomes(after_ns, until_ns, self._config.rate_days_max)
            )
            if defer_until_ns is None or len(outcomes) <= OUTCOMES_MAX:
                seconds = seconds_of(self._reader, outcomes, after_ns)
                in_time = sum(not is_late(each) for each in seconds)
                if defer_until_ns is None or in_time <= self._cells.seconds_max:
                    return seconds
        self._deferred.add(after_ns, defer_until_ns)
        self.forget()  # those that came later are still to be looked up
        return set()

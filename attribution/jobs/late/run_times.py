"""Pure: how long attribution takes, and how much of what waits one run may take on.

Where more comes than can be attributed, what came last goes first: figures that are current are
worth more than figures that are whole, and what is deferred is done when there is time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from collector.core.times import NS_PER_S

# A run that takes longer defers something. By then what it began with is twice that old, and
# `settle_s` (5): so that nobody sees figures that are more than 10 s old.
RUN_NS_MAX: Final = 2_200 * NS_PER_S // 1_000
# ... and takes on so much.
RUN_NS: Final = 1_800 * NS_PER_S // 1_000
# Where the store is so far behind, what came is old before it can be attributed, and attribution
# leaves the machine to who stores it: from the first on more and more, from the second on a quarter
# of a run is left.
_UNSTORED_NS: Final = (4 * NS_PER_S, 8 * NS_PER_S)
_LEAST: Final = 0.25
# What was deferred is worked off in slices of about so long.
_SLICE_NS: Final = NS_PER_S
# Of less most is what a run takes in any case, which says nothing of how long more takes.
SPANS_MIN: Final = 5_000
_WIDTH_NS_MIN: Final = NS_PER_S // 2


class RunTimes:
    """How long the last two runs took.

    One alone that was long is no reason to defer anything: the machine may have stood still.

    Args:
        spans_min: how many a run has to have to show how long one takes.
    """

    def __init__(self, spans_min: int = SPANS_MIN) -> None:
        self._spans_min = spans_min
        self._shares = (0.0, 0.0)  # of the time in which came what a run did
        self._span_ns = (0.0, 0.0)  # for each span
        self._room = 1.0  # how much of a run the storing of what comes leaves

    def add_run(self, width_ns: int, spans: int, took_ns: int) -> None:
        """Note a run that took so long for so many spans, which arrived in so long."""
        if width_ns >= _WIDTH_NS_MIN:
            self._shares = self._shares[1], took_ns / width_ns
        if spans >= self._spans_min:
            self._span_ns = self._span_ns[1], took_ns / spans

    def note_unstored(self, unstored_ns: int) -> None:
        """Note how old the oldest is that is not in the store."""
        begin_ns, end_ns = _UNSTORED_NS
        share = (end_ns - unstored_ns) / (end_ns - begin_ns)
        self._room = min(max(share, _LEAST), 1.0)

    def is_long(self, width_ns: int, done_ns: int, elapsed_ns: int) -> bool:
        """Return whether a run would be too long if as much came as before.

        Args:
            width_ns: in how long what waits arrived.
            done_ns: in how long what the run has done arrived.
            elapsed_ns: how long that took.
        """
        this_run = elapsed_ns / done_ns if done_ns >= _WIDTH_NS_MIN else 0.0
        return max(min(self._shares), this_run) * width_ns > RUN_NS_MAX * self._room

    def deferred_until_ns(
        self, arrivals: Iterable[tuple[int, int]], done_spans: int, elapsed_ns: int
    ) -> int:
        """Return before when what waits is deferred, 0 where there is time for all of it.

        Args:
            arrivals: when a time began, Unix ns, and how many spans came in it; the newest first.
            done_spans: how many the run has done.
            elapsed_ns: how long that took.
        """
        this_run = elapsed_ns / done_spans if done_spans >= self._spans_min else 0.0
        span_ns = max(sum(self._span_ns) / len(self._span_ns), this_run)
        takes_ns, from_ns = 0.0, 0
        for begin_ns, spans in arrivals:
            takes_ns += spans * span_ns
            if takes_ns <= RUN_NS * self._room or not from_ns:
                from_ns = begin_ns
            elif takes_ns > RUN_NS_MAX * self._room:
                return from_ns
        return 0

    def has_room(self, width_ns: int) -> bool:
        """Return whether a slice of what was deferred leaves the next run enough time.

        Args:
            width_ns: in how long what waits for that run arrived.
        """
        return min(self._shares) * (width_ns + _SLICE_NS) <= RUN_NS * self._room

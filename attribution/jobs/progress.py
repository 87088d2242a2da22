"""Pure: what a run of attribution is to do, and what it leaves to the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from attribution.jobs.report import AttributionReport
from attribution.jobs.seen_rows import SeenRows
from collector.core.times import NS_PER_MINUTE, NS_PER_S

# One step reads this much time of reception at most: a backlog of hours is worked off in pieces, in
# shorter ones where much came.
_STEP_NS: Final = NS_PER_MINUTE
_STEP_NS_MIN: Final = 4 * NS_PER_S
_STEP_SPANS: Final = 500_000


@dataclass(frozen=True, slots=True)
class RunWindow:
    """What one run is to attribute, by when it was received."""

    now_ns: int  # the instant of the run
    until_ns: int  # of spans
    outcomes_until_ns: int
    is_stored: bool = False  # what was received by `until_ns` is all there
    may_defer: bool = False  # what came first, to the other lane
    clock_ahead_ns: int = 0  # by how much the time of arrival is ahead of the machine's


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run leaves to the next one; one that failed leaves the length of its steps."""

    window: RunWindow | None = None  # None: nothing is known of the run before
    step_ns: int = _STEP_NS_MIN
    spans: SeenRows = field(default_factory=SeenRows)
    withdrawals: SeenRows = field(default_factory=SeenRows)
    # With outcomes, while none of their decisions has settled.
    unsettled_seconds: frozenset[int] = frozenset()

    @property
    def was_stored(self) -> bool:
        """Return whether all that was received by the cursor was there when it was read."""
        return self.window is not None and self.window.is_stored

    def next_step_ns(self, spans: int) -> int:
        """Return how much time of reception is read next, after a step with so many spans."""
        step_ns = self.step_ns // 2 if spans > _STEP_SPANS else self.step_ns * 2
        return min(max(step_ns, _STEP_NS_MIN), _STEP_NS)


@dataclass(slots=True)
class Run:
    """A run that is on."""

    window: RunWindow
    is_whole: bool  # what came up to the cursor was all there, and is not read again
    progress: Progress
    cursor_ns: int
    report: AttributionReport = field(default_factory=AttributionReport)
    seconds: set[int] = field(default_factory=set)  # of the last step, to be summed anew
    arrival_ns: int = 0  # in how long what it has attributed was received
    spans: int = 0

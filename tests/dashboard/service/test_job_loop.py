"""How long a job pauses."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from collector.core.counters import Counters
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from dashboard.service.job_loop import JobLoop, paced_s
from dashboard.service.jobs import JOBS


@pytest.mark.parametrize(
    ("took_s", "pause_s"), [(0.0, 3.0), (0.5, 2.0), (1.35, 0.3), (1.5, 0.3), (60.0, 0.3)]
)
def test_next_run_ends_an_interval_after_this_one_began(took_s: float, pause_s: float) -> None:
    """What waits while a long run pauses is seconds older; a job alone takes no whole core."""
    assert paced_s(3.0, took_s) == pytest.approx(pause_s)


@dataclass
class SteppedClock:
    """A clock whose wall time is set forward by a day at each reading."""

    ns: int = 0
    days: int = 0

    def now_ns(self) -> int:
        """Return a day more than before."""
        self.days += 1
        return self.days * NS_PER_DAY

    def monotonic_ns(self) -> int:
        """Return what a test set."""
        return self.ns


def test_age_of_a_run_is_of_a_clock_without_steps(store: Connections) -> None:
    """A clock that was set forward was a machine that does not keep up."""
    clock = SteppedClock()
    loop = JobLoop("thing", 1.0, lambda now_ns: None, clock, Counters(), store)
    assert loop.age_s is None
    loop.run_now()
    clock.ns += 5 * NS_PER_S
    assert loop.age_s == 5


def test_attribution_alone_keeps_pace() -> None:
    """Of all that runs again and again nothing else makes every page older when it pauses."""
    assert [job.name for job in JOBS if job.keeps_pace] == ["attribution"]

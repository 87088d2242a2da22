from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MINUTE
from collector.wal.watermarks import Arrivals
from tests.conftest import NOW_NS, ManualClock

SEGMENT, OTHER = Path("a.segment"), Path("b.segment")


def waiting(arrivals: Arrivals) -> tuple[int | None, int | None]:
    """Return the oldest instant that is not on disk, and that is not in the store."""
    return arrivals.unlogged_ns, arrivals.unstored_ns


def test_instants_grow_though_the_clock_steps_back() -> None:
    """A job that has read up to an instant never looks before it again."""
    clock = ManualClock()
    arrivals = Arrivals(clock)
    first = arrivals.begin()
    clock.ns -= NS_PER_MINUTE
    assert [arrivals.begin(), arrivals.begin()] == [first + 1, first + 2]


def test_job_may_read_up_to_what_is_not_stored_yet() -> None:
    """From the first byte received until the store has it, an instant holds a job back."""
    clock = ManualClock()
    arrivals = Arrivals(clock)
    assert arrivals.newest_ns is None
    assert arrivals.stored_ns() == NOW_NS
    first = arrivals.begin()
    clock.ns += 10
    second = arrivals.begin()
    assert waiting(arrivals) == (first, first)
    assert arrivals.stored_ns() == first - 1

    arrivals.logged(SEGMENT, [second, first])
    assert waiting(arrivals) == (None, first)
    arrivals.logged(OTHER, [arrivals.begin()])
    arrivals.stored(SEGMENT)
    assert waiting(arrivals) == (None, second + 1)
    arrivals.stored(OTHER)
    assert waiting(arrivals) == (None, None)
    assert arrivals.stored_ns() == clock.ns


def test_refused_request_holds_nobody_back() -> None:
    """What was answered with an error is never stored."""
    arrivals = Arrivals(ManualClock())
    arrivals.refused(arrivals.begin())
    assert waiting(arrivals) == (None, None)


def test_segment_of_an_earlier_run_holds_jobs_back_as_it_did_in_that_run() -> None:
    """Not from a minute before: attribution stood still until the store had that minute again."""
    clock = ManualClock()
    before = Arrivals(clock)
    first = before.begin()
    before.logged(SEGMENT, [first])
    clock.ns += 90
    arrivals = Arrivals(clock)
    arrivals.recovered(SEGMENT, first, first + 5)
    assert arrivals.stored_ns() == before.stored_ns() == first - 1
    arrivals.stored(SEGMENT)
    assert arrivals.stored_ns() == clock.ns


def test_segment_of_an_earlier_run_that_does_not_say_when_holds_jobs_back_from_long_before() -> (
    None
):
    """Its first request came before the segment was opened, and who wrote it may have waited."""
    arrivals = Arrivals(ManualClock())
    arrivals.recovered(SEGMENT, 0, NOW_NS - 5)
    assert arrivals.stored_ns() < NOW_NS - NS_PER_MINUTE


@given(st.lists(st.sampled_from(["begin", "refuse", "log", "store"]), max_size=40))
def test_instant_is_never_past_what_is_on_its_way(steps: list[str]) -> None:
    """Whatever the order: nothing that is unstored is at or before the instant."""
    clock = ManualClock()
    arrivals = Arrivals(clock)
    waiting: list[int] = []
    logged: list[int] = []
    for step in steps:
        clock.ns += 3
        if step == "begin":
            waiting.append(arrivals.begin())
        elif step == "refuse" and waiting:
            arrivals.refused(waiting.pop(0))
        elif step == "log" and waiting:
            logged.append(waiting.pop(0))
            arrivals.logged(SEGMENT, logged[-1:])
        elif step == "store":
            arrivals.stored(SEGMENT)
            logged.clear()
        assert all(arrivals.stored_ns() < received_ns for received_ns in [*waiting, *logged])

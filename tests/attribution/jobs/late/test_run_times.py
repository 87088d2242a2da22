"""What a run of attribution takes on, by how long the last ones took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attribution.jobs.late.run_times import RUN_NS, RUN_NS_MAX, SPANS_MIN, RunTimes
from collector.core.times import NS_PER_S

BASE_NS = 1_000 * NS_PER_S
US = st.floats(1.0, 2_000.0)
ARRIVED = st.lists(st.integers(1, 50_000), min_size=1)


def s(seconds: float) -> int:
    """Return so many seconds in ns."""
    return round(seconds * NS_PER_S)


def paced(*span_us: float) -> RunTimes:
    """Return the times of runs of ten seconds that took so long for each of a thousand a second."""
    run_times = RunTimes()
    for each in span_us:
        run_times.add_run(s(10), 10_000, round(each * 1e7))
    return run_times


def arrived(spans: list[int]) -> list[tuple[int, int]]:
    """Return when so many spans came, a quarter of a second each, the newest first."""
    return [(BASE_NS - index * NS_PER_S // 4, each) for index, each in enumerate(spans)]


@given(US, ARRIVED)
def test_a_run_is_no_longer_than_its_limit(span_us: float, spans: list[int]) -> None:
    """But that what came last is always done; and it is not much shorter than it might be."""
    came = arrived(spans)
    deferred_ns = paced(span_us, span_us).deferred_until_ns(came, 0, 0)
    taken = [each for begin_ns, each in came if begin_ns >= deferred_ns]
    takes_ns = sum(taken) * span_us * 1_000
    assert takes_ns <= RUN_NS_MAX + 1 or len(taken) == 1
    if deferred_ns:
        next_one = spans[len(taken)] * span_us * 1_000
        assert takes_ns <= RUN_NS + 1 or len(taken) == 1
        assert takes_ns + next_one > RUN_NS - 1
    else:
        assert len(taken) == len(spans)


def test_what_can_be_done_in_time_is_not_deferred() -> None:
    """However long it took to come."""
    run_times = paced(20, 20)
    assert not run_times.is_long(s(100), 0, 0)
    assert run_times.deferred_until_ns(arrived([250] * 400), 0, 0) == 0


def test_one_slow_run_defers_nothing() -> None:
    """The disk of the machine may have stood still."""
    assert not paced(100, 3_000).is_long(s(20), 0, 0)
    assert paced(3_000, 3_000).is_long(s(20), 0, 0)
    assert paced(3_000, 3_000).deferred_until_ns(arrived([250] * 80), 0, 0) == BASE_NS - s(0.25)


def test_a_run_that_is_slow_itself_defers_the_rest() -> None:
    """After a start nothing is known of runs before it."""
    run_times, came = RunTimes(), arrived([250] * 400)
    assert not run_times.is_long(s(100), 0, 0)
    assert run_times.is_long(s(100), s(4), s(4))
    assert run_times.deferred_until_ns(came, SPANS_MIN, 0) == 0
    assert run_times.deferred_until_ns(came, SPANS_MIN, s(5)) == BASE_NS - s(1.5)


def test_a_run_of_few_says_nothing_of_one_of_many() -> None:
    """Most of it is what each run takes, however little it does."""
    run_times = RunTimes()
    for _ in range(3):
        run_times.add_run(s(3.5), 200, s(3))
    assert run_times.is_long(s(20), 0, 0)
    assert run_times.deferred_until_ns(arrived([60] * 80), 0, 0) == 0


def test_what_nobody_sends_is_soon_done() -> None:
    """A machine that was busy once deferred time in which nothing came, for ever."""
    run_times = paced(3_000, 3_000)
    assert run_times.is_long(s(10), 0, 0)
    assert run_times.deferred_until_ns([], 0, 0) == 0
    assert not run_times.has_room(s(3.5))
    for _ in range(2):
        run_times.add_run(s(10), 0, s(0.02))
    assert run_times.has_room(s(3.5))


def test_there_is_room_beside_what_leaves_time() -> None:
    """A slice is of a second, in which as much comes as ever."""
    assert RunTimes().has_room(s(3.5))
    assert paced(500, 500).has_room(s(2))
    assert not paced(900, 900).has_room(s(2))


def test_a_store_that_is_behind_has_the_machine() -> None:
    """What is not stored cannot be attributed, however fast attribution is."""
    run_times, came = paced(100, 100), arrived([2_500] * 20)
    taken = []
    for unstored_s in (0, 4, 6, 8, 60):
        run_times.note_unstored(s(unstored_s))
        taken.append((BASE_NS - run_times.deferred_until_ns(came, 0, 0)) / s(0.25) + 1)
    assert taken == [7, 7, 3, 1, 1]
    assert run_times.is_long(s(6), 0, 0)
    assert not run_times.has_room(s(4))
    run_times.note_unstored(0)
    assert not run_times.is_long(s(6), 0, 0)
    assert run_times.has_room(s(4))

"""What a run of attribution takes on, by how long the last ones took."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attribution.jobs.late.pace import ARRIVED_NS, RUN_NS, RUN_NS_MAX, SPANS_MIN, Pace
from collector.core.clock import NS_PER_S

BASE_NS = 1_000 * NS_PER_S
US = st.floats(1.0, 2_000.0)
ARRIVED = st.lists(st.integers(1, 50_000), min_size=1)


def s(seconds: float) -> int:
    """Return so many seconds in ns."""
    return round(seconds * NS_PER_S)


def paced(*span_us: float) -> Pace:
    """Return a pace after runs of ten seconds that took so long for each of 20,000 spans."""
    pace = Pace()
    for each in span_us:
        pace.ran(s(10), 20_000, round(each * 2e7))
    return pace


def arrived(spans: list[int]) -> list[tuple[int, int]]:
    """Return when so many spans came, a quarter of a second each, the newest first."""
    return [(BASE_NS - at * NS_PER_S // 4, each) for at, each in enumerate(spans)]


@given(US, ARRIVED, st.floats(0.0, 3.0))
def test_a_run_is_no_longer_than_its_limit(
    span_us: float, spans: list[int], elapsed_s: float
) -> None:
    """But that what came last is always done; and it is not much shorter than it might be."""
    came = arrived(spans)
    passed_ns = paced(span_us, span_us).passed_ns(came, 1, s(elapsed_s))
    taken = [each for begin_ns, each in came if begin_ns >= passed_ns]
    takes_ns = s(elapsed_s) + sum(taken) * span_us * 1_000
    assert takes_ns <= RUN_NS_MAX + 1 or len(taken) == 1
    if passed_ns:
        next_one = spans[len(taken)] * span_us * 1_000
        assert takes_ns <= RUN_NS + 1 or len(taken) == 1
        assert takes_ns + next_one > RUN_NS - 1
    else:
        assert len(taken) == len(spans)


def test_what_can_be_done_in_time_is_not_passed_over() -> None:
    """However long it took to come."""
    assert paced(15, 15).passed_ns(arrived([250] * 400), 0, 0) == 0


def test_one_slow_run_passes_nothing_over() -> None:
    """The disk of the machine may have stood still."""
    came = arrived([250] * 40)
    assert paced(100, 3_000).passed_ns(came, 0, 0) == 0
    assert paced(3_000, 100).passed_ns(came, 0, 0) == 0
    assert paced(100, 100).passed_ns(came, 0, s(3)) == 0, "before it did anything"
    assert paced(3_000, 3_000).passed_ns(came, 0, 0) == BASE_NS - s(0.25)


def test_of_much_that_comes_at_once_a_run_takes_no_more_than_there_is_time_for() -> None:
    """A tenfold rate was found out by two runs that were too long."""
    pace, came = paced(12, 12), arrived([20_000] * 12)
    assert BASE_NS - pace.passed_ns(came, 0, 0) == s(1.25)
    assert pace.step_ns(came, 0) == 0


def test_how_long_a_span_takes_is_found_out_by_some() -> None:
    """After a start nothing is known of runs before it."""
    pace, came = Pace(), arrived([20_000] * 40)
    assert pace.step_ns(came, 0) == came[-2][0] + ARRIVED_NS
    assert pace.passed_ns(came, 0, 0) == 0
    left = came[:-2]
    assert pace.step_ns(left, 40_000) == 0
    assert pace.passed_ns(left, 40_000, s(0.8)) == BASE_NS
    assert pace.step_ns(arrived([2_000] * 19), 0) == 0, "so few are done at once"


def test_a_run_that_is_slow_itself_passes_over_the_rest() -> None:
    """What it did not begin with is not older than the figures of the next one."""
    came = arrived([20_000] * 40)
    assert paced(12, 12).passed_ns(came, SPANS_MIN, s(2)) == BASE_NS


def test_a_run_of_few_says_nothing_of_one_of_many() -> None:
    """Most of it is what each run takes, however little it does."""
    pace = Pace()
    for _ in range(3):
        pace.ran(s(3.5), 200, s(3))
    assert pace.passed_ns(arrived([60] * 80), 0, 0) == 0
    assert pace.has_room(s(20))


def test_what_nobody_sends_is_soon_done() -> None:
    """A machine that was busy once passed over time in which nothing came, for ever."""
    pace = paced(3_000, 3_000)
    assert pace.passed_ns([], 0, 0) == 0
    assert not pace.has_room(s(3.5))
    pace.ran(s(10), 0, s(0.02))
    assert pace.has_room(s(3.5))


def test_there_is_room_beside_what_leaves_time() -> None:
    """A slice is of a second, in which as much comes as ever."""
    assert Pace().has_room(s(3.5))
    assert paced(200, 200).has_room(s(2))
    assert not paced(400, 400).has_room(s(2))


def test_a_store_that_is_behind_has_the_machine() -> None:
    """What is not stored cannot be attributed, however fast attribution is."""
    pace, came = paced(100, 100), arrived([2_500] * 20)
    taken = []
    for unstored_s in (0, 4, 6, 8, 60):
        pace.stored(s(unstored_s))
        taken.append((BASE_NS - pace.passed_ns(came, 0, 0)) / s(0.25) + 1)
    assert taken == [6, 6, 3, 1, 1]
    assert not pace.has_room(s(4))
    pace.stored(0)
    assert pace.has_room(s(4))

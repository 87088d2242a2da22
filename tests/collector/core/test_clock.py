"""When the machine's clock is believed by what removes data."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.clock import ClockSteps, ClockWatch
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from tests.conftest import NOW_NS

HOUR, DAY = NS_PER_HOUR, NS_PER_DAY


class Machine:
    """A machine whose clock a hand sets, and how long it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_ns = NOW_NS
        self.elapsed_ns = 5
        self.watch = ClockWatch(path, lambda: self.elapsed_ns)

    def look(self, after_ns: int = 0, step_ns: int = 0) -> int:
        """Let time pass, set the clock by so much, and look."""
        self.elapsed_ns += after_ns
        self.now_ns += after_ns + step_ns
        return self.watch.look(self.now_ns)

    def restart(self, off_ns: int) -> None:
        """Switch it off and on again."""
        self.now_ns += off_ns
        self.elapsed_ns = 7
        self.watch = ClockWatch(self.path, lambda: self.elapsed_ns)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return one whose clock was looked at."""
    made = Machine(tmp_path / "clock")
    assert made.look() == 0
    return made


@pytest.mark.parametrize("step_ns", [31 * DAY, 2 * HOUR, -400 * DAY])
def test_clock_that_was_set_is_in_doubt_until_it_is_back(machine: Machine, step_ns: int) -> None:
    """However long that takes, and whatever the process does meanwhile."""
    assert machine.look(NS_PER_MINUTE, step_ns) == step_ns
    assert machine.look(HOUR) == step_ns
    assert machine.look(HOUR, -step_ns) == 0
    assert machine.look(HOUR) == 0


def test_clock_is_in_doubt_over_a_restart_until_it_is_back(machine: Machine) -> None:
    """Whoever finds it wrong sets it right and starts the service anew."""
    assert machine.look(0, 40 * DAY) != 0
    machine.restart(HOUR)
    assert machine.look() != 0
    machine.restart(2 * HOUR)
    assert machine.look(0, -40 * DAY) == 0


def test_clock_that_runs_evenly_for_a_day_is_believed(machine: Machine) -> None:
    """Whoever set it meant it; a restart does not begin the day anew, another step does."""
    assert machine.look(0, 40 * DAY) == 40 * DAY
    for _ in range(20):
        assert machine.look(HOUR) == 40 * DAY
    machine.restart(HOUR)
    for _ in range(4):
        assert machine.look(HOUR) != 0
    assert machine.look(HOUR) == 0
    assert machine.look(0, 40 * DAY) == 40 * DAY
    assert machine.look(23 * HOUR, 3 * HOUR) != 0
    assert machine.look(2 * HOUR) != 0


@pytest.mark.parametrize(("off_ns", "is_believed"), [(2 * DAY, True), (31 * DAY, False)])
def test_clock_after_a_time_switched_off(
    machine: Machine, off_ns: int, *, is_believed: bool
) -> None:
    """Of a weekend nobody is asked; a month may be one in which the clock of a board ran wild."""
    machine.restart(off_ns)
    assert (machine.look(NS_PER_MINUTE) == 0) is is_believed
    assert (machine.look(NS_PER_MINUTE) == 0) is is_believed
    for _ in range(25):
        machine.look(HOUR)
    assert machine.look(HOUR) == 0


@pytest.mark.parametrize("text", ["", "{", "[1]", '["a", 2]'])
def test_file_that_cannot_be_read_is_as_none(tmp_path: Path, text: str) -> None:
    """As after a power cut on a bad disk: a start is not refused for it."""
    (tmp_path / "clock").write_text(text)
    assert ClockWatch(tmp_path / "clock", lambda: 0).look(NOW_NS) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30 * HOUR), st.sampled_from((0, 0, 0, 50 * DAY, -50 * DAY, 2 * HOUR))
        ),
        max_size=30,
    )
)
def test_no_clock_is_believed_that_was_set_within_a_day(looks: list[tuple[int, int]]) -> None:
    """Unless it is where it was; seen at looks, of which the service has one a minute."""
    with TemporaryDirectory() as directory:
        machine = Machine(Path(directory) / "clock")
        machine.look()
        right_ns = machine.now_ns  # as it would be, had nobody set it since it was believed last
        even_ns = 0
        for after_ns, step_ns in looks:
            right_ns += after_ns
            even_ns = 0 if step_ns else even_ns + after_ns
            if machine.look(after_ns, step_ns) == 0:
                assert abs(machine.now_ns - right_ns) <= HOUR or even_ns >= DAY
                right_ns = machine.now_ns


@given(st.lists(st.tuples(st.integers(1, 20 * NS_PER_DAY), st.integers(-DAY, DAY)), min_size=1))
def test_clock_is_even_since_it_was_set_ahead_last(
    steps: list[tuple[int, int]],
) -> None:
    """Being set back makes nothing look old, and a clock that is slewed is not set."""
    now_ns, elapsed_ns = NOW_NS, 5
    since_ns = NOW_NS
    watch = ClockSteps(lambda: elapsed_ns)
    assert watch.since_ns(now_ns) == since_ns
    for after_ns, step_ns in steps:
        elapsed_ns += after_ns
        now_ns += after_ns + step_ns
        if step_ns > 10 * NS_PER_S:
            since_ns = now_ns
        assert watch.since_ns(now_ns) == since_ns

"""What arms say besides a line, in sums small enough to be done by hand, and in drawn worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from attribution.bench.simulator import Draw, World, draw_cells, draw_world
from attribution.sensitivity.arms import (
    bend_of,
    decided_again,
    failing,
    latencies_ms,
    left_open,
    lost_outcomes,
    missing_amounts,
)
from attribution.sensitivity.estimate import Demands, Status, estimate_slope
from attribution.sensitivity.sums import Answers, CellSums, Draws
from tests.support.attribution.long_way.visits import (
    Visits,
    broken_off,
    often,
    reloaded,
    visits,
)

STEEP = World(4e6, minutes=90, cohorts=3, conversion=0.1, relative_per_ms=1e-3, hidden=0.5)
DEMANDS = Demands(STEEP.relative_per_ms)


def rows(outcomes: list[list[float]], delays_ms: tuple[float, ...], n: int = 100) -> CellSums:
    """Return cells, one a minute, whose arms of n decisions have these mean outcomes."""
    cells, arms = len(outcomes), len(delays_ms)
    y, z = np.array(outcomes).reshape(-1), np.tile(delays_ms, cells)
    values = np.stack([y, 50 + z, 30 + z, z, 0 * z], axis=1)
    none = np.zeros(cells * arms, np.int64)
    return CellSums(
        np.repeat(np.arange(cells), arms),
        np.full(cells * arms, n),
        n * values,
        n * values[:, :, None] * values[:, None, :],
        Answers(
            np.repeat(np.arange(cells), arms), z, np.full(cells * arms, n), n * (50 + z),
            np.full(cells * arms, n), n * (50 + z), none, none, none, np.zeros(cells * arms),
        ),
    )  # fmt: skip


def test_bend_by_hand() -> None:
    """y = 1 - 0.001 z - 0.0001 z^2 in both minutes, plus and minus something in the middle arm."""
    delays = (0.0, 40.0, 80.0)
    curve = [1 - 0.001 * z - 0.0001 * z**2 for z in delays]
    wobble = np.array([0.0, 0.01, 0.0])
    found = bend_of(rows([list(curve + wobble), list(curve - wobble)], delays), 0.95)
    assert found is not None
    assert found.per_ms2 == pytest.approx(-0.0001, rel=1e-9)
    # The middle arm alone bends by 0.01 / 1600 either way: so far is each minute from the mean.
    assert found.se == pytest.approx(0.01 / 1600, rel=1e-9)


def test_one_arm_says_nothing_of_a_bend() -> None:
    """Two points are always on a line; and whole cells have no arms."""
    assert bend_of(rows([[1.0, 0.9]] * 3, (0.0, 80.0)), 0.95) is None
    whole = rows([[1.0, 0.9]] * 3, (0.0, 80.0)).cells()
    assert bend_of(whole, 0.95) is None
    assert lost_outcomes(whole) is None
    assert failing(whole, 1.0) == ("", False)


def test_what_is_left_open_grows_with_the_delays() -> None:
    """A twentieth whatever they are, and a fifth for each 100 ms that a line's middle is away."""
    assert left_open(rows([[1.0, 0.9]], (0.0, 10.0))) == pytest.approx(0.05 + 0.2 * 0.1)
    assert left_open(rows([[1.0, 0.9]], (0.0, 100.0))) == pytest.approx(0.05 + 0.2)
    # Sum z q over sum z z, each less its mean: (40, 80, -120) with (1600, 6400, 0) in three arms.
    three = left_open(rows([[1.0, 0.95, 0.9]], (0.0, 40.0, 80.0)))
    assert three == pytest.approx(0.05 + 0.2 * 0.8)


def test_amounts_that_are_missing_in_one_arm_are_refused() -> None:
    """Eight or nine of the slow arm's 100 amounts are: an effect out of nothing."""
    sound = rows([[1.0, 1.0]] * 40, (0.0, 80.0))
    assert missing_amounts(sound) == ""

    def missing(*unknown: int) -> CellSums:
        own = np.tile(unknown, 20)
        answers = replace(sound.answers, earning=np.full(80, 100), unknown=own)
        return replace(sound, answers=answers)

    one_sided = missing(0, 8, 0, 9)
    assert "of 4.2% of what earned, and of +10.63% with 100 ms" in missing_amounts(one_sided)
    assert missing_amounts(missing(4, 5, 5, 4)) == ""
    own = draw_cells(*drawn(replace(STEEP, decisions=4e9), 1))
    told = own.answers
    for share, status in ((0.0, Status.IDENTIFIED), (0.02, Status.LOST)):
        unknown = (told.earning * share * (told.delay_ms > 0)).astype(np.int64)
        found = estimate_slope(replace(own, answers=replace(told, unknown=unknown)), "", DEMANDS)
        assert found.status is status


def test_latencies_between_which_an_effect_was_measured() -> None:
    """From the mean of the control to that of the longest arm; of constant latencies just that."""
    assert latencies_ms(rows([[1.0, 0.95, 0.9]] * 2, (0.0, 40.0, 80.0))) == pytest.approx(
        (50.0, 130.0)
    )


def test_interval_has_what_the_arms_leave_open() -> None:
    """However many the decisions: a line through 40 and 80 ms does not say what the next one does.

    Where buyers give up at steps, it is off by a quarter, and no error of a line says so.
    """
    world = replace(STEEP, decisions=4e9)
    found = estimate_slope(draw_cells(*drawn(world, 1)), "", DEMANDS)
    assert found.status is Status.IDENTIFIED
    assert found.injection is not None
    assert found.next_ms is not None
    assert found.injection.se < 0.02 * abs(found.injection.estimate)
    assert found.next_ms.estimate == found.injection.estimate
    assert found.next_ms.se / abs(found.next_ms.estimate) == pytest.approx(0.194, abs=0.01)


@pytest.mark.parametrize(
    ("arms", "decisions", "is_assumed"),
    [
        pytest.param(((0.9, 0.0), (0.1, 80.0)), 4e9, True, id="one delay"),
        pytest.param(STEEP.arms, 4e9, False, id="the arms of the bench"),
        pytest.param(((0.9, 0.0), (0.1, 80.0)), 1e4, False, id="not yet known"),
    ],
)
def test_line_through_one_delay_is_said_to_be_assumed(
    arms: tuple[tuple[float, float], ...], decisions: float, *, is_assumed: bool
) -> None:
    """Of a slope that is shown alone: a store without an experiment has no delay to speak of."""
    world = replace(STEEP, decisions=decisions, arms=arms)
    found = estimate_slope(draw_cells(*drawn(world, 1)), "", DEMANDS)
    assert (found.status is Status.IDENTIFIED) is (decisions > 1e9)
    assert ("; of one delay it is assumed" in found.reason) is is_assumed


def drawn(world: World, seed: int) -> tuple[Draw, np.random.Generator]:
    """Return a world and the dice that go on."""
    rng = np.random.default_rng(seed)
    return draw_world(world, rng), rng


def test_effect_that_bends_is_refused() -> None:
    """40 ms cost nothing, 80 cost a tenth: a line says a twentieth for 40, and is wrong."""
    world = replace(STEEP, decisions=4e7, relative_per_ms=1e-5, steps=((180.0, 0.5),))
    found = estimate_slope(draw_cells(*drawn(world, 2)), "", DEMANDS)
    assert (found.status, found.estimate) == (Status.NOT_LINEAR, None)
    assert "register shorter delays" in found.reason


@pytest.mark.parametrize("arms", [((0.9, 0.0), (0.1, 80.0)), STEEP.arms])
def test_decisions_that_fail_at_a_deadline_are_refused(
    arms: tuple[tuple[float, float], ...],
) -> None:
    """Of one arm too, in which no bend can be seen."""
    world = replace(STEEP, arms=arms, decisions=4e7, deadline_ms=200.0)
    found = estimate_slope(draw_cells(*drawn(world, 3)), "", DEMANDS)
    assert (found.status, found.estimate) == (Status.NOT_LINEAR, None)
    single = draw_cells(*drawn(world, 3))
    assert "they have a deadline" in failing(single, 1e-3)[0]
    # A failing that is a small part of what the delay costs changes nothing.
    assert failing(single, 1.0) == ("", False)


def test_control_that_fails_is_refused_and_a_few_that_fail_by_chance_are_not() -> None:
    """Its code or its instance is another; nine failures of the larger arm may be anybody's."""
    told = rows([[1.0, 1.0]] * 40, (0.0, 80.0))

    def failed(*own: int, enrolled: tuple[int, int] = (100, 100)) -> str:
        answers = replace(
            told.answers, failed=np.tile(own, 80 // len(own)), enrolled=np.tile(enrolled, 40)
        )
        return failing(replace(told, answers=answers), 1e-3)[0]

    assert "with 100 ms of delay 8.12% fewer of the decisions fail" in failed(7, 1, 8, 1)
    assert failed(1, 2, 2, 1) == ""
    in_nine_minutes = (*[1, 0] * 9, *[0, 0] * 31)
    assert failed(*in_nine_minutes, enrolled=(190, 10)) == ""


def test_outcomes_that_are_lost_when_slow_are_refused_and_others_are_not() -> None:
    """A fifth lost at random leaves the slope; two per cent more by 100 ms make another sample."""
    lost = replace(STEEP, decisions=4e7, missing=0.1, missing_per_100ms=0.02)
    found = estimate_slope(draw_cells(*drawn(lost, 4)), "", DEMANDS)
    assert (found.status, found.estimate) == (Status.LOST, None)
    assert found.lost is not None
    assert found.lost.by_delay_per_100ms == pytest.approx(-0.02, abs=0.002)
    assert found.lost.by_latency_per_100ms == pytest.approx(-0.02, abs=0.002)
    assert "with 100 ms of injected delay" in found.reason
    at_random = replace(STEEP, decisions=4e7, missing=0.2)
    sound = estimate_slope(draw_cells(*drawn(at_random, 4)), "", DEMANDS)
    assert sound.status is Status.IDENTIFIED
    assert sound.lost is not None
    assert sound.lost.share == pytest.approx(0.8, abs=0.001)


def test_outcomes_that_poor_connections_lose_are_refused_by_latency() -> None:
    """Arms of a thousandth cannot tell; all the other decisions can."""
    world = replace(
        STEEP, decisions=4e5, arms=((0.998, 0.0), (0.001, 40.0), (0.001, 80.0)),
        missing=0.1, missing_per_100ms=0.02,
    )  # fmt: skip
    found = lost_outcomes(draw_cells(*drawn(world, 5)))
    assert found is not None
    assert "with 100 ms of latency" in found.reason


def reaching(moved: float) -> CellSums:
    """Return sixty minutes of two arms, whose delay of 40 ms moves the latency by this of it."""
    rng = np.random.default_rng(6)
    sums = [[1 + rng.normal(0, 0.01), 0.99 + rng.normal(0, 0.01)] for _ in range(60)]
    said = rows(sums, (0.0, 40.0))
    off = 40 * (moved - 1)
    shift = np.array([0.0, off, off, 0.0, 0.0])
    values = said.sums / said.n[:, None] + (said.answers.delay_ms > 0)[:, None] * shift
    values[:, 1] += np.tile([0.1, -0.1], 60) * rng.random(120)
    return replace(
        said,
        sums=said.n[:, None] * values,
        products=said.n[:, None, None] * values[:, :, None] * values[:, None, :],
    )


def test_delay_that_nobody_waited_is_refused() -> None:
    """A sender says 40 ms and waits 4: what it changes is not what latency does."""
    found = estimate_slope(reaching(0.1), "", Demands(1.0))
    assert (found.status, found.estimate) == (Status.NOT_APPLIED, None)
    assert "1 ms of delay moves the latency by 0.1" in found.reason


@pytest.mark.parametrize(("moved", "is_said"), [(0.8, True), (1.0, False), (1.3, True)])
def test_delay_that_reaches_some_is_said(moved: float, is_said: bool) -> None:
    """The effect is that of the decisions which waited, and the others may be the large ones."""
    found = estimate_slope(reaching(moved), "", Demands(1.0))
    assert found.status is Status.IDENTIFIED
    said = f"1 ms of delay moves the latency by {moved:.2f} ms: the effect is that of the decisions"
    assert (said in found.reason) is is_said


def test_decisions_that_are_made_again_by_hand() -> None:
    """A tenth of the slow draws, and nine in every other minute, are of two decisions."""
    told = rows([[1.0, 1.0]] * 20, (0.0, 80.0))

    def drawn(*again: int) -> CellSums:
        delays_ms, minute = told.answers.delay_ms, told.minute
        draws = Draws(minute, minute, delays_ms, np.full(40, 100), np.tile(again, 10))
        return replace(told, draws=draws)

    # 9.5 of 104.75 more by 80 ms, and half a hundredth each way; 4.75 of 100 draws vary by more.
    said = decided_again(drawn(0, 10, 0, 9), 1e-5, 1e-5)
    assert "the same units make 11.3% more decisions in their minute (chance reaches 2.3%)" in said
    assert decided_again(drawn(10, 10, 9, 9), 1e-5, 1e-5) == ""
    assert decided_again(drawn(0, 10, 9, 0), 1e-5, 1e-5) == ""
    # A tenth of what the delay costs in all changes nothing, nor does half of the error of that.
    assert decided_again(drawn(0, 10, 0, 9), 0.02, 1e-5) == ""
    assert decided_again(drawn(0, 10, 0, 9), 1e-5, 0.003) == ""
    assert decided_again(told, 1e-5, 1e-5) == ""


def again_and_again(dice: np.random.Generator, share: float) -> Visits:
    """Return visits that are made again when slow, and cost nothing."""
    return reloaded(visits(dice), share, dice)


def never_again(dice: np.random.Generator, share: float) -> Visits:
    """Return visits of which slow ones leave before the decision that earns."""
    return broken_off(visits(dice), share, dice)


@pytest.mark.parametrize("world", [again_and_again, never_again])
@pytest.mark.parametrize("share", [0.1, 0.25])
def test_delay_that_changes_how_many_decisions_are_made_is_refused(
    world: Callable[[np.random.Generator, float], Visits], share: float
) -> None:
    """A loss was proven that there is not, and one that there is was not seen.

    Where units decide as often in every arm, however often, one in a hundred is refused.
    """
    refused, sound = 0, 0
    for seed in range(20):
        dice = np.random.default_rng(seed)
        found = estimate_slope(world(dice, share).cells(dice), "", Demands(1e-3))
        refused += (found.status, found.estimate) == (Status.DECIDED_AGAIN, None)
        told = estimate_slope(often(visits(dice), dice).cells(dice), "", Demands(1e-3))
        sound += told.status is Status.IDENTIFIED
    assert refused == 20
    assert sound >= 19

"""Replay skips instants; that it loses nothing by it is held against evaluating every one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.people.calendars import CalendarConfig, Calendars
from alerts.replay.replay import replay
from alerts.replay.series import Series, Steps
from alerts.replay.walk import Change, Instants
from alerts.rules.burn_rate import Losses
from alerts.rules.dollar_burn import BurnFacts, DollarBurn, window_end_ns
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import Timing, advance, first_state
from collector.core.times import NS_PER_S
from dashboard.units import utc_iso
from tests.support.alerts.builders import moment, rule
from tests.support.examples import examples

START_NS = 2_000_000_000 * NS_PER_S
STEP_S = 10
STEPS = 300
NODATA_NS = 120 * NS_PER_S
TIERS = [
    {"budget_share": 0.01, "long_window_s": 60, "short_window_s": 20},
    {"budget_share": 0.02, "long_window_s": 1_860, "short_window_s": 300},
]
HURT, WELL = Subject("checkout", "eu-west"), Subject("checkout", "us-east")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Calendars:
    """Return calendars by which the budget allows more in one part of the time, less in another."""
    configs = []
    for name, factor, parts in (
        ("quiet", 3.0, [(40, 90), (200, 210)]),
        ("launch", 0.25, [(80, 160), (299, 330)]),
    ):
        path = tmp_path_factory.mktemp("calendars") / f"{name}.csv"
        lines = [
            ",".join(utc_iso(START_NS + step * STEP_S * NS_PER_S) for step in part)
            for part in parts
        ]
        path.write_text("\n".join(["starts,ends", *lines]))
        configs.append(CalendarConfig(name=name, path=path, budget_factor=factor, zone="UTC"))
    return Calendars(configs)


Stretches = list[tuple[int, int, float, int, bool]]
# Stretches of steps in which a class decides so much, knows the value of so much of it, and loses
# so much of a step; or nobody knows what it loses of so much.
STRETCHES = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.sampled_from([0, 1, 20]),
        st.sampled_from([1.0, 1.0, 0.5, 0.0]),
        st.sampled_from([0, 0, 0, 150_000, 1_500_000, 20_000_000, 60_000_000]),
        st.sampled_from([True, True, False]),
    ),
    min_size=1,
    max_size=14,
)
RULES = st.builds(
    lambda for_s, keep_s, reset_s, budget_for, events, calendars: rule(
        tiers=TIERS,
        calendars=calendars,
        for_s=for_s,
        keep_firing_s=keep_s,
        reset_window_s=reset_s,
        budget_for=budget_for,
        events_min=events,
    ),
    st.sampled_from([0.0, 20.0]),
    st.sampled_from([0.0, 30.0]),
    st.sampled_from([10, 30, 300]),
    st.sampled_from(["class", "all"]),
    st.sampled_from([1.0, 8.0]),
    st.lists(st.sampled_from(["quiet", "launch"]), max_size=2, unique=True).map(tuple),
)


def series(stretches: Stretches) -> Series:
    """Return losses by step; what is beyond the stretches is silence."""
    decisions, unvalued, loss, unknown = (np.zeros(STEPS, np.int64) for _ in range(4))
    at = 0
    for length, count, known, lost, has_slope in stretches:
        part = slice(at, at + length)
        decisions[part], unvalued[part] = count, count - round(count * known)
        (loss if has_slope else unknown)[part] = lost if count and known else 0
        at += length
    valued = decisions - unvalued
    steps = Steps(
        decisions=decisions,
        unvalued=unvalued,
        loss=loss,
        loss_low=loss // 2,
        loss_high=loss * 2,
        loss_squared=(loss / 1e6) ** 2 / np.maximum(valued, 1),
        basis={"margin": valued},
        slope_source={
            "prior": np.where(unknown > 0, 0, valued),
            "unknown": np.where(unknown > 0, valued, 0),
        },
        unknown=unknown,
    )
    return Series(START_NS + STEP_S * NS_PER_S * np.arange(STEPS, dtype=np.int64), steps)


@settings(max_examples=examples(40), deadline=None)
@given(config=RULES, hurt=STRETCHES, well=STRETCHES)
def test_replay_is_every_instant_evaluated(
    planned: Calendars, config: DollarBurnConfig, hurt: Stretches, well: Stretches
) -> None:
    """Same transitions, same instants, same figures."""
    classes = {HURT: series(hurt), WELL: series(well)}
    ends_ns = START_NS + STEP_S * NS_PER_S * np.arange(1, STEPS + 1, dtype=np.int64)
    instants = Instants(ends_ns, ends_ns + 3 * NS_PER_S, NODATA_NS)
    [burn] = [DollarBurn(each) for each in config.by_severity]

    expected = list(every_instant(burn, classes, instants, planned))
    assert list(replay(burn, classes, instants, planned)) == expected


@dataclass(frozen=True)
class Naive:
    """Windows of a class at one instant."""

    series: Series
    end_ns: int

    def since(self, since_ns: int, lengths: Sequence[int]) -> Losses:
        """Sum each by itself."""
        ends_ns = {each: int(window_end_ns(each, self.end_ns)) for each in lengths}
        return Losses(
            {
                each: self.series.window(min(each, max(0, end_ns - since_ns) // NS_PER_S), end_ns)
                for each, end_ns in ends_ns.items()
            }
        )


def every_instant(
    burn: DollarBurn, classes: dict[Subject, Series], instants: Instants, planned: Calendars
) -> Iterator[Change]:
    """Evaluate the rule as the job does, subject by subject."""
    subjects = [Subject(ALL, ALL)] if burn.config.budget_for == "all" else [HURT, WELL]
    timing = Timing(burn.config.for_s, burn.config.keep_firing_s, burn.window_s)
    for subject in subjects:
        state = None
        for end_ns, known_ns in zip(instants.end_ns, instants.known_ns, strict=True):
            at = moment(end_ns=int(end_ns), known_ns=int(known_ns), nodata_ns=instants.nodata_ns)
            facts = BurnFacts(
                at,
                {each: Naive(found, int(end_ns)) for each, found in classes.items()},
                {
                    each: planned.budget_factor(
                        burn.config.calendars, to_ns - each * NS_PER_S, to_ns
                    )
                    for each in burn.config.windows_s
                    for to_ns in [int(window_end_ns(each, int(end_ns)))]
                },
            )
            if state is None:
                own = [classes[each] for each in classes if burn.config.spender(each) == subject]
                if not any(int(each.newest_ns(np.array([end_ns]))[0]) for each in own):
                    continue
                state = first_state(burn.config.name, subject, int(end_ns))
            evaluation = burn.evaluate(facts, state)
            state, transition = advance(state, timing, evaluation.seen)
            if transition is not None:
                window_s = evaluation.window_s or burn.window_s
                focus = burn.focus(facts, subject)
                yield Change(subject, transition, evaluation, window_s, focus)

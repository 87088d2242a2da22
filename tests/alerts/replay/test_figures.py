"""A rule of kind `threshold` over stored seconds does what it does live, at every instant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.replay.figures import LOSS, FigureSeries, is_replayed, nothing, replay_figure
from alerts.replay.stored import read_figure
from alerts.replay.walk import Instants
from alerts.rules.threshold import FIGURES, Threshold, ThresholdConfig
from alerts.state.subject import Subject
from alerts.state.transitions import Timing, advance, first_state
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment
from tests.support.alerts.scene import HURT, WELL, write_seconds
from tests.support.examples import examples

CLASS = Subject("checkout", HURT)
BEGIN_NS = NOW_NS - NOW_NS % (3_600 * NS_PER_S)
STEP_NS = 10 * NS_PER_S
NAMES = ("decisions", "late", "failed", "unvalued", LOSS)
FIGURES_OF_DECISIONS = [name for name, each in FIGURES.items() if each.is_about_decisions]


def rule(figure: str = "late_ratio", **changes: object) -> Threshold:
    """Return a rule over a minute."""
    fields: dict[str, Any] = {"name": "limit", "figure": figure, "window_length_s": 60, **changes}
    if figure == "slow_ratio":
        fields.setdefault("target_ms", 100.0)
    if "below" not in fields:
        fields.setdefault("above", 0.2)
    return Threshold(ThresholdConfig.model_validate(fields))


def one_by_one(rule: Threshold, series: FigureSeries, at: Instants) -> list[tuple[object, ...]]:
    """Return the transitions of a rule that is evaluated at every instant, as the job does it."""
    timing = Timing(rule.config.for_s, rule.config.keep_firing_s, rule.window_s)
    made: list[tuple[object, ...]] = []
    state = None
    for number, end_ns in enumerate(at.end_ns.tolist()):
        rows = series.rows(end_ns - rule.window_s * NS_PER_S, end_ns)
        facts = rule.readings(at.moment(number), rows)
        found = rule.subjects(facts)
        if state is None:
            if CLASS not in found:
                continue
            state = first_state("limit", CLASS, found[CLASS])
        state, transition = advance(state, timing, rule.evaluate(facts, state).seen)
        if transition is not None:
            made.append((transition.at_ns, transition.from_state, transition.to_state))
    return made


@settings(max_examples=examples(120))
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=80),
    st.sampled_from(["late_ratio", "decisions_per_s", "loss_usd_per_h"]),
    st.sampled_from([{"above": 0.25}, {"below": 0.25}, {"above": 3.0}]),
    st.sampled_from([0, 25]),
    st.sampled_from([0, 35]),
    st.booleans(),
)
def test_what_is_skipped_changes_nothing(
    steps: list[tuple[int, int]],
    figure: str,
    limit: dict[str, float],
    for_s: float,
    keep_s: float,
    is_named: bool,
) -> None:
    """Comparing whole arrays finds every instant at which a state can change."""
    named = {"action": CLASS.action, "region": CLASS.region} if is_named else {}
    if figure == "late_ratio":
        limit = {side: min(value, 1.0) for side, value in limit.items()}
    burn = rule(figure, for_s=for_s, keep_firing_s=keep_s, **limit, **named)
    filled = [(at, max(pair), min(pair)) for at, pair in enumerate(steps) if max(pair)]
    starts = BEGIN_NS + np.array([at for at, _, _ in filled], np.int64) * STEP_NS
    columns = np.array([(n, late, 0, 0, late * 70_001) for _, n, late in filled], np.int64)
    series = FigureSeries(CLASS, NAMES, starts, columns.reshape(-1, 5), starts)
    ends_ns = BEGIN_NS + np.arange(1, len(steps) + 12, dtype=np.int64) * STEP_NS
    at = Instants(ends_ns, ends_ns, 40 * NS_PER_S)

    made = [
        (change.transition.at_ns, change.transition.from_state, change.transition.to_state)
        for change in replay_figure(burn, {CLASS: series} if filled else {}, at)
    ]

    assert made == one_by_one(burn, series if filled else nothing(CLASS), at)


@pytest.mark.parametrize("figure", FIGURES_OF_DECISIONS)
def test_seconds_of_the_store_are_what_the_rule_reads_live(store: Connections, figure: str) -> None:
    """In every window that ends at a second, of every class."""
    client = store.client()
    write_seconds(client, BEGIN_NS, 60, HURT, slow_ms=120, failed=1)
    write_seconds(client, BEGIN_NS + 90 * NS_PER_S, 60, HURT, unvalued=2)
    write_seconds(client, BEGIN_NS, 100, WELL)
    limit = rule(figure)
    found = read_figure(store, limit.config, BEGIN_NS - 10**12, BEGIN_NS + 10**12)
    reader = AlertReader(store, Calendars(()).budget_factor)
    seen = 0
    for end_s in (0, 1, 59, 60, 77, 120, 155, 400):
        end_ns = BEGIN_NS + end_s * NS_PER_S
        now = moment(known_ns=end_ns, end_ns=end_ns)
        rows = [
            row for series in found.values() for row in series.rows(end_ns - 60 * NS_PER_S, end_ns)
        ]
        live = limit.read(reader, now, {})
        assert limit.readings(now, rows).by_subject == live.by_subject
        seen += len(live.by_subject)
    assert seen > 6


def test_figures_of_something_else_are_not_replayed() -> None:
    """When a rejected item became known is not what its time says."""
    kinds = {name: is_replayed(rule(name, window_length_s=86_400).config) for name in FIGURES}
    assert [name for name, is_known in kinds.items() if not is_known] == [
        "cache_hit_ratio", "cost_per_decision", "rejected", "unproven", "microbursts",
        "clock_error_ms",
    ]  # fmt: skip

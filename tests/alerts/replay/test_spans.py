"""A rule of kind `slo` over stored spans does what it does live, evaluated at every instant."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.replay.spans import SeriesSpans, SpanSeries, replay_spans
from alerts.replay.stored import read_spans
from alerts.replay.walk import Instants
from alerts.rules.slo import Slo, SloConfig, SpanFacts
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import Phase, Timing, advance, first_state
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment
from tests.support.builders import span, store_blocks, trace_request
from tests.support.examples import examples

API = Subject("api", "")
BEGIN_NS = NOW_NS - NOW_NS % (3_600 * NS_PER_S)
STEP_NS = 10 * NS_PER_S


def config(**changes: object) -> SloConfig:
    """Return a rule over one minute and ten seconds."""
    tier = {"bad_share_max": 0.2, "long_window_s": 60, "short_window_s": 10}
    fields: dict[str, Any] = {"name": "errors", "failed": True, "tiers": [tier], **changes}
    return SloConfig.model_validate(fields)


def instants(count: int) -> Instants:
    """Return so many instants, ten seconds apart."""
    ends_ns = BEGIN_NS + np.arange(1, count + 1, dtype=np.int64) * STEP_NS
    return Instants(ends_ns, ends_ns, 40 * NS_PER_S)


def one_by_one(rule: Slo, series: SpanSeries, at: Instants) -> list[tuple[int, Phase, Phase]]:
    """Return the transitions of a rule that is evaluated at every instant from the first span."""
    timing = Timing(rule.config.for_s, rule.config.keep_firing_s, rule.window_s)
    made, state = [], None
    for end_ns in at.known_ns.tolist():
        if state is None:
            if not series.newest_ns(np.array([end_ns]))[0]:
                continue
            state = first_state("errors", API, end_ns)
        now = moment(known_ns=end_ns, end_ns=end_ns, nodata_ns=at.nodata_ns)
        facts = SpanFacts(now, {API: SeriesSpans(series, end_ns)})
        state, transition = advance(state, timing, rule.evaluate(facts, state).seen)
        if transition is not None:
            made.append((transition.at_ns, transition.from_state, transition.to_state))
    return made


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: (max(pair), min(pair))),
    min_size=1,
    max_size=80,
)


@settings(max_examples=examples(80))
@given(STEPS, st.sampled_from([0, 25]), st.sampled_from([0, 35]), st.integers(1, 3))
def test_what_is_skipped_changes_nothing(
    steps: list[tuple[int, int]], for_s: float, keep_s: float, least: int
) -> None:
    """Comparing whole arrays finds every instant at which a state can change."""
    rule = Slo(config(for_s=for_s, keep_firing_s=keep_s, spans_min=least))
    filled = [(at, *pair) for at, pair in enumerate(steps) if pair[0]]
    starts = BEGIN_NS + np.array([at for at, _, _ in filled], np.int64) * STEP_NS
    spans, bad = (np.array([each[n] for each in filled], np.int64) for n in (1, 2))
    series = SpanSeries(starts, spans, bad, starts + NS_PER_S)
    at = instants(len(steps) + 12)

    made = [
        (change.transition.at_ns, change.transition.from_state, change.transition.to_state)
        for change in replay_spans(rule, {API: series}, at)
    ]

    assert made == one_by_one(rule, series, at)


def test_steps_of_the_store_are_what_the_rule_reads_live(store: Connections) -> None:
    """In every window that ends where a step does, for each service and for all together."""
    for second in range(120):
        for service, every in (("api", 3), ("shop", 7)):
            if second % every:
                continue
            made = span(
                start_ns=BEGIN_NS + second * NS_PER_S,
                duration_ns=200 * NS_PER_MS if second % 2 else NS_PER_MS,
                error=second % 9 == 0,
                attributes={"http.response.status_code": str(200 + second)},
            )
            store_blocks(store, trace_request(made, service=service))
    statuses = [[200, 249], [290, 319]]
    for changes in (
        {},
        {"together": True},
        {"service": "api", "failed": False, "target_ms": 100, "counted_statuses": statuses},
        {"bad_statuses": statuses},
    ):
        rule = Slo(config(**changes))
        series = read_spans(store, rule.config, BEGIN_NS, BEGIN_NS + 10**12, STEP_NS)
        for end_s in (10, 70, 120, 150):
            end_ns = BEGIN_NS + end_s * NS_PER_S
            live = rule.read(
                AlertReader(store, Calendars(()).budget_factor),
                moment(known_ns=end_ns, end_ns=end_ns),
                {},
            )
            for subject, found in live.by_subject.items():
                for seconds in (10, 60):
                    stored = series[subject].window(end_ns - seconds * NS_PER_S, end_ns)
                    assert found.window(seconds) == stored, (changes, end_s, seconds)
            assert live.by_subject or end_s == 150
        services = {rule.config.service} if rule.config.service else {"api", "shop"}
        expected = {ALL} if rule.config.together else services
        assert {subject.action for subject in series} == expected

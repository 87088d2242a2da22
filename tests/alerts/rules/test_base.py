from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rules.base import duration_text, observe
from alerts.state.subject import Subject
from alerts.state.transitions import Status, first_state
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment, rule
from tests.support.examples import examples

ACTIONS = st.sampled_from(["", "checkout", "browse"])
REGIONS = st.sampled_from(["", "eu-west", "us-east"])
SUBJECTS = st.builds(Subject, ACTIONS, REGIONS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (2e6, "23 d")],
)
def test_duration_is_in_a_unit_that_fits(seconds: float, text: str) -> None:
    """A person reads two figures and a unit."""
    assert duration_text(seconds) == text


@settings(max_examples=examples(100))
@given(ACTIONS, REGIONS, st.lists(SUBJECTS, max_size=5))
def test_rule_evaluates_what_it_covers_and_keeps_what_it_names(
    action: str, region: str, found: list[Subject]
) -> None:
    """What is found and covered is in, and nothing else but the class that it names."""
    config = rule(action=action, region=region)
    classes = config.classes(found, NOW_NS)
    assert set(classes) - set(found) <= {config.named}
    assert all(config.covers(each) for each in classes)
    assert {each for each in found if config.covers(each)} <= set(classes)
    assert [each for each in classes if config.expects(each)] == [config.named] * bool(config.named)


@settings(max_examples=examples(100))
@given(st.integers(0, 900), st.integers(0, 900), st.integers(0, 900))
def test_class_is_silent_after_the_limit_and_not_before(
    state_age_s: int, window_age_s: int, limit_s: int
) -> None:
    """The newest decision counts, whether the window has it or the state remembers it."""
    state = first_state("burn", Subject("checkout", "eu-west"), NOW_NS - state_age_s * NS_PER_S)
    newest_ns = NOW_NS - window_age_s * NS_PER_S
    seen = observe(Status.OK, state, newest_ns, moment(nodata_ns=limit_s * NS_PER_S))
    assert seen.is_silent == (min(state_age_s, window_age_s) > limit_s)
    assert seen.newest_ns == max(state.data_ns, newest_ns)

"""The rule over the arithmetic of `burn_rate`: which classes, when silent, and its words."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rules.burn_rate import Windows, burn_of
from alerts.rules.dollar_burn import BurnFacts, DollarBurn
from alerts.state.subject import Subject
from alerts.state.transitions import Status, first_state
from collector.core.clock import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment, rule, window
from tests.support.examples import examples

HURT, WELL = Subject("checkout", "eu-west"), Subject("checkout", "us-east")
BASES = st.sampled_from(["", "margin", "expected+margin"])
WINDOWS = st.builds(
    lambda loss, decisions, basis, age_s: Windows(
        window(loss, decisions=decisions, basis=basis, newest_ns=NOW_NS - age_s * NS_PER_S),
        window(loss / 10, decisions=decisions, basis=basis),
    ),
    st.decimals(min_value=0, max_value=10_000, places=2),
    st.integers(0, 1_000),
    BASES,
    st.integers(0, 900),
)


def facts(**by_region: Windows) -> BurnFacts:
    """Return the facts of some regions of the checkout."""
    found = {Subject("checkout", name): windows for name, windows in by_region.items()}
    return BurnFacts(moment(), found)


def test_rule_takes_the_classes_that_it_covers_and_the_one_that_it_names() -> None:
    """A class that never decided anything is evaluated where the rule names it in full."""
    seen = facts(**{"eu-west": Windows(window(), window()), "us-east": Windows(window(), window())})
    assert set(DollarBurn(rule()).subjects(seen)) == {HURT, WELL}
    assert set(DollarBurn(rule(region="us-east")).subjects(seen)) == {WELL}
    named = rule(action="checkout", region="ap-south")
    assert DollarBurn(named).subjects(seen) == {Subject("checkout", "ap-south"): NOW_NS}
    assert named.expects(Subject("checkout", "ap-south"))
    assert not rule().expects(HURT)
    assert not named.covers(HURT)


@settings(max_examples=examples(100))
@given(WINDOWS, st.integers(0, 900))
def test_evaluation_is_the_arithmetic_and_the_silence(windows: Windows, waited_s: int) -> None:
    """Whatever is seen: the same twice, the loss of the windows, silent exactly after the limit."""
    burn, state = DollarBurn(rule()), first_state("burn", HURT, NOW_NS - waited_s * NS_PER_S)
    seen = facts(**{"eu-west": windows})

    found = burn.evaluate(seen, state)

    assert found == burn.evaluate(seen, state)
    expected = burn_of(rule(), windows)
    assert (found.seen.status, found.reason, found.cost) == (
        *(expected.status, expected.reason, expected.cost),
    )
    latest_ns = max(state.data_ns, windows.long.newest_ns)
    assert found.seen.newest_ns == latest_ns
    assert found.seen.is_silent == (NOW_NS - latest_ns > seen.moment.nodata_ns)
    assert (found.cost.basis == "unknown") == (windows.long.basis == "")


@settings(max_examples=examples(100))
@given(WINDOWS, WINDOWS)
def test_other_classes_change_nothing(windows: Windows, others: Windows) -> None:
    """One class is evaluated by its own decisions."""
    burn, state = DollarBurn(rule()), first_state("burn", HURT, NOW_NS)
    alone = burn.evaluate(facts(**{"eu-west": windows}), state)
    assert alone == burn.evaluate(facts(**{"eu-west": windows, "us-east": others}), state)


def test_class_that_is_in_no_window_has_no_data_and_no_dollars() -> None:
    """Its state keeps it under evaluation; zero dollars would be an answer."""
    state = first_state("burn", HURT, NOW_NS)
    found = DollarBurn(rule()).evaluate(facts(), state)
    assert (found.seen.status, found.cost.basis) == (Status.NO_DATA, "unknown")
    late = replace(facts(), moment=moment(301))
    assert DollarBurn(rule()).evaluate(late, state).seen.is_silent


def test_words_name_the_class_and_what_the_rule_says() -> None:
    """They go into the reason, the webhook and the pages."""
    words = DollarBurn(rule(note="see the store", runbook_url="https://r.example")).wording(HURT)
    assert (words.subject, words.short_s) == ("decisions of checkout/eu-west", 6)
    assert (words.note, words.runbook_url) == ("see the store", "https://r.example")

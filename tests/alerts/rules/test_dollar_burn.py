"""The rule over the arithmetic of `burn_rate`: which classes, when silent, and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rules.base import Evaluation
from alerts.rules.burn_rate import Losses, Window, burn_of
from alerts.rules.dollar_burn import BurnFacts, DollarBurn
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import AlertState, Phase, Status, first_state
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import losses, moment, rule, window
from tests.support.alerts.scene import INCIDENT_S, UNKNOWN_SLOPE, Scene
from tests.support.examples import examples

HURT, WELL = Subject("checkout", "eu-west"), Subject("checkout", "us-east")
OTHER = Subject("search", "us-east")
CHECKOUT, SEARCH, EVERYTHING = Subject("checkout", ALL), Subject("search", ALL), Subject(ALL, ALL)
BASES = st.sampled_from(["", "margin", "expected+margin"])
LOSSES = st.builds(
    lambda loss, decisions, basis, age_s: losses(
        window(loss, decisions=decisions, basis=basis, newest_ns=NOW_NS - age_s * NS_PER_S),
        window(
            loss / 10,
            decisions=decisions,
            basis=basis,
            newest_ns=NOW_NS - age_s * NS_PER_S,
        ),
    ),
    st.decimals(min_value=0, max_value=10_000, places=2),
    st.integers(0, 1_000),
    BASES,
    st.integers(0, 900),
)


@dataclass(frozen=True)
class Given:
    """Losses that are the same since whenever."""

    losses: Losses

    def since(self, since_ns: int, lengths: Sequence[int]) -> Losses:
        """Return them."""
        return self.losses


def facts_of(by_class: Mapping[Subject, Losses]) -> BurnFacts:
    """Return the facts of some classes."""
    return BurnFacts(moment(), {name: Given(each) for name, each in by_class.items()}, {})


def facts(**by_region: Losses) -> BurnFacts:
    """Return the facts of some regions of the checkout."""
    found = {Subject("checkout", name): each for name, each in by_region.items()}
    return facts_of(found)


def test_rule_takes_the_classes_that_it_covers_and_the_one_that_it_names() -> None:
    """A class that never decided anything is evaluated where the rule names it in full."""
    seen = facts(**{"eu-west": losses(window()), "us-east": losses(window())})
    assert set(DollarBurn(rule()).subjects(seen)) == {HURT, WELL}
    assert set(DollarBurn(rule(region="us-east")).subjects(seen)) == {WELL}
    named = rule(action="checkout", region="ap-south")
    assert DollarBurn(named).subjects(seen) == {Subject("checkout", "ap-south"): NOW_NS}
    assert named.expects(Subject("checkout", "ap-south"))
    assert not rule().expects(HURT)
    assert not named.covers(HURT)


@settings(max_examples=examples(100))
@given(LOSSES, st.integers(0, 900))
def test_evaluation_is_the_arithmetic_and_the_silence(seen_losses: Losses, waited_s: int) -> None:
    """Whatever is seen: the same twice, the loss of the windows, silent exactly after the limit."""
    burn, state = DollarBurn(rule()), first_state("burn", HURT, NOW_NS - waited_s * NS_PER_S)
    seen = facts(**{"eu-west": seen_losses})

    found = burn.evaluate(seen, state)

    assert found == burn.evaluate(seen, state)
    expected = burn_of(rule(), seen_losses)
    assert (found.seen.status, found.reason, found.cost) == (
        *(expected.status, expected.reason, expected.cost),
    )
    latest_ns = max(state.data_ns, seen_losses.window(60).newest_ns)
    assert found.seen.newest_ns == latest_ns
    assert found.seen.is_silent == (NOW_NS - latest_ns > seen.moment.nodata_ns)
    assert (found.cost.basis == "unknown") == (seen_losses.window(60).basis == "")


@settings(max_examples=examples(100))
@given(LOSSES, LOSSES)
def test_other_classes_change_nothing(seen_losses: Losses, others: Losses) -> None:
    """One class is evaluated by its own decisions."""
    burn, state = DollarBurn(rule()), first_state("burn", HURT, NOW_NS)
    alone = burn.evaluate(facts(**{"eu-west": seen_losses}), state)
    assert alone == burn.evaluate(facts(**{"eu-west": seen_losses, "us-east": others}), state)


def test_what_is_not_attributed_may_lose_nothing_of_the_budget() -> None:
    """The limit is that of the decisions which are there: else overload would hide an incident."""
    limit_usd = rule().threshold_usd(rule().tiers[0], 60)
    lost = window(limit_usd * Decimal("0.9"), decisions=750)
    state = first_state("burn", HURT, NOW_NS)
    whole = DollarBurn(rule()).evaluate(facts(**{"eu-west": losses(lost)}), state)
    partly = losses(replace(lost, missing=250))
    found = DollarBurn(rule()).evaluate(facts(**{"eu-west": partly}), state)
    assert (whole.seen.status, found.seen.status) == (Status.BURNING, Status.BREACHED)
    assert found.cost.loss_usd == whole.cost.loss_usd, "no dollar is made up"
    # An hour costs what it does by the part of the minute that is there, as one may lose.
    an_hour = whole.cost.risk_usd_per_h / Decimal("0.75")
    assert found.cost == replace(whole.cost, risk_usd_per_h=an_hour)
    assert found.reason.endswith("; decisions of 15 s of it are not attributed yet")
    assert partly.allowed(60) == Decimal("0.75")
    nearly = losses(replace(lost, decisions=1, missing=10_000))
    assert nearly.allowed(60) == 1 / Decimal(60), "of a second at least"


def test_alert_does_not_end_by_what_is_missing() -> None:
    """What is there says that it is over, and the rest may burn; nothing begins by that either."""
    burn, calm = DollarBurn(rule()), window("0", decisions=750)
    quiet = first_state("burn", HURT, NOW_NS)
    for phase, missing, status in (
        (Phase.FIRING, 0, Status.OK), (Phase.FIRING, 250, Status.NO_DATA),
        (Phase.COOLING, 250, Status.NO_DATA), (Phase.INACTIVE, 250, Status.OK),
        (Phase.FIRING, 10, Status.OK),  # less than a second is on its way in any pass
    ):  # fmt: skip
        seen = facts(**{"eu-west": losses(replace(calm, missing=missing))})
        found = burn.evaluate(seen, replace(quiet, phase=phase))
        assert found.seen.status is status, (phase, missing)
    # The newest window says whether it is over: what older ones miss keeps nothing.
    seen = facts(**{"eu-west": losses(replace(calm, missing=250), calm)})
    assert burn.evaluate(seen, replace(quiet, phase=Phase.FIRING)).seen.status is Status.OK


def test_nobody_knows_the_end_of_an_alert_while_what_lateness_costs_is_unknown() -> None:
    """A receiver was told that it was over, with 0 dollars an hour, amid the incident."""
    burn, state = DollarBurn(rule()), first_state("burn", HURT, NOW_NS)
    fired = replace(state, phase=Phase.FIRING)
    long = window("500", slope_source="prior+unknown")
    late = replace(window("0", slope_source="unknown"), unknown_usd=Decimal(5_000))

    def of(long: Window, newest: Window, state: AlertState = fired) -> Evaluation:
        return burn.evaluate(facts(**{"eu-west": losses(long, newest)}), state)

    held = of(long, late)
    assert (held.seen.is_silent, held.cost.basis) == (True, "unknown")
    assert held.reason == (
        "what lateness costs is unknown, so nobody knows whether it burns on: of late decisions "
        "up to $5,000 may be lost in 6 s"
    )
    assert not of(long, late, state).seen.is_silent, "none begins by that"
    over = of(long, replace(late, unknown_usd=Decimal("0.1")))
    assert (over.seen.is_silent, over.seen.status) == (False, Status.OK), "so little cannot burn"
    assert of(long, replace(late, loss_usd=Decimal(50))).seen.status is Status.BREACHED
    # What failures began, or what is long ago, is over; what is at risk is unknown all the same.
    for forgotten in (window("500", slope_source="unknown"), window("0", slope_source="prior")):
        ended = of(forgotten, late)
        assert (ended.seen.is_silent, ended.seen.status) == (False, Status.OK)
        assert ended.cost.basis == "unknown"


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
    assert (words.subject, words.shorts) == ("decisions of checkout/eu-west", {60: 6})
    assert (words.note, words.runbook_url) == ("see the store", "https://r.example")


@pytest.mark.parametrize(
    ("settings_of", "spenders", "covered"),
    [
        pytest.param({}, {HURT, WELL, OTHER}, HURT, id="a budget a class"),
        pytest.param({"budget_for": "action"}, {CHECKOUT, SEARCH}, CHECKOUT, id="an action"),
        pytest.param(
            {"budget_for": "action", "action": "checkout"}, {CHECKOUT}, CHECKOUT, id="one action"
        ),
        pytest.param({"budget_for": "all"}, {EVERYTHING}, EVERYTHING, id="all together"),
        pytest.param(
            {"budget_for": "all", "region": "eu-west"},
            {Subject(ALL, "eu-west")},
            Subject(ALL, "eu-west"),
            id="all of a region",
        ),
    ],
)
def test_budget_is_spent_by_whom_the_rule_says(
    settings_of: dict[str, str], spenders: set[Subject], covered: Subject
) -> None:
    """A class whose alert began under another `budget_for` is covered no longer: it is closed."""
    seen = facts_of({each: losses(window("10")) for each in (HURT, WELL, OTHER)})
    burn = DollarBurn(rule(**settings_of))

    assert set(burn.subjects(seen)) == spenders
    assert burn.config.covers(covered)
    others = {HURT, CHECKOUT, EVERYTHING, Subject(ALL, "eu-west")} - spenders
    assert not any(burn.config.covers(each) for each in others)


@settings(max_examples=examples(50))
@given(st.lists(LOSSES, min_size=3, max_size=3), st.sampled_from(["action", "all"]))
def test_wide_budget_loses_what_its_classes_lose_to_the_micro_dollar(
    each: list[Losses], budget_for: str
) -> None:
    """Dollars are neither lost nor counted twice where classes share a budget."""
    seen = facts_of(dict(zip((HURT, WELL, OTHER), each, strict=True)))
    burn = DollarBurn(rule(budget_for=budget_for))

    found = [burn.evaluate(seen, first_state("burn", s, 0)) for s in burn.subjects(seen)]

    lost = sum((losses_of.window(60).loss_usd for losses_of in each), Decimal(0))
    assert sum((evaluation.cost.loss_usd for evaluation in found), Decimal(0)) == lost


def test_evidence_of_a_wide_budget_is_looked_for_where_most_is_lost() -> None:
    """The suspect segment of an average is nobody's."""
    seen = facts_of(
        {HURT: losses(window("90")), WELL: losses(window("1")), OTHER: losses(window())}
    )
    assert DollarBurn(rule(budget_for="all")).focus(seen, EVERYTHING) == HURT
    assert DollarBurn(rule(budget_for="action")).focus(seen, SEARCH) == OTHER
    assert DollarBurn(rule()).focus(seen, WELL) == WELL


def test_default_tiers_make_a_rule_of_pages_and_one_of_tickets() -> None:
    """A rule that names a budget alone is what the workbook advises, in dollars."""
    page, ticket = DollarBurnConfig(name="shop", budget_usd=1_000).by_severity

    assert (page.name, page.severity, ticket.name, ticket.severity) == (
        *("shop", "page", "shop-ticket", "ticket"),
    )
    assert [(t.budget_share, t.long_window_s, t.short_window_s) for t in page.tiers] == [
        (0.01, 300, 60),
        (0.02, 3_600, 300),
        (0.025, 10_800, 900),
        (0.05, 21_600, 1_800),
    ]
    assert [page.reset_s(tier) for tier in page.tiers] == [60, 300, 300, 300]
    assert [ticket.reset_s(tier) for tier in ticket.tiers] == [1_800]
    (alone,) = rule(severity="ticket").by_severity
    assert (alone.name, alone.severity) == ("burn", "ticket")


def test_alert_goes_on_while_what_lateness_costs_is_unknown(scene: Scene) -> None:
    """An experiment contradicts the slope amid an incident: no lateness is in any dollar then."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    for _ in range(3):
        scene.go_on(10, slow_ms=120, **UNKNOWN_SLOPE)
        scene.judge()
    assert scene.events() == ["firing", "unknown"]
    told = "SELECT reason, basis FROM alert_events FINAL WHERE to_state = 'unknown'"
    [(reason, basis)] = scene.client.query(told).result_rows
    assert reason.startswith("what lateness costs is unknown, so nobody knows whether it burns on:")
    assert basis == "unknown"
    scene.deliver()
    assert [each.message["type"] for each in scene.receiver.deliveries] == ["alert.firing"]
    scene.go_on(20, slow_ms=120)
    scene.judge()
    assert scene.events() == ["firing", "unknown", "firing"]
    for _ in range(6):
        scene.go_on(10)
        scene.judge()
    assert scene.events() == ["firing", "unknown", "firing", "cooling", "resolved"]


def test_what_is_at_risk_is_unknown_where_an_alert_ends_by_forgetting(scene: Scene) -> None:
    """Its long window holds no loss any more, and a receiver reads no zero dollars."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    for _ in range(14):
        scene.go_on(10, slow_ms=120, **UNKNOWN_SLOPE)
        scene.judge()
    assert scene.events() == ["firing", "unknown", "cooling", "resolved"]
    scene.deliver()
    last = scene.receiver.deliveries[-1].message
    assert (last["type"], last["data"]["revenue_at_risk_usd_per_h"]) == ("alert.resolved", None)
    assert last["data"]["reason"].startswith("what lateness costs is unknown")


def test_usual_lateness_holds_no_alert_that_failures_began(scene: Scene) -> None:
    """A late decision in five as ever: the failures are over, and so is the alert."""
    usual = {**UNKNOWN_SLOPE, "late": 1}
    scene.go_on(60, **usual)
    scene.judge()
    scene.go_on(INCIDENT_S, **{**usual, "failed": 1, "loss_usd": Decimal(100),
                               "loss_low_usd": Decimal(100), "loss_squared": 1e4})  # fmt: skip
    scene.judge()
    assert scene.events() == ["firing"]
    for _ in range(6):
        scene.go_on(10, **usual)
        scene.judge()
    assert scene.events() == ["firing", "cooling", "resolved"]

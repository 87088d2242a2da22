"""An alert on a page: its rule, its words, and its dollars where there are any."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from alerts.people.notes import Note
from alerts.people.standing import Standing
from collector.core.clock import NS_PER_HOUR
from dashboard.pages.alerts.lines import alert_line
from dashboard.pages.overview import page as overview
from dashboard.read.rows import AlertRow, Episode, Range
from dashboard.web.episode_links import overview_of
from tests.conftest import NOW_NS

BURN = AlertRow(
    episode_id="01",
    seq=1,
    rule="burn",
    severity="page",
    action="checkout",
    region="eu-west",
    state="firing",
    first_ns=NOW_NS,
    at_ns=NOW_NS,
    started_ns=NOW_NS,
    window_s=60,
    loss_usd=Decimal(100),
    loss_low_usd=Decimal(50),
    loss_high_usd=Decimal(200),
    revenue_at_risk_usd_per_h=Decimal(6_000),
    burn=5.0,
    basis="margin",
    blamed_stage="decision",
    blamed_class="store",
    blamed_excess_ns=1,
    reason="$6,000/h at risk",
)
# Where nobody knows the dollars the columns of money hold zero.
UNPRICED = dataclasses.replace(
    BURN,
    basis="unknown",
    loss_usd=Decimal(0),
    loss_low_usd=Decimal(0),
    loss_high_usd=Decimal(0),
    revenue_at_risk_usd_per_h=Decimal(0),
    blamed_stage="",
)
# What the store has of an alert on data that stopped: a service stands in place of the action.
SILENT = dataclasses.replace(
    UNPRICED,
    rule="dead-man",
    action="shop",
    region="",
    reason="no data of service shop for 5 min",
)
# ... and of a kind of rule that these pages have never heard of.
STRANGE = dataclasses.replace(
    UNPRICED, rule="few-outcomes", reason="40% of the decisions have no outcome"
)
SEEN = Range(NOW_NS - NS_PER_HOUR, NOW_NS + 1)


def test_dollars_have_their_interval() -> None:
    """The rate of the short window, with the spread of the long one."""
    line = alert_line(BURN)
    assert (line["usd_per_h"], line["interval"]) == (6_000.0, "$3,000 to $12,000")
    assert str(line["at_risk"]).startswith("$6,000 at ")


@pytest.mark.parametrize("alert", [SILENT, STRANGE], ids=lambda alert: alert.rule)
def test_alert_without_dollars_is_shown_by_its_words(alert: AlertRow) -> None:
    """Zero dollars would be an answer; the sentence of the rule is the one that there is."""
    line = alert_line(alert)
    assert (line["at_risk"], line["interval"], line["usd_per_h"]) == ("unknown", "", None)
    assert (line["what"], line["blamed"]) == (alert.rule, "none")
    assert str(line["reason"]).startswith(alert.reason)


def test_webhook_of_an_alert_on_a_service_leads_to_the_whole_overview() -> None:
    """A service is not an action: filtered by it, the page would be empty."""
    episode = Episode("shop", "", "firing", "unknown", NOW_NS, NOW_NS, 300)
    assert "action" not in overview_of(episode)
    assert "action=checkout" in overview_of(
        dataclasses.replace(episode, action="checkout", region="eu-west")
    )


def test_path_follows_an_alert_on_decisions_and_no_other() -> None:
    """No decision shows data that stopped; whatever the kind, a class of decisions has a path."""
    assert overview.path_range(SEEN, [SILENT]) == SEEN
    for alert in (BURN, STRANGE):
        shown = overview.path_range(SEEN, [SILENT, alert])
        assert (shown.action, shown.region) == ("checkout", "eu-west")


def test_line_says_who_was_here() -> None:
    """Two people on call shall not both get up, and nobody shall wonder why nobody was called."""
    ack = Note("e", "ack", "anna", 1, "looking", None)
    for people, said in (
        (None, "checkout · eu-west"),
        (Standing(None, ()), "checkout · eu-west"),
        (Standing(ack, ()), "checkout · eu-west · acknowledged"),
        (Standing(ack, (7,)), "checkout · eu-west · acknowledged · silenced"),
    ):
        assert alert_line(dataclasses.replace(BURN, people=people))["scope"] == said

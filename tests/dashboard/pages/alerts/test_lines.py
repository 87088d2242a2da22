"""An alert on a page: its rule, its words, and its dollars where there are any."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from alerts.people.external import ExternalAlert
from alerts.people.notes import Note
from alerts.people.standing import Standing
from collector.core.times import NS_PER_HOUR, NS_PER_S
from dashboard.pages.alerts.lines import alert_line, external_line
from dashboard.pages.overview import path
from dashboard.pages.overview.top import top_of
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.rows import Range
from dashboard.units import Zone
from tests.conftest import NOW_NS
from tests.support.dashboard.alert_rows import BURN

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
    line = alert_line(BURN, Zone(), NOW_NS, NOW_NS)
    assert (line["usd_per_h"], line["interval"]) == (6_000.0, "90 %: $3,000 to $12,000")
    assert str(line["at_risk"]).startswith("$6,000 at ")
    assert line["href"] == "/alerts/01"


@pytest.mark.parametrize("alert", [SILENT, STRANGE], ids=lambda alert: alert.rule)
def test_alert_without_dollars_is_shown_by_its_words(alert: AlertRow) -> None:
    """Zero dollars would be an answer; the sentence of the rule is the one that there is."""
    line = alert_line(alert, Zone(), NOW_NS, NOW_NS)
    assert (line["at_risk"], line["interval"], line["usd_per_h"]) == ("unknown", "", None)
    assert (line["lost"], line["lost_usd"], line["bar"]) == ("unknown", None, None)
    assert str(line["what"]).endswith(alert.reason)
    assert str(line["reason"]).startswith(alert.reason)


@pytest.mark.parametrize(("state", "said"), [("unknown", "unknown"), ("resolved", "over")])
def test_what_costs_nothing_any_more_or_cannot_be_judged_is_no_sum(state: str, said: str) -> None:
    """`$0.00` beside a page that nobody could judge sent people back to bed."""
    alert = dataclasses.replace(BURN, state=state, lost_usd=Decimal(0))
    line = alert_line(alert, Zone(), NOW_NS, NOW_NS)
    assert (line["at_risk"], line["usd_per_h"], line["bar"]) == (said, None, None)
    assert line["lost"] == ("unknown" if state == "unknown" else "$0.00")


def test_shadow_says_that_it_would_have_paged() -> None:
    """Nobody was told: it is here for whoever decides whether the rule goes live."""
    line = alert_line(dataclasses.replace(BURN, is_shadow=True), Zone(), NOW_NS, NOW_NS)
    assert line["scope"] == "shadow: would have paged · burn"
    for state in ("unknown", "pending"):
        never = dataclasses.replace(BURN, is_shadow=True, state=state, started_ns=0)
        line = alert_line(never, Zone(), NOW_NS, NOW_NS)
        assert line["scope"] == "in shadow · burn", "it would have paged nobody"


def test_alert_of_others_is_marked_and_has_no_dollars() -> None:
    """Its texts are its sender's, and lead nowhere."""
    labels = {"alertname": "NodeDown", "instance": "<b>"}
    other = ExternalAlert("f", labels, {"summary": "x" * 9_000}, "javascript:1", 1, 2, "prom", True)
    line = external_line(other, Zone(), NOW_NS)
    assert (line["what"], line["severity"], line["href"]) == ("NodeDown", "external", "")
    assert line["labels"] == '{"instance": "<b>"}'
    assert "usd_per_h" not in line
    assert len(str(line["scope"])) <= 300


def test_path_follows_an_alert_on_decisions_and_no_other() -> None:
    """No decision shows data that stopped; whatever the kind, a class of decisions has a path."""
    silent = top_of([SILENT], SEEN.to_ns, 0)
    assert path.path_range(SEEN, silent.dearest) == SEEN
    for alert in (BURN, STRANGE):
        shown = path.path_range(SEEN, top_of([SILENT, alert], SEEN.to_ns, 0).dearest)
        assert (shown.action, shown.region) == ("checkout", "eu-west")


def test_instants_of_another_day_have_it() -> None:
    """Alerts of seven days are listed, and `Since 06:18:27` is of none of them."""
    alert = dataclasses.replace(BURN, lost_usd=Decimal(1), lost_from_ns=BURN.first_ns)
    later_ns, began = NOW_NS + 26 * NS_PER_HOUR, Zone().second(alert.started_ns or alert.first_ns)
    line = alert_line(alert, Zone(), later_ns, later_ns)
    assert (line["since"], line["lost_from"]) == (began, f"from {Zone().second(alert.first_ns)}")
    assert str(line["at_risk"]).endswith(f" at {Zone().second(alert.at_ns)}")
    assert f"as of {Zone().second(alert.at_ns)} UTC" in str(line["reason"])
    assert alert_line(alert, Zone(), NOW_NS, NOW_NS)["since"] == began[11:]


def test_what_is_resolved_is_so_since_it_ended() -> None:
    """`resolved 12:57:52` of an alert that ended at 12:58:43 was read as the end."""
    over = dataclasses.replace(BURN, state="resolved", at_ns=NOW_NS - 9 * NS_PER_S)
    shown = alert_line(over, Zone(), NOW_NS, NOW_NS)
    assert shown["since"] == Zone().dated(NOW_NS - 9 * NS_PER_S, NOW_NS)
    other = ExternalAlert("f", {}, {}, "", NOW_NS - NS_PER_HOUR, over.at_ns, "prom", False)
    assert external_line(other, Zone(), NOW_NS)["since"] == shown["since"]
    fires = dataclasses.replace(other, is_firing=True)
    assert external_line(fires, Zone(), NOW_NS)["since"] == Zone().dated(other.starts_ns, NOW_NS)


def test_line_says_who_was_here() -> None:
    """Two people on call shall not both get up, and nobody shall wonder why nobody was called."""
    ack = Note("e", "ack", "anna", 1, "looking", None)
    for people, said in (
        (None, ""),
        (Standing(None, ()), "nobody yet"),
        (Standing(ack, ()), "anna"),
        (Standing(ack, (7,)), "silenced · anna"),
    ):
        assert (
            alert_line(dataclasses.replace(BURN, people=people), Zone(), NOW_NS, NOW_NS)["owner"]
            == said
        )

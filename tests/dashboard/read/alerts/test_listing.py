"""The list of alerts, and the one figure of the Overview: what is at risk now."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

from collector.core.clock import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.listing import at_risk, beside, listed_alerts
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.dashboard.alert_rows import BURN
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed

HOUR = Range(TODAY_NS - 3600 * NS_PER_S, TODAY_NS + NS_PER_S)


def priced(usd: int, **changes: object) -> AlertRow:
    """Return an alert that costs so much an hour now, between half and twice."""
    ends = {"now_low_usd_per_h": Decimal(usd) / 2, "now_high_usd_per_h": Decimal(usd) * 2}
    return replace(BURN, now_usd_per_h=Decimal(usd), **ends, **changes)  # type: ignore[arg-type]  # by name


def test_what_is_at_risk_is_the_sum_of_what_fires() -> None:
    """A shadow pages nobody, what is unknown has no dollars, and what is over costs nothing."""
    found = at_risk(
        [
            priced(100),
            priced(30, region="us-east", state="cooling"),
            priced(900, region="ap-south", is_shadow=True),
            priced(900, region="ap-south", state="unknown"),
            priced(900, region="ap-south", state="resolved"),
            priced(900, region="ap-south", state="pending"),
            replace(BURN, action="shop", region="", basis="unknown"),
        ]
    )
    ends = (found.low_usd_per_h, found.high_usd_per_h)
    assert (found.usd_per_h, *ends) == (Decimal(130), Decimal(65), Decimal(260))
    assert (found.alerts, found.unpriced) == (2, 1)


def test_two_alerts_on_one_class_are_one_loss() -> None:
    """A page and a ticket on the same decisions, or an action beside its regions: once."""
    page, ticket = priced(100), priced(90, rule="other")
    assert at_risk([page, ticket]).usd_per_h == 100
    whole = priced(120, region="*")
    assert at_risk([page, ticket, whole]).usd_per_h == 120


def test_others_of_an_incident_are_counted_while_they_are_open() -> None:
    """A list says that two rows are one thing; what is over is none of it."""
    rows = [
        priced(1, episode_id="a", incident_id="a"),
        priced(1, episode_id="b", incident_id="a", state="unknown"),
        priced(1, episode_id="c", incident_id="a", state="resolved"),
        priced(1, episode_id="d", incident_id="d"),
        priced(1, episode_id="e", state="pending"),
    ]
    assert beside(rows) == {"a": 1, "b": 1, "d": 0}


def test_every_alert_says_what_it_costs_now_and_so_far(own_world: Connections) -> None:
    """One question to the store for all of them; each of its own class and time."""
    seed = Seed(random.Random(0))
    seed.alert(TODAY_NS - 10 * NS_PER_S, 1, "firing", episode_id="all", region="*", action="*")
    seed.alert(TODAY_NS - 10 * NS_PER_S, 1, "firing", episode_id="quiet", region=REGIONS[1])
    seed.alert(TODAY_NS - 10 * NS_PER_S, 1, "firing", episode_id="none", action=ACTIONS[1])
    seed.insert(own_world.client())
    found = {alert.episode_id: alert for alert in listed_alerts(Reader(own_world), HOUR)}
    burning = found["episode-1"]
    assert (burning.lost_usd, burning.lost_low_usd) == (Decimal("0.25"), Decimal("0.0625"))
    assert burning.lost_from_ns == TODAY_NS - 80 * NS_PER_S
    assert burning.now_usd_per_h == Decimal(15), "in the minute of its window"
    assert found["all"].lost_usd == Decimal("0.25")
    # Attribution is some seconds behind: now is where it is, and costs no less.
    later = Range(HOUR.from_ns, HOUR.to_ns + 8 * NS_PER_S)
    behind = {alert.episode_id: alert for alert in listed_alerts(Reader(own_world), later)}
    assert behind["episode-1"].now_usd_per_h == Decimal(15)
    # Its last decision lies in the minute before the newest of all.
    assert (found["quiet"].lost_usd, found["quiet"].now_usd_per_h) == (Decimal(0), Decimal(0))
    assert (found["none"].lost_usd, found["none"].now_usd_per_h) == (None, None)

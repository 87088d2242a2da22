"""The list of alerts, and the one figure of the Overview: what is at risk now."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerts.state.sqlite import AlertStore, Update
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.listing import (
    AtRisk,
    alerts_at_risk,
    alerts_of_state,
    beside,
    listed_alerts,
    row_of,
)
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.alerts.builders import event, firing_state
from tests.support.dashboard.alert_rows import BURN
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed

HOUR = Range(TODAY_NS - 3600 * NS_PER_S, TODAY_NS + NS_PER_S)


def priced(usd: int, **changes: object) -> AlertRow:
    """Return an alert that costs so much an hour now, between half and twice."""
    ends = {"now_low_usd_per_h": Decimal(usd) / 2, "now_high_usd_per_h": Decimal(usd) * 2}
    return replace(BURN, now_usd_per_h=Decimal(usd), **ends, **changes)  # type: ignore[arg-type]  # by name


def risk_of(
    store: Connections, lost: Mapping[str, int], alerts: Iterable[Mapping[str, Any]], age_s: int = 1
) -> AtRisk:
    """Store what regions lost a while ago, and alerts on them; return what is at risk by these."""
    seed = Seed(random.Random(0))
    for region, usd in lost.items():
        seed.cell(TODAY_NS - age_s * NS_PER_S, region=region, decisions=9, late=9, loss=str(usd))
    for at, changes in enumerate(alerts):
        row = {"episode_id": f"e{at}", "state": "firing", "is_shadow": False, **changes}
        seed.alert(TODAY_NS - 10 * NS_PER_S, 1, **row)
    seed.insert(store.client())
    return alerts_at_risk(Reader(store), HOUR)[1]


def test_what_is_at_risk_is_the_sum_of_what_fires(store: Connections) -> None:
    """A shadow pages nobody, what is unknown has no dollars, and what is over costs nothing."""
    found = risk_of(
        store,
        {REGIONS[0]: 4, REGIONS[1]: 2, "ap-south": 9},
        [
            {},
            {"region": REGIONS[1], "state": "cooling"},
            {"region": "ap-south", "is_shadow": True},
            *({"region": "ap-south", "state": each} for each in ("unknown", "resolved", "pending")),
            {"action": "shop", "region": "", "basis": "unknown"},
        ],
    )
    ends = (found.low_usd_per_h, found.high_usd_per_h)
    assert (found.usd_per_h, *ends) == (Decimal(360), Decimal(90), Decimal(1_080))
    assert (found.alerts, found.unpriced, found.old) == (2, 1, 0)


@pytest.mark.parametrize(
    ("alerts", "usd_per_h"),
    [
        pytest.param([{}, {"severity": "ticket"}], 60, id="a page and a ticket on one class"),
        pytest.param([{}, {"region": "*", "window_s": 300}], 60 + 9 * 12, id="narrow before wide"),
        pytest.param([{"window_s": 300}, {"rule": "x"}], 60, id="fast before slow"),
        pytest.param(
            [{"severity": "ticket"}, {"region": "*", "window_s": 300}], 10 * 12, id="page first"
        ),
        pytest.param([{"region": ""}], 7 * 60, id="no region is one of its own"),
        pytest.param([{"window_s": 300}, {"region": "*"}], 12 + 9 * 60, id="each by its window"),
    ],
)
def test_dollar_at_risk_has_one_owner(
    store: Connections, alerts: list[dict[str, Any]], usd_per_h: int
) -> None:
    """A class that several alerts are about counts once, by the window of the one that owns it."""
    found = risk_of(store, {REGIONS[0]: 1, REGIONS[1]: 2, "": 7}, alerts)
    assert found.old == 0
    assert found.usd_per_h == usd_per_h


@pytest.mark.parametrize(
    ("alerts", "usd_per_h"),
    [
        pytest.param([], 0, id="nothing fires"),
        pytest.param([{"state": "unknown"}], None, id="its data stopped"),
        pytest.param([{"basis": "unknown"}], None, id="of no known value"),
        pytest.param([{"state": "unknown"}, {"region": REGIONS[1]}], 120, id="one is known"),
    ],
)
def test_what_nobody_knows_is_not_nothing(
    store: Connections, alerts: list[dict[str, Any]], usd_per_h: int | None
) -> None:
    """A report of an incident whose data stopped said 0, between 0 and 0."""
    found = risk_of(store, {REGIONS[0]: 1, REGIONS[1]: 2}, alerts)
    assert found.usd_per_h == usd_per_h
    assert (found.low_usd_per_h is None) is (found.high_usd_per_h is None) is (usd_per_h is None)


@pytest.mark.parametrize("wide", [(), ({"at_risk": "100", "region": "*"},)])
def test_alert_without_new_decisions_counts_as_of_its_last_change(
    store: Connections, wide: tuple[dict[str, Any], ...]
) -> None:
    """Two alerts on one class are one loss, and so is a class beside all of its regions."""
    old = [{"at_risk": "70"}, {"at_risk": "80", "rule": "x"}, *wide]
    found = risk_of(store, {REGIONS[0]: 1}, old, age_s=200)
    assert found.usd_per_h == (100 if wide else 80)
    assert (found.alerts, found.old) == (len(old), 1)


def test_what_costs_is_listed_first_and_the_cut_says_so(store: Connections) -> None:
    """After an incident shadow was above what had lost thousands, which the cut left out."""
    seed = Seed(random.Random(0))
    for number, (state, is_shadow, at_risk, loss) in enumerate(
        [
            ("resolved", True, "0", 900), ("resolved", False, "0", 7), ("resolved", False, "0", 80),
            ("firing", True, "9000", 1), ("firing", False, "20", 1), ("cooling", False, "30", 1),
        ]
    ):  # fmt: skip
        fired_ns, name = TODAY_NS - (90 - number) * NS_PER_S, f"e{number}"
        row: dict[str, Any] = {"episode_id": name, "is_shadow": is_shadow, "region": f"r{number}"}
        seed.cell(fired_ns, region=f"r{number}", decisions=9, late=9, loss=str(loss))
        seed.alert(fired_ns, 1, "firing", **row, loss_usd=Decimal(loss))
        row |= {"started_ns": fired_ns, "loss_usd": Decimal(0)}
        seed.alert(TODAY_NS - number * NS_PER_S, 2, state, **row, at_risk=at_risk)
    seed.insert(store.client())
    dearest = ["e5", "e4", "e3", "e2", "e1", "e0"]
    found = listed_alerts(Reader(store), HOUR)
    assert [each.episode_id for each in found.alerts] == dearest
    assert found.total == 6
    for rows_max in range(1, 6):
        rows, total = Reader(store).alerts(HOUR, rows_max)
        assert {each.episode_id for each in rows} == set(dearest[:rows_max])
        assert total == 6


def test_what_fires_is_listed_before_classes_that_went_quiet(store: Connections) -> None:
    """More than 500 quiet classes, each once seen to cost, cut off the page that fired."""
    seed = Seed(random.Random(0))
    for name, state, is_shadow, started_ns, at_risk in (
        ("quiet", "unknown", False, 0, "900"),
        ("quiet-shadow", "unknown", True, 0, "800"),
        ("silent", "unknown", False, TODAY_NS - NS_PER_S, "700"),
        ("ticket", "firing", False, TODAY_NS - NS_PER_S, "0"),
        ("shadow", "firing", True, TODAY_NS - NS_PER_S, "600"),
        ("over", "resolved", False, TODAY_NS - NS_PER_S, "0"),
    ):
        row: dict[str, Any] = {"episode_id": name, "is_shadow": is_shadow, "region": name}
        seed.alert(TODAY_NS, 1, state, **row, started_ns=started_ns, at_risk=at_risk)
    seed.insert(store.client())
    dearest = ["ticket", "silent", "shadow", "quiet", "quiet-shadow", "over"]
    found = listed_alerts(Reader(store), HOUR)
    assert [each.episode_id for each in found.alerts] == dearest
    for rows_max in range(1, 6):
        rows, _ = Reader(store).alerts(HOUR, rows_max)
        assert {each.episode_id for each in rows} == set(dearest[:rows_max])


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
    found = {alert.episode_id: alert for alert in listed_alerts(Reader(own_world), HOUR).alerts}
    burning = found["episode-1"]
    assert (burning.lost_usd, burning.lost_low_usd) == (Decimal("0.25"), Decimal("0.0625"))
    assert burning.lost_from_ns == TODAY_NS - 80 * NS_PER_S
    assert burning.now_usd_per_h == Decimal(15), "in the minute of its window"
    assert found["all"].lost_usd == Decimal("0.25")
    # Attribution is some seconds behind: now is where it is, and costs no less.
    later = Range(HOUR.from_ns, HOUR.to_ns + 8 * NS_PER_S)
    behind = {alert.episode_id: alert for alert in listed_alerts(Reader(own_world), later).alerts}
    assert behind["episode-1"].now_usd_per_h == Decimal(15)
    # Its last decision lies in the minute before the newest of all.
    assert (found["quiet"].lost_usd, found["quiet"].now_usd_per_h) == (Decimal(0), Decimal(0))
    assert (found["none"].lost_usd, found["none"].now_usd_per_h) == (None, None)


@pytest.mark.parametrize("ending", ["cooling", "resolved"])
def test_alert_that_is_over_says_why_it_fired(store: Connections, ending: str) -> None:
    """In the morning nobody learns from `late_ratio 0, not above 0.2` what woke the night."""
    reasons = {"pending": "20% late", "firing": "30% late", ending: "0% late"}
    seed = Seed(random.Random(0))
    for seq, (state, reason) in enumerate(reasons.items(), start=1):
        at_ns = TODAY_NS - (20 - seq) * NS_PER_S
        seed.alert(at_ns, seq, state, episode_id="e", reason=reason)
        seed.alert(at_ns, seq, "unknown", episode_id="u", reason=reason)
    seed.alert(TODAY_NS, 9, "pending", episode_id="p", reason="40% late")
    seed.insert(store.client())
    listed = listed_alerts(Reader(store), HOUR).alerts
    found = {alert.episode_id: alert.reason for alert in listed}
    assert found == {"e": "30% late", "u": "0% late", "p": "40% late"}
    rows = [
        event(seq=at, to_state=state, reason=why) for at, (state, why) in enumerate(reasons.items())
    ]
    assert row_of(rows).reason == "30% late"
    assert row_of(rows[:2]).reason == "30% late"
    assert row_of(rows[2:]).reason == "0% late", "of nothing more is known"


def test_alert_of_the_state_alone_says_why_it_fired(tmp_path: Path) -> None:
    """The store is away, and the alert cools."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    for seq, (state, reason) in enumerate(
        (("firing", "30% late"), ("cooling", "0% late")), start=1
    ):
        changed = event(seq=seq, to_state=state, reason=reason)
        memory.record([Update(firing_state(), changed)])
    assert [each.reason for each in alerts_of_state(memory, TODAY_NS)] == ["30% late"]
    memory.close()

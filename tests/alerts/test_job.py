from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.config import AlertsConfig
from alerts.job import AlertsJob
from alerts.people.matchers import parse_matchers
from alerts.people.notes import Notes
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.routed import open_alerts
from alerts.state.transitions import Phase
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import (
    CALM_S,
    HURT,
    INCIDENT_S,
    PER_SECOND,
    START_NS,
    WELL,
    Scene,
    write_route,
    write_seconds,
)


def test_slow_store_in_one_region_is_alerted_blamed_and_captured(scene: Scene) -> None:
    """From rows to a page: the right region, the right segment, its cost, and its packets."""
    write_route(scene.client, START_NS + (CALM_S + 1) * NS_PER_S, HURT, "tier1-a")
    scene.go_on(INCIDENT_S + 1, slow_ms=120)

    assert scene.judge() == 1

    columns = (
        "rule, severity, action, region, from_state, to_state, blamed_stage, blamed_class,"
        " blamed_excess_ns, loss_usd, loss_low_usd, loss_high_usd, revenue_at_risk_usd_per_h,"
        " basis, slope_source, at_ns, started_ns, recorded_ns, window_s"
    )
    [row] = scene.client.query(f"SELECT {columns} FROM alert_events FINAL").result_rows
    end_ns = START_NS + (CALM_S + INCIDENT_S) * NS_PER_S
    now_ns = end_ns + 10 * NS_PER_S
    assert row == (
        *("burn", "page", "checkout", HURT, "inactive", "firing", "decision", "store"),
        *(120 * NS_PER_MS, Decimal(150), Decimal(90), Decimal(450), Decimal(18_000)),
        *("margin", "prior", end_ns, end_ns, now_ns, 60),
    )
    [capture] = scene.client.query(
        "SELECT at_ns, from_ns, to_ns, action, region FROM capture_requests FINAL"
    ).result_rows
    margin_ns = 5 * NS_PER_S
    assert capture == (
        *(now_ns, end_ns - 60 * NS_PER_S - margin_ns, now_ns + margin_ns, "checkout", HURT),
    )


def test_receiver_is_told_once_where_to_move_and_once_that_it_is_over(scene: Scene) -> None:
    """The whole of an incident, with a restart at each step: two messages, in order."""
    write_route(scene.client, START_NS + (CALM_S + 1) * NS_PER_S, HURT, "tier1-a")
    scene.go_on(INCIDENT_S, slow_ms=120)
    for _ in range(3):
        scene.judge()
        scene.restart()
    assert scene.deliver() == 1
    for _ in range(12):
        scene.go_on(10)
        scene.judge()
        scene.restart()
        scene.deliver()

    assert scene.events() == ["firing", "cooling", "resolved"]
    assert scene.events(WELL) == []
    firing, resolved = (delivery.message for delivery in scene.receiver.deliveries)
    assert (firing["type"], resolved["type"]) == ("alert.firing", "alert.resolved")
    assert firing["data"]["episode_id"] == resolved["data"]["episode_id"]
    assert (
        firing["data"]["blamed_segment"] == resolved["data"]["blamed_segment"] == "decision/store"
    )
    assert firing["data"]["reroute"] == {
        "mode": "propose",
        "move": {
            "action": "checkout",
            "region": HURT,
            "from_route": "tier1-a",
            "to_region": WELL,
        },
        "expires_at": iso(firing["data"]["started_at"], hours=1),
    }
    examples = [each["decision_id"] for each in firing["data"]["exemplars"]]
    assert len(examples) == 3
    assert all(each.startswith(f"{HURT}-") for each in examples)
    assert resolved["data"]["exemplars"] == []
    stages = {each["stage"]: each for each in firing["data"]["path"]["stages"]}
    assert stages["decision"]["ms"] > stages["decision"]["usual_ms"] + 50
    assert firing["data"]["path"]["usual"] == "before"
    assert "before: ingress" in firing["data"]["reason"]
    assert resolved["data"]["path"] is None
    incidents = {each["data"]["incident_id"] for each in (firing, resolved)}
    assert incidents == {firing["data"]["episode_id"]}
    assert len(json.dumps(firing)) < 20_000
    assert scene.job.status().idle
    assert scene.job.status().delivered == 2


@pytest.mark.parametrize("ahead_ns", [NS_PER_DAY, 400 * NS_PER_DAY])
def test_clock_that_was_ahead_blinds_no_rule(scene: Scene, ahead_ns: int) -> None:
    """An incident after it was set right fired a day later, and nothing said why."""
    scene.end_ns += ahead_ns
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    assert scene.events() == ["firing"]
    scene.end_ns -= ahead_ns
    for _ in range(3):
        scene.go_on(10)
        scene.judge()
        scene.restart()
    assert scene.job.status().firing == 0
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    assert scene.job.status().firing == 1
    assert scene.deliver() == 3
    kinds = [delivery.message["type"] for delivery in scene.receiver.deliveries]
    assert kinds == ["alert.firing", "alert.resolved", "alert.firing"]


def test_clock_that_is_ahead_takes_nothing_that_people_wrote(scene: Scene) -> None:
    """Notes are nowhere else, and a silence of a week would be gone before it ended."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    (alert,) = open_alerts(scene.job.alert_state)
    episode_id = alert.episode_id
    act, week_ns = Act("anna", scene.clock.ns), 7 * NS_PER_DAY
    Notes(scene.job.alert_state).add(episode_id, "comment", act, "looking")
    Silences(scene.job.alert_state).make(
        parse_matchers(["region=eu-west"]),
        Window(scene.clock.ns, scene.clock.ns + week_ns),
        act,
        "deploying",
    )
    for _ in range(2):  # over a restart too
        scene.job.run_once(scene.clock.ns + 40 * NS_PER_DAY)
        scene.restart()
    assert [each.text for each in Notes(scene.job.alert_state).of([episode_id])[episode_id]] == [
        "looking"
    ]
    assert [each.reason for each in Silences(scene.job.alert_state).all(scene.clock.ns)] == [
        "deploying"
    ]
    # Nor is nothing let go for as long as it was ahead, once it is right.
    scene.job.run_once(scene.clock.ns + 40 * NS_PER_DAY)
    old_ns = scene.clock.ns - 31 * NS_PER_DAY
    scene.job.alert_state.record([], end_ns=old_ns, known_ns=old_ns)
    scene.job.run_once(scene.clock.ns)
    assert scene.job.alert_state.passes(0, old_ns + 1) == []


def test_clock_that_is_ahead_for_a_moment_ends_no_alert(scene: Scene) -> None:
    """All that fired was taken for gone, and paged again when the clock was right."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    scene.job.run_once(scene.clock.ns + 8 * NS_PER_DAY)
    for _ in range(3):
        scene.go_on(10, slow_ms=120)
        scene.judge()
    scene.deliver()

    assert "resolved" not in scene.events()
    assert scene.job.status().firing == 1
    assert [each.kind for each in scene.receiver.deliveries] == ["alert.firing"]


@pytest.mark.parametrize(("away_s", "is_told"), [(600, False), (3_600, True)])
def test_decisions_that_come_home_and_lose_still_are_proposed_anew(
    scene: Scene, away_s: int, *, is_told: bool
) -> None:
    """Moved away whole, as the message proposed, a class showed nobody whether it was well."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    assert scene.deliver() == 1
    for _ in range(10):
        scene.go_on(10, regions=(WELL,))
        scene.judge()
    assert scene.events() == ["firing", "unknown"]
    scene.end_ns += away_s * NS_PER_S
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()

    assert scene.events() == ["firing", "unknown", "firing"]
    assert scene.deliver() == int(is_told)
    first, *again = (each.message["data"] for each in scene.receiver.deliveries)
    assert len(again) == int(is_told)
    for each in again:
        same = ("episode_id", "incident_id", "started_at")
        assert [each[name] for name in same] == [first[name] for name in same]
        assert (each["seq"], each["reroute"]["move"]["to_region"]) == (3, WELL)
        assert each["reroute"]["expires_at"] > iso(first["reroute"]["expires_at"], hours=1)


def iso(text: str, *, hours: int) -> str:
    """Return an instant of a message so many hours later."""
    later = datetime.fromisoformat(text) + timedelta(hours=hours)
    return later.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_silence_is_unknown_and_resolves_nothing(scene: Scene) -> None:
    """A region that stopped answering altogether has not recovered."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    for _ in range(20):
        scene.go_on(10, regions=(WELL,))
        scene.judge()

    assert scene.events() == ["firing", "unknown"]
    assert scene.job.status().firing == 1
    reason = scene.client.query(
        "SELECT reason FROM alert_events FINAL WHERE to_state = 'unknown'"
    ).result_rows[0][0]
    assert reason == "no decisions of checkout/eu-west for 70 s"


def test_standing_pipeline_is_unknown_everywhere(scene: Scene) -> None:
    """When nothing is attributed any more, the last verdict is not repeated as news."""
    later_ns = scene.end_ns + 100 * NS_PER_S

    scene.job.run_once(later_ns)
    scene.job.run_once(later_ns + NS_PER_S)

    assert scene.events() == scene.events(WELL) == ["unknown"]
    assert {state.shown for state in scene.job.status().states} == {Phase.UNKNOWN}


def test_same_instant_judged_again_leaves_the_same_rows(scene: Scene) -> None:
    """A pass may be repeated, in one process or by the next."""
    scene.go_on(INCIDENT_S, slow_ms=120)

    assert scene.judge() == 1
    assert scene.judge() == 0
    scene.restart()
    assert scene.judge() == 0
    assert scene.events() == ["firing"]


def test_decisions_of_unknown_value_are_no_news_of_health(scene: Scene) -> None:
    """Without a value there is no dollar figure, and no zero in its place."""
    for region in (HURT, WELL):
        write_seconds(scene.client, scene.end_ns, 70, region, unvalued=PER_SECOND, basis="unknown")
    scene.end_ns += 70 * NS_PER_S

    scene.judge()

    assert scene.events() == []


def test_class_that_a_rule_names_is_missed_before_it_ever_came(scene: Scene) -> None:
    """A region that should decide and does not is seen by its silence."""
    named = rule(name="named", action="checkout", region="ap-south")
    scene.restart(rules=[named])
    scene.judge()

    for _ in range(8):
        scene.go_on(10)
        scene.judge()

    assert scene.events("ap-south") == ["unknown"]


def test_rule_that_is_taken_out_resolves_what_it_began(scene: Scene) -> None:
    """A receiver that rerouted hears that nothing watches any more, once."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    scene.deliver()

    scene.restart(rules=[])
    scene.judge()
    scene.judge()
    scene.deliver()

    assert scene.events() == ["firing", "resolved"]
    kinds = [delivery.kind for delivery in scene.receiver.deliveries]
    assert kinds == ["alert.firing", "alert.resolved"]
    assert scene.last("is_shadow") is False, "somebody was paged"
    assert scene.job.status().states == ()


def test_class_that_its_rule_no_longer_covers_is_closed(scene: Scene) -> None:
    """A rule that is narrowed evaluates the rest no more: an alert on it would fire for ever."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()

    scene.restart(rules=[rule(budget_usd=5_000.0, region=WELL)])
    scene.judge()

    assert scene.events() == ["firing", "resolved"]
    [(reason,)] = scene.client.query(
        "SELECT reason FROM alert_events FINAL WHERE to_state = 'resolved'"
    ).result_rows
    assert reason.startswith("rule burn no longer covers decisions of checkout/eu-west")


def test_class_that_is_gone_for_a_day_is_let_go(scene: Scene) -> None:
    """Regions come and go; the page must not show the dead for ever."""
    scene.elapsed_ns = scene.clock.now_ns
    scene.restart()
    for day in (0, 2):
        write_seconds(scene.client, scene.end_ns + day * 86_400 * NS_PER_S, 10, WELL)
    scene.end_ns += (2 * 86_400 + 10) * NS_PER_S

    scene.judge()
    scene.judge()

    assert [state.subject.region for state in scene.job.status().states] == [WELL]


def test_classes_of_a_store_that_stands_for_days_are_let_go_once(scene: Scene) -> None:
    """Over a closed weekend each came and went with every pass, in the log and on the pages."""
    scene.elapsed_ns = scene.clock.now_ns
    scene.restart()
    scene.judge()
    assert len(scene.job.status().states) == 2
    scene.end_ns += 2 * NS_PER_DAY
    for _ in range(3):
        scene.judge()
        assert scene.job.status().states == ()
    scene.go_on(10)
    scene.judge()
    assert {state.shown for state in scene.job.status().states} == {Phase.INACTIVE}


def test_alert_of_a_class_that_is_gone_for_a_week_ends(scene: Scene) -> None:
    """Who moved it away hears of it, and no page is partial for ever."""
    scene.elapsed_ns = scene.clock.now_ns
    scene.restart()
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    for day in (6, 8):
        write_seconds(scene.client, scene.end_ns + day * NS_PER_DAY, 10, WELL)
    for day in (6, 2):
        scene.end_ns += day * NS_PER_DAY
        scene.judge()
    assert scene.events() == ["firing", "unknown", "resolved"]
    assert str(scene.last("reason")).startswith("no decisions of checkout/eu-west for 8")


def test_what_the_store_missed_is_mirrored_later(
    scene: Scene,
) -> None:
    """Alerts work while the store of spans does not take a row."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.client.command("RENAME TABLE alert_events TO alert_events_away")

    assert scene.judge() == 1
    assert scene.deliver() == 1
    assert scene.job.status().unmirrored == 1
    assert not scene.job.status().idle

    scene.client.command("RENAME TABLE alert_events_away TO alert_events")
    scene.judge()
    assert scene.events() == ["firing"]
    assert scene.job.status().idle


def test_rule_that_cannot_read_stops_no_other(scene: Scene) -> None:
    """A statement of one kind that fails holds no other alert back, and is not hidden either."""
    scene.restart(dead_man_seconds=60.0)
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.client.command("RENAME TABLE otel_metrics_sum TO otel_metrics_sum_away")

    with pytest.raises(ClickHouseError, match="otel_metrics_sum"):
        scene.judge()

    assert scene.events() == ["firing"]
    assert scene.deliver() == 1


def test_empty_store_is_judged_without_a_word(store: Connections, tmp_path: Path) -> None:
    """The service starts before its first decision."""
    job = AlertsJob(AlertsConfig(rules=(rule(),)), store, tmp_path / "alerts.sqlite")

    assert job.run_once(START_NS) == 0
    assert job.status().idle
    job.close()

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client import CollectorRegistry

from alerts.metrics import AlertMetrics
from alerts.people.external import ExternalAlerts, PostedAlert
from alerts.people.matchers import parse_matchers
from alerts.people.notes import Notes
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.deliveries import Deliveries
from alerts.state.routed import open_alerts
from collector.core.times import NS_PER_S
from tests.support.alerts.scene import INCIDENT_S, Scene


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return a sample."""
    return registry.get_sample_value(f"millworth_{name}", labels)


def test_evaluation_shows_how_it_is(scene: Scene) -> None:
    """Prometheus can tell when we are behind, blind, or stuck: nobody else would."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    ExternalAlerts(scene.job.alert_state).put(
        [PostedAlert({"a": "b"}, {}, "", None, None)], "", scene.clock.ns
    )

    assert value(registry, "alerts_last_evaluation_timestamp_seconds") == scene.clock.ns / NS_PER_S
    assert value(registry, "alerts_evaluation_lag_seconds") == 10
    assert value(registry, "alerts_rules") == 2  # and dead-man
    assert value(registry, "alerts_rules_failed") == 0
    assert value(registry, "alerts_firing") == 1
    assert value(registry, "external_alerts_firing") == 1
    assert value(registry, "alerts_outbox", endpoint="router", status="pending") == 1
    scene.deliver()
    assert value(registry, "alerts_outbox", endpoint="router", status="pending") is None


def test_what_a_receiver_that_is_gone_is_not_sent_is_given_up(scene: Scene) -> None:
    """One 410, and every later page was lost while each figure was good."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    Deliveries(scene.job.alert_state).disable("router", scene.receiver.url, scene.clock.ns)

    assert value(registry, "alerts_outbox", endpoint="router", status="dead") == 1
    assert scene.job.status().dead == 1
    assert scene.job.outlets.disabled_receivers() == ["router"]


def test_people_are_in_the_metrics(scene: Scene) -> None:
    """A share of alerts with something to do that falls is a rule to mend."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    assert value(registry, "alerts_actionable_ratio") is None
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    [alert] = open_alerts(scene.job.alert_state)
    anna = Act("anna", scene.clock.ns)
    Notes(scene.job.alert_state).add(alert.episode_id, "ack", anna, "nothing", is_actionable=False)
    window = Window(scene.clock.ns, scene.clock.ns + NS_PER_S)
    Silences(scene.job.alert_state).make(parse_matchers(["rule=burn"]), window, anna, "why")

    assert value(registry, "alerts_actionable_ratio") == 0
    assert value(registry, "alerts_silences") == 1
    scene.deliver()
    assert value(registry, "alerts_outbox", endpoint="router", status="held") == 1


def test_lag_grows_while_nothing_is_evaluated(scene: Scene) -> None:
    """The gauge of a job that stands must not stand with it."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    scene.judge()
    scene.clock.ns += 100 * NS_PER_S

    assert value(registry, "alerts_evaluation_lag_seconds") == 110


def test_lag_does_not_grow_while_no_decisions_come(scene: Scene) -> None:
    """A shop with quiet nights was paged that its alerts were not evaluated."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    scene.go_on(INCIDENT_S)
    scene.judge()
    scene.go_on(400, regions=())
    scene.judge()

    assert value(registry, "alerts_evaluation_lag_seconds") == 10


def test_rule_that_cannot_be_read_is_counted(scene: Scene) -> None:
    """The others are evaluated all the same."""
    registry = CollectorRegistry()
    registry.register(AlertMetrics(scene.job, scene.clock.now_ns))
    scene.client.command("RENAME TABLE otel_traces TO away")
    with pytest.raises(ClickHouseError):
        scene.judge()
    scene.client.command("RENAME TABLE away TO otel_traces")

    assert value(registry, "alerts_rules_failed") == 1

"""A silenced incident from rows to receivers: recorded as ever, sent nowhere, sent if it lasts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from alerts.people.matchers import parse_matchers
from alerts.people.silences import Silences
from alerts.people.window import Window
from alerts.state.acts import Act
from alerts.state.deliveries import Deliveries
from alerts.state.routed import open_alerts
from alerts.state.transitions import Phase
from collector.audit.log import read_audit
from collector.core.times import NS_PER_S
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.alerts.scene import INCIDENT_S, Scene
from tests.support.dashboard.app import Api


@pytest.fixture
def alertmanager() -> Iterator[ScriptedReceiver]:
    """One that takes what comes."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


def silence(scene: Scene, seconds: int, starts_s: int = 0) -> None:
    """Hide the region that is hurt for a time from now on."""
    starts_ns = scene.clock.ns + starts_s * NS_PER_S
    window = Window(starts_ns, starts_ns + seconds * NS_PER_S)
    matchers = parse_matchers(["region=eu-west"])
    act = Act("anna", scene.clock.ns)
    Silences(scene.job.alert_state).make(matchers, window, act, "deploying")


def step(scene: Scene, slow_ms: int = 120) -> None:
    """Let ten seconds pass, and judge and send."""
    scene.go_on(10, slow_ms=slow_ms)
    scene.judge()
    scene.deliver()
    scene.job.outlets.push_due(scene.clock.ns)


def received(scene: Scene) -> list[str]:
    """Return the kinds of what the webhook receiver took."""
    return [delivery.kind for delivery in scene.receiver.deliveries]


def pushed(alertmanager: ScriptedReceiver) -> int:
    """Return how many pushes came."""
    return len(alertmanager.requests)


def test_what_fires_still_when_the_silence_ends_goes_out_then(
    scene: Scene, alertmanager: ScriptedReceiver
) -> None:
    """Over a restart: nobody is woken for a deployment, and nobody sleeps through an incident."""
    peers = [{"url": alertmanager.url.removesuffix("/hook")}]
    scene.restart(alertmanagers=peers)
    silence(scene, 60)
    for _ in range(5):
        step(scene)
    assert scene.events() == ["firing"]
    assert received(scene) == []
    assert pushed(alertmanager) == 0

    scene.restart(alertmanagers=peers)
    for _ in range(4):
        step(scene)
    assert scene.events() == ["firing", "firing"], "it is told of with what is true by then"
    assert received(scene) == ["alert.firing"]
    assert pushed(alertmanager) > 0
    for _ in range(12):
        step(scene, slow_ms=0)
    assert received(scene) == ["alert.firing", "alert.resolved"]


def test_what_ends_before_its_silence_goes_nowhere(
    scene: Scene, alertmanager: ScriptedReceiver
) -> None:
    """A receiver that never heard of an alert shall not hear of its end."""
    scene.restart(alertmanagers=[{"url": alertmanager.url.removesuffix("/hook")}])
    silence(scene, 1_000)
    for _ in range(INCIDENT_S // 10):
        step(scene)
    for _ in range(12):
        step(scene, slow_ms=0)

    assert scene.events() == ["firing", "cooling", "resolved"]
    assert received(scene) == []
    assert pushed(alertmanager) == 0
    assert scene.job.alert_state.backlog().deliveries == {"silenced": 2}


def test_end_of_an_alert_that_was_sent_is_sent_through_a_silence(scene: Scene) -> None:
    """A receiver that moved traffic away for it would wait for ever."""
    for _ in range(INCIDENT_S // 10):
        step(scene)
    assert received(scene) == ["alert.firing"]
    silence(scene, 1_000)
    for _ in range(12):
        step(scene, slow_ms=0)

    assert received(scene) == ["alert.firing", "alert.resolved"]


def test_alert_that_was_sent_before_its_silence_was_not_held_back(scene: Scene) -> None:
    """Its history said that nobody was told for as long, though a receiver had it all the time."""
    while received(scene) != ["alert.firing"]:
        step(scene)
    silence(scene, 1_000)
    step(scene)
    Silences(scene.job.alert_state).end(1, Act("anna", scene.clock.ns), "done")
    for _ in range(4):
        step(scene)

    assert received(scene) == ["alert.firing"]
    assert scene.events() == ["firing"]


def test_alert_that_cools_when_its_silence_ends_is_not_begun_anew(
    scene: Scene, alertmanager: ScriptedReceiver
) -> None:
    """It may be over: an Alertmanager was told its end, and paged once more for the cooling."""
    scene.restart(alertmanagers=[{"url": alertmanager.url.removesuffix("/hook")}])
    while not pushed(alertmanager):
        step(scene)
    silence(scene, 1_000)
    while scene.events() != ["firing", "cooling"]:
        step(scene, slow_ms=0)
    before = pushed(alertmanager)
    Silences(scene.job.alert_state).end(1, Act("anna", scene.clock.ns), "done")
    step(scene, slow_ms=0)

    assert scene.events() == ["firing", "cooling"]
    assert pushed(alertmanager) == before


def test_silence_that_was_ended_early_is_said_to_have_ended_then(scene: Scene) -> None:
    """The history named the end that was planned, as if it lasted still."""
    silence(scene, 1_000)
    for _ in range(5):
        step(scene)
    ended = Silences(scene.job.alert_state).end(1, Act("anna", scene.clock.ns), "done")
    for _ in range(4):
        step(scene)

    assert received(scene) == ["alert.firing"]
    [alert] = open_alerts(scene.job.alert_state)
    assert alert.last.reason.endswith(f"({ended})")


def test_maintenance_window_hides_nothing_before_it_begins(scene: Scene) -> None:
    """Nor after it."""
    silence(scene, 600, starts_s=300)
    for _ in range(INCIDENT_S // 10):
        step(scene)

    assert received(scene) == ["alert.firing"]


def test_alert_that_is_hidden_is_listed_and_says_so(scene: Scene) -> None:
    """Hidden from receivers is not hidden from people."""
    silence(scene, 1_000)
    for _ in range(INCIDENT_S // 10):
        step(scene)
    api = Api(scene.store, now_ns=scene.clock.ns, alert_state=scene.job.alert_state)
    [alert] = api.send("GET", "/api/v1/alerts?window=1h").json()["alerts"]
    ack = {"comment": "looking", "actor": "anna"}
    api.send("POST", f"/api/v1/alerts/{alert['episode_id']}/ack", json=ack)
    [acked] = api.send("GET", "/api/v1/alerts?window=1h").json()["alerts"]

    assert alert["people"] == {"ack": None, "silenced": [1]}
    assert acked["people"]["ack"]["actor"] == "anna"


def test_acts_reach_the_audit_with_the_next_pass(scene: Scene) -> None:
    """Who silenced what, for how long, and why."""
    silence(scene, 60)
    silence(scene, 30)
    scene.judge()
    scene.judge()

    rows = [row for row in read_audit(scene.client) if row.action == "alerts_silenced"]
    assert [row.actor for row in rows] == ["anna", "anna"]
    assert json.loads(rows[0].detail)["matchers"] == ["region=eu-west"]


@pytest.mark.parametrize(
    ("answer", "dead"), [((503, {"Retry-After": "400"}), 0), ((410, {}), 2)], ids=["rests", "gone"]
)
def test_receiver_that_rests_meanwhile_is_told_of_nothing_that_was_silenced(
    scene: Scene, alertmanager: ScriptedReceiver, answer: tuple[int, dict[str, str]], dead: int
) -> None:
    """It was paged for a deployment that was over, as soon as it took messages again."""
    away, alertmanager.answers = alertmanager, [answer]
    hook = {"name": "away", "url": away.url, "secret": scene.receiver.secret}
    scene.restart(webhooks=[hook])
    for slow_ms in (120,) * 3 + (0,) * 12:
        step(scene, slow_ms)
    silence(scene, 150)
    for slow_ms in (120,) * 3 + (0,) * 12:
        step(scene, slow_ms)
    fired = [
        each for each in scene.job.alert_state.events_of("burn", 0) if each.to_state == Phase.FIRING
    ]
    first, second = dict.fromkeys(each.episode_id for each in fired)
    waiting = [each.status for each in Deliveries(scene.job.alert_state).of_episode(second, 9)]
    assert waiting == ["silenced", "silenced"]
    for _ in range(30):
        step(scene, slow_ms=0)

    letters = Deliveries(scene.job.alert_state).dead_letters()
    assert [each.episode_id for each in letters] == [first] * dead
    told = [json.loads(body)["data"]["episode_id"] for _, body in away.requests]
    assert told == [first] * (1 if dead else 3)


@pytest.mark.parametrize("answer", [(200, {}), (500, {})], ids=["takes it", "fails"])
def test_message_that_is_on_its_way_is_not_silenced(
    scene: Scene, alertmanager: ScriptedReceiver, answer: tuple[int, dict[str, str]]
) -> None:
    """The receiver may know of the alert, and waited for its end for ever."""
    slow, goes_on = alertmanager, threading.Event()
    slow.answers, slow.waits_for = [answer], goes_on
    hook = {"name": "slow", "url": slow.url, "secret": scene.receiver.secret}
    scene.restart(webhooks=[hook])
    for _ in range(3):
        scene.go_on(10, slow_ms=120)
        scene.judge()
    scene.job.outlets.deliver_due(scene.clock.ns, wait_s=0)
    while not slow.requests:
        scene.job.outlets.deliver_due(scene.clock.ns, wait_s=0)
    silence(scene, 60)
    for _ in range(12):
        scene.go_on(10)
        scene.judge()
        scene.job.outlets.deliver_due(scene.clock.ns, wait_s=0)
    goes_on.set()
    for _ in range(30):
        step(scene, slow_ms=0)

    told = [json.loads(body)["type"] for _, body in slow.requests]
    assert told[-1] == "alert.resolved"
    assert set(told[:-1]) == {"alert.firing"}


def test_end_of_what_may_have_been_taken_is_sent(
    scene: Scene, alertmanager: ScriptedReceiver
) -> None:
    """The receiver took the alert, its answer was lost, and a silence began while it rested."""
    away, alertmanager.answers = alertmanager, [(503, {"Retry-After": "100"})]
    hook = {"name": "away", "url": away.url, "secret": scene.receiver.secret}
    scene.restart(webhooks=[hook])
    for _ in range(3):
        step(scene)
    silence(scene, 60)
    for _ in range(30):
        step(scene, slow_ms=0)
    told = [json.loads(body)["type"] for _, body in away.requests]
    assert told == ["alert.firing", "alert.resolved"]
    assert scene.job.alert_state.backlog().deliveries == {"silenced": 1, "delivered": 1}

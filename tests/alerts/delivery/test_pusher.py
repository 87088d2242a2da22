from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.config import AlertmanagerConfig, AlertsConfig
from alerts.delivery.alertmanager import annotations_of
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.pusher import Pusher
from alerts.rows import AlertEvent
from alerts.rules.base import NO_WORDING
from alerts.state.sqlite import AlertStore, Update
from alerts.state.transitions import Phase
from attribution.core.money import state_in
from collector.core.counters import Counters
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state, rule
from tests.support.alerts.receiver import ScriptedReceiver

LABELS = {
    "alertname": "burn",
    "severity": "page",
    "action": "checkout",
    "region": "eu-west",
    "blamed_stage": "decision",
    "blamed_class": "store",
    "incident": EPISODE,
}


def test_annotations_are_in_the_currency_of_the_amounts() -> None:
    """Whoever is paged reads them, and yen were called dollars."""

    def annotations() -> dict[str, str]:
        state_in("JPY")
        return annotations_of(event(), NO_WORDING)

    said = contextvars.copy_context().run(annotations)
    assert " JPY/h at risk as of " in said["risk"]
    assert "$" not in "".join(said.values())
    assert annotations_of(event(), NO_WORDING)["risk"].startswith("$")


class Post:
    """A pusher over a fresh file, without any store of spans."""

    def __init__(self, directory: Path, *receivers: ScriptedReceiver) -> None:
        self.memory = AlertStore(directory / "alerts.sqlite")
        self.receivers = receivers
        self.counters = Counters()
        self.hidden = ""
        self._client = PinnedClient(("127.0.0.1",))
        self.pusher = self.start()

    def start(self, **changes: object) -> Pusher:
        """Return a pusher as a start of the service makes it."""
        config = AlertsConfig.model_validate(
            {
                "rules": [rule(runbook_url="https://wiki.example/burn")],
                "alertmanagers": [
                    {"url": receiver.url.removesuffix("/hook"), "timeout_s": 5.0}
                    for receiver in self.receivers
                ],
                **changes,
            }
        )

        def hidden(_event: AlertEvent, _now_ns: int) -> str:
            return self.hidden

        url = "https://millworth.example"
        return Pusher(self.memory, config, self._client, self.counters, url, hidden)

    def fire(self, **changes: object) -> None:
        """Have one alert fire."""
        self.memory.record([Update(firing_state(), event(**changes))])

    def push(self, seconds: float = 0) -> int:
        """Push what is due at an instant."""
        return self.pusher.push_due(NOW_NS + round(seconds * NS_PER_S))

    def close(self) -> None:
        """Close everything."""
        self.pusher.close()
        self._client.close()
        self.memory.close()


def sent(receiver: ScriptedReceiver) -> list[list[dict[str, Any]]]:
    """Return the alerts of each request."""
    return [json.loads(body) for _, body in receiver.requests]


def seconds(alert: dict[str, Any], key: str) -> float:
    """Return an instant of an alert, from the scene's now on."""
    return datetime.fromisoformat(alert[key]).timestamp() - NOW_NS / NS_PER_S


@pytest.fixture
def receivers() -> Iterator[tuple[ScriptedReceiver, ScriptedReceiver]]:
    """Two peers."""
    pair = ScriptedReceiver(), ScriptedReceiver()
    yield pair
    for receiver in pair:
        receiver.stop()


@pytest.fixture
def post(tmp_path: Path, receivers: tuple[ScriptedReceiver, ScriptedReceiver]) -> Iterator[Post]:
    """A pusher to both."""
    post = Post(tmp_path, *receivers)
    yield post
    post.close()


def test_alert_goes_to_every_peer_with_its_money(post: Post) -> None:
    """A load balancer in front of a pair would lose half of the pushes; a peer is never skipped."""
    post.fire()

    assert post.push() == 2

    fired = "2033-05-18T03:33:20Z"
    for receiver in post.receivers:
        [[alert]] = sent(receiver)
        assert alert["labels"] == LABELS
        assert alert["annotations"] == {
            "summary": f"checkout/eu-west: $7,407.41/h at risk as of {fired}",
            "description": "because",
            "loss": f"$123.46 in 60 s ($37.00 to $420.00) until {fired}",
            "risk": f"$7,407.41/h at risk as of {fired}",
            "blamed": "decision/store",
            "runbook_url": "https://wiki.example/burn",
            "episode_id": EPISODE,
        }
        assert alert["generatorURL"] == f"https://millworth.example/?episode={EPISODE}"
        assert (seconds(alert, "startsAt"), seconds(alert, "endsAt")) == (0, 240)


def test_any_two_resends_in_a_row_may_be_lost(post: Post) -> None:
    """Whichever they are: what was sent before them still lies ahead when the next one comes."""
    post.fire()
    receiver, other = post.receivers
    arrivals: list[tuple[float, float]] = []
    for second in range(0, 1_500, 5):
        before = len(receiver.requests)
        post.push(second)
        for [alert] in sent(receiver)[before:]:
            arrivals.append((second, seconds(alert, "endsAt")))

    assert len(arrivals) >= 20
    assert len(other.requests) == len(receiver.requests)
    for (_, ends), (later, _) in zip(arrivals, arrivals[3:], strict=False):
        assert later < ends


def test_cooling_and_silent_alerts_are_still_sent(post: Post) -> None:
    """Neither is the end: nobody has seen that."""
    for phase, is_unknown in ((Phase.COOLING, False), (Phase.FIRING, True)):
        post.memory.record([Update(firing_state(is_unknown=is_unknown), event())])
        post.memory.record([Update(replace(firing_state(), phase=phase, is_unknown=is_unknown))])
        before = len(post.receivers[0].requests)
        post.pusher.close()
        post.pusher = post.start()
        post.push()
        [[alert]] = sent(post.receivers[0])[before:]
        assert seconds(alert, "endsAt") == 240


def test_end_is_sent_for_a_quarter_of_an_hour(post: Post) -> None:
    """A peer that was away for some minutes has to hear of it."""
    post.fire()
    post.push()
    end_ns = NOW_NS + 30 * NS_PER_S
    over = replace(firing_state(), phase=Phase.RESOLVED)
    post.memory.record([Update(over, event(seq=2, to_state="resolved", at_ns=end_ns))])

    for second in range(40, 40 + 20 * 60, 20):
        post.push(second)

    ends = [alert for [alert] in sent(post.receivers[0])[1:]]
    assert {seconds(alert, "endsAt") for alert in ends} == {30}
    assert len(ends) == 16  # at once, and each minute up to the fifteenth


def test_restart_sends_at_once(post: Post) -> None:
    """What was sent when is not known any more, and the end may be near."""
    post.fire()
    post.push()
    post.pusher.close()
    post.pusher = post.start()

    assert post.push(1) == 2


def test_suspect_that_changes_makes_no_second_alert(post: Post) -> None:
    """Labels are the identity there: what is new is in the annotations."""
    post.fire()
    post.push()
    later = event(seq=2, blamed_stage="egress", blamed_class="network", from_state="firing")
    post.memory.record([Update(firing_state(), later)])
    post.push(60)

    [_, [alert]] = sent(post.receivers[0])
    assert alert["labels"] == LABELS
    assert alert["annotations"]["blamed"] == "egress/network"


def test_bad_alert_hides_no_other_of_its_batch(post: Post) -> None:
    """A 400 says that something is wrong, and Alertmanager has stored what is not."""
    post.fire()
    second = replace(firing_state(), rule="other", episode_id="2" * 32)
    post.memory.record([Update(second, event(rule="other", episode_id="2" * 32))])
    post.receivers[0].answers = [(400, {}), (400, {}), (200, {})]

    assert post.push() == 3
    assert post.push(1) == 0

    assert [len(batch) for batch in sent(post.receivers[0])] == [2, 1, 1]
    name = post.receivers[0].url.removeprefix("http://").removesuffix("/hook")
    for result, count in (("accepted", 1), ("refused", 1)):
        labels = {"peer": name, "result": result}
        metric = "millworth_alertmanager_alerts_total"
        assert post.counters.registry.get_sample_value(metric, labels) == count


def test_peer_that_fails_is_tried_again_within_seconds(post: Post) -> None:
    """Long before its alerts would lapse, and not every second."""
    post.fire()
    post.receivers[0].answers = [(503, {})] * 20
    for second in range(60):
        post.push(second)

        if second == 0:
            failing = post.receivers[0].url.removeprefix("http://").removesuffix("/hook")
            assert post.pusher.failing_peers() == [failing]

    assert 5 <= len(post.receivers[0].requests) <= 40
    assert len(post.receivers[1].requests) == 1


def test_clock_that_is_set_back_lets_nothing_lapse(post: Post) -> None:
    """An hour was waited for, after which both had ended the alert by themselves."""
    post.fire()
    post.receivers[0].answers = [(503, {})]
    post.push(0)
    post.push(-3_600)

    assert [len(each.requests) for each in post.receivers] == [2, 2]


def test_peer_that_hangs_delays_no_other(post: Post) -> None:
    """Each has a thread of its own."""
    hangs = threading.Event()
    post.receivers[0].waits_for = hangs
    post.fire()

    assert post.pusher.push_due(NOW_NS, wait_s=0.5) == 1
    for minute in range(1, 4):
        assert post.pusher.push_due(NOW_NS + minute * NS_PER_MINUTE, wait_s=0.5) == 1
    hangs.set()

    assert len(post.receivers[0].requests) == 1
    assert len(post.receivers[1].requests) == 4


def test_hidden_alert_is_not_sent_until_it_is_shown(post: Post) -> None:
    """It fires still when the silence ends: then it is news."""
    post.hidden = "silenced by anna"
    post.fire()
    assert post.push() == 0

    post.hidden = ""
    assert post.push(60) == 2


def test_alert_that_is_hidden_later_ends_there_with_the_reason(post: Post) -> None:
    """It would lapse four minutes later as if it were over, and nobody would know why."""
    post.fire()
    post.push()
    post.hidden = "silenced by anna"
    post.push(10)
    post.push(11)
    post.hidden = ""
    post.push(30 * 60)

    [_, [ended], [again]] = sent(post.receivers[0])
    assert (ended["labels"], seconds(ended, "endsAt")) == (LABELS, 10)
    assert ended["annotations"]["silenced"] == "silenced by anna"
    assert (again["labels"], seconds(again, "startsAt")) == (LABELS, 0)
    assert seconds(again, "endsAt") == 30 * 60 + 240


def test_private_peer_gets_nothing_unless_allowed(post: Post) -> None:
    """The same guard as for webhooks: a setting must not open a door to the inside."""
    post.fire()
    client = PinnedClient(())
    config = AlertsConfig.model_validate({"alertmanagers": [{"url": "http://127.0.0.1:1"}]})
    pusher = Pusher(post.memory, config, client)

    assert pusher.push_due(NOW_NS) == 0

    pusher.close()
    client.close()


def test_peer_behind_a_password_gets_it(tmp_path: Path) -> None:
    """Where a proxy asks for one; it is in no name, so in no metric and no log."""
    receiver = ScriptedReceiver()
    place = receiver.url.removeprefix("http://").removesuffix("/hook")
    config = AlertmanagerConfig(url=f"http://anna:s3cret@{place}/prefix/")
    memory, client = AlertStore(tmp_path / "alerts.sqlite"), PinnedClient(("127.0.0.1",))
    memory.record([Update(firing_state(), event())])
    pusher = Pusher(memory, AlertsConfig(alertmanagers=(config,)), client)

    assert pusher.push_due(NOW_NS) == 1
    [(headers, _)] = receiver.requests
    assert headers["authorization"] == "Basic YW5uYTpzM2NyZXQ="
    assert headers["host"] == place
    assert config.name == f"{place}/prefix"
    pusher.close()
    client.close()
    memory.close()
    receiver.stop()

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.config import WebhookConfig
from alerts.delivery.outbox import Outbox, Suppression
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.webhook import WebhookSender
from alerts.rows import AlertEvent, Message
from alerts.signature import verify
from alerts.state.acts import Act
from alerts.state.deliveries import Deliveries
from alerts.state.retry import BACKOFF_MAX_S, Reply
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import first_state
from collector.core.counters import Counters
from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS, ManualClock
from tests.support.alerts.builders import EPISODE, SECRET, endpoint, event, message
from tests.support.alerts.receiver import ScriptedReceiver

ALLOWED = ("127.0.0.1",)
STATE = first_state("burn", Subject("checkout", "eu-west"), NOW_NS)


class Desk:
    """An outbox over a fresh file, with a clock that only the test moves."""

    def __init__(self, directory: Path, clock: ManualClock) -> None:
        self.memory = AlertStore(directory / "alerts.sqlite")
        self.clock = clock
        self.counters = Counters()
        self._clients: list[PinnedClient] = []
        self._outboxes: list[Outbox] = []

    def post(self, *messages: Message) -> None:
        """Put messages into the outbox with one transition."""
        self.memory.record([Update(STATE, event(), messages)])

    def outbox(
        self,
        *endpoints: WebhookConfig,
        allowed: tuple[str, ...] = ALLOWED,
        suppression: Suppression = lambda _event, _now_ns: "",
    ) -> Outbox:
        """Return an outbox for these endpoints, as a restart would make it."""
        self._clients.append(PinnedClient(allowed))
        sender = WebhookSender(self._clients[-1])
        outbox = Outbox(self.memory, endpoints, sender, self.counters, suppression=suppression)
        self._outboxes.append(outbox)
        return self._outboxes[-1]

    def deliveries(self) -> dict[str, int]:
        """Return the number of messages by status."""
        return self.memory.backlog().deliveries

    def close(self) -> None:
        """Close everything."""
        for outbox in self._outboxes:
            outbox.close()
        for client in self._clients:
            client.close()
        self.memory.close()


@pytest.fixture
def receiver() -> Iterator[ScriptedReceiver]:
    """A receiver on this machine."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    """An outbox that delivers nothing by itself."""
    desk = Desk(tmp_path, clock)
    yield desk
    desk.close()


def test_message_arrives_signed_once(desk: Desk, receiver: ScriptedReceiver) -> None:
    """The receiver can tell that it is from us, unchanged, and which event it is."""
    desk.post(message())
    outbox = desk.outbox(endpoint(receiver.url))

    assert outbox.deliver_due(NOW_NS) == 1
    assert outbox.deliver_due(NOW_NS) == 0

    [(headers, body)] = receiver.requests
    assert verify(SECRET, headers, body, NOW_NS) == "episode-1-router"
    assert body == message().body
    assert {name: headers[name] for name in headers if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": "episode-1-router",
        "ce-source": "/millworth/alerts",
        "ce-type": "alert.firing",
        "ce-subject": "episode",
        "ce-time": "2033-05-18T03:33:20Z",
    }


def test_failed_message_comes_again_under_its_id(desk: Desk, receiver: ScriptedReceiver) -> None:
    """A retry is signed for its own time, but is the same message, also after a restart."""
    receiver.answers = [(500, {})]
    desk.post(message())

    assert desk.outbox(endpoint(receiver.url)).deliver_due(NOW_NS) == 0
    outbox = desk.outbox(endpoint(receiver.url))
    assert outbox.deliver_due(NOW_NS) == 0
    assert outbox.deliver_due(NOW_NS + 6 * NS_PER_S) == 1

    (first, _), (second, body) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert verify(SECRET, second, body, NOW_NS + 6 * NS_PER_S)


def test_message_is_dead_after_three_days(desk: Desk, receiver: ScriptedReceiver) -> None:
    """That is enough; it is kept for a person, and counted. What waited as long goes with it."""
    receiver.answers = [(500, {})] * 50
    other = message(episode_id="other", webhook_id="other-1-router")
    desk.post(message(), message(seq=2, kind="alert.resolved"), other)
    outbox = desk.outbox(endpoint(receiver.url))
    for _ in range(9):
        outbox.deliver_due(desk.clock.now_ns())
        desk.clock.ns += 8 * 3_600 * NS_PER_S
    assert desk.deliveries() == {"pending": 3}
    outbox.deliver_due(desk.clock.now_ns())
    assert (len(receiver.requests), desk.deliveries()) == (10, {"dead": 3})
    sample = desk.counters.registry.get_sample_value
    assert sample("millworth_webhooks_total", {"result": "dead"}) == 3


def test_dead_receiver_is_not_tried_for_each_message(
    desk: Desk, receiver: ScriptedReceiver
) -> None:
    """A thousand messages are one attempt at a time; back again, it has all of them at once."""
    desk.post(*(message(episode_id=f"e{n}", webhook_id=f"w{n}") for n in range(200)))
    receiver.answers = [(503, {})] * 11
    outbox = desk.outbox(endpoint(receiver.url))
    second = 0
    while receiver.answers:
        outbox.deliver_due(NOW_NS + second * NS_PER_S)
        second += 1
    assert len(receiver.requests) == 11
    assert 60 < second < 2 * 3_600
    rests = {"endpoint": "router"}
    assert desk.counters.registry.get_sample_value("millworth_webhook_rests", rests) == 1

    desk.counters = Counters()  # a restart changes nothing
    outbox = desk.outbox(endpoint(receiver.url))
    assert desk.counters.registry.get_sample_value("millworth_webhook_rests", rests) == 1
    assert outbox.deliver_due(NOW_NS + second * NS_PER_S) == 0
    later_ns = NOW_NS + (second + BACKOFF_MAX_S) * NS_PER_S
    assert sum(outbox.deliver_due(later_ns) for _ in range(5)) == 200
    ids = [headers["webhook-id"] for headers, _ in receiver.requests[11:]]
    assert ids == [f"w{n}" for n in range(200)]
    assert desk.counters.registry.get_sample_value("millworth_webhook_rests", rests) == 0


def test_message_that_is_refused_steps_aside(desk: Desk, receiver: ScriptedReceiver) -> None:
    """One that the receiver cannot read must hold up no other, but its own episode's end."""
    ends = message(seq=2, episode_id="bad", webhook_id="bad-2", kind="alert.resolved")
    desk.post(
        message(episode_id="bad", webhook_id="bad-1"), ends, message(webhook_id="good-1", seq=3)
    )
    receiver.answers = [(400, {})]
    outbox = desk.outbox(endpoint(receiver.url))
    for second in range(0, 60, 1):
        outbox.deliver_due(NOW_NS + second * NS_PER_S)

    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert ids == ["bad-1", "good-1", "bad-1", "bad-2"]


def test_changed_secret_signs_beside_the_new_one(desk: Desk, receiver: ScriptedReceiver) -> None:
    """Receivers learn of it one after the other; each takes the message by the one it has."""
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    desk.post(message(), message(seq=2, kind="alert.resolved"))
    both = endpoint(receiver.url, secret=new, previous_secret=SECRET)
    desk.outbox(both).deliver_due(NOW_NS)
    desk.post(message(seq=3))
    desk.outbox(endpoint(receiver.url, secret=new)).deliver_due(NOW_NS)

    for headers, body in receiver.requests[:2]:
        assert len(headers["webhook-signature"].split(" ")) == 2
        for secret in (new, SECRET):
            assert verify(secret, headers, body, NOW_NS)
    headers, body = receiver.requests[2]
    assert verify(new, headers, body, NOW_NS)
    with pytest.raises(DecodeError):
        verify(SECRET, headers, body, NOW_NS)


def test_dead_letter_is_sent_again_on_request(desk: Desk, receiver: ScriptedReceiver) -> None:
    """A person mended the receiver; a message that is untrue by now stays where it is."""
    receiver.answers = [(410, {})]
    other = message(episode_id="other", webhook_id="other-1")
    desk.post(message(), message(seq=2, kind="alert.resolved"), other)
    outbox = desk.outbox(endpoint(receiver.url))
    outbox.deliver_due(NOW_NS)
    letters = Deliveries(desk.memory)
    assert [(each.webhook_id, each.status) for each in letters.dead_letters()] == [
        ("episode-1-router", "disabled"),
        ("episode-2-router", "disabled"),
        ("other-1", "disabled"),
    ]

    anna = Act("anna", NOW_NS)
    replayed = letters.replay(["episode-2-router", "other-1", "nobody"], anna, "mended")
    assert list(replayed.values()) == ["pending", "pending", "unknown"]
    assert outbox.deliver_due(NOW_NS) == 2
    assert letters.replay(["episode-1-router"], anna, "again") == {"episode-1-router": "overtaken"}
    assert [each.webhook_id for each in letters.dead_letters()] == ["episode-1-router"]


def test_receiver_that_hangs_delays_no_other(desk: Desk, receiver: ScriptedReceiver) -> None:
    """Each has a thread of its own."""
    slow = ScriptedReceiver()
    slow.waits_for = threading.Event()
    for seq in (1, 2, 3):
        quick = message(episode_id=f"e{seq}", webhook_id=f"quick-{seq}")
        desk.post(message(seq=seq, endpoint="slow"), quick)
    outbox = desk.outbox(endpoint(receiver.url), endpoint(slow.url, name="slow"))
    assert outbox.deliver_due(NOW_NS, wait_s=0.5) == 3
    slow.waits_for.set()
    outbox.close()
    slow.stop()


def test_throttling_receiver_is_left_alone(desk: Desk, receiver: ScriptedReceiver) -> None:
    """It says how long it needs."""
    receiver.answers = [(429, {"retry-after": "60"})]
    desk.post(message())
    outbox = desk.outbox(endpoint(receiver.url))

    outbox.deliver_due(NOW_NS)

    assert outbox.deliver_due(NOW_NS + 59 * NS_PER_S) == 0
    assert outbox.deliver_due(NOW_NS + 61 * NS_PER_S) == 1


def test_receiver_that_is_gone_is_disabled_until_its_url_changes(
    desk: Desk, receiver: ScriptedReceiver
) -> None:
    """410 is for good, also after a restart; a new URL is a new receiver."""
    receiver.answers = [(410, {})]
    desk.post(message(), message(episode_id="other", webhook_id="other-1-router"))
    desk.outbox(endpoint(receiver.url)).deliver_due(NOW_NS)
    assert desk.deliveries() == {"disabled": 2}

    desk.memory.record([Update(STATE, event(seq=2), (message(seq=2),))])
    same = desk.outbox(endpoint(receiver.url))
    assert same.deliver_due(NOW_NS) == 0
    assert same.disabled_receivers() == ["router"]
    assert len(receiver.requests) == 1

    desk.memory.record([Update(STATE, event(seq=3), (message(seq=3),))])
    new = desk.outbox(endpoint(receiver.url + "/new"))
    assert (new.deliver_due(NOW_NS), new.disabled_receivers()) == (1, [])


def test_redirect_is_not_followed(desk: Desk, receiver: ScriptedReceiver) -> None:
    """It would lead past the check of the address."""
    receiver.answers = [(307, {"location": receiver.url + "/elsewhere"})]
    desk.post(message())

    assert desk.outbox(endpoint(receiver.url)).deliver_due(NOW_NS) == 0
    assert len(receiver.requests) == 1


def test_resolve_does_not_overtake_its_alert(desk: Desk, receiver: ScriptedReceiver) -> None:
    """A receiver that hears of the end first would reroute afterwards, for good."""
    receiver.answers = [(500, {})]
    desk.post(message(seq=1), message(seq=2, kind="alert.resolved"))
    outbox = desk.outbox(endpoint(receiver.url))

    outbox.deliver_due(NOW_NS)
    later_ns = NOW_NS + 10 * NS_PER_S
    outbox.deliver_due(later_ns)

    kinds = [headers["ce-type"] for headers, _ in receiver.requests]
    assert kinds == ["alert.firing", "alert.firing", "alert.resolved"]


def test_endpoint_that_fails_does_not_hold_up_another(
    desk: Desk, receiver: ScriptedReceiver
) -> None:
    """Ten messages for a dead host are one timeout, not ten."""
    dead = [message(seq=1, endpoint="dead", episode_id=f"e{n}", webhook_id=f"d{n}") for n in "123"]
    desk.post(*dead, message(endpoint="router"))
    outbox = desk.outbox(endpoint(receiver.url), endpoint("http://127.0.0.1:1/", name="dead"))

    assert outbox.deliver_due(NOW_NS) == 1
    assert (
        desk.counters.registry.get_sample_value("millworth_webhooks_total", {"result": "failed"})
        == 1
    )


def test_private_address_gets_nothing_unless_allowed(
    desk: Desk, receiver: ScriptedReceiver
) -> None:
    """A URL in a configuration must not turn the service into a door to the inside."""
    desk.post(message())

    assert desk.outbox(endpoint(receiver.url), allowed=()).deliver_due(NOW_NS) == 0

    assert receiver.requests == []
    assert desk.deliveries() == {"pending": 1}


def test_clock_that_is_set_back_makes_nobody_wait(desk: Desk, receiver: ScriptedReceiver) -> None:
    """Who rested some seconds does for all of them; after a restart rather too soon than late."""
    receiver.answers = [(500, {}), (500, {}), (500, {})]
    desk.post(message(), message(episode_id="other", webhook_id="other-1-router"))
    outbox = desk.outbox(endpoint(receiver.url))
    for seconds in (0, -300, -294, -283):  # a failure, a rest no longer than before, two failures
        assert outbox.deliver_due(NOW_NS + seconds * NS_PER_S) == 0
    assert len(receiver.requests) == 3

    assert desk.outbox(endpoint(receiver.url)).deliver_due(NOW_NS - 900 * NS_PER_S) == 2


def test_clock_that_is_set_back_while_a_receiver_is_asked(desk: Desk) -> None:
    """It rests from the time that it is then, not from one five minutes ahead."""
    asked, answers = threading.Event(), threading.Event()

    class Slow:
        """Answers once a test says so, at first that it cannot."""

        said = [Reply(500), Reply(200)]  # noqa: RUF012  of one test

        def send(self, _endpoint: WebhookConfig, _message: Message, _now_ns: int) -> Reply:
            """Return the next answer."""
            asked.set()
            assert answers.wait(30)
            return self.said.pop(0)

    desk.post(message())
    outbox = Outbox(desk.memory, [endpoint("http://127.0.0.1:1/x")], Slow())
    outbox.deliver_due(NOW_NS, wait_s=0)
    assert asked.wait(30)
    outbox.deliver_due(NOW_NS - 300 * NS_PER_S, wait_s=0)
    answers.set()
    assert outbox.deliver_due(NOW_NS - 300 * NS_PER_S) == 0
    assert outbox.deliver_due(NOW_NS - 294 * NS_PER_S) == 1
    outbox.close()


def test_proposal_is_not_sent_once_its_alert_ends(desk: Desk, receiver: ScriptedReceiver) -> None:
    """A receiver that was away would move traffic away from a class that is healthy again."""
    receiver.answers = [(500, {}), (500, {})]
    body = b'{"type":"alert.firing","data":{"loss_usd":1.0,"reroute":{"mode":"propose"}}}'
    desk.post(message(episode_id=EPISODE, body=body))
    outbox = desk.outbox(endpoint(receiver.url))
    outbox.deliver_due(NOW_NS)
    desk.memory.record([Update(STATE, event(seq=2, from_state="firing", to_state="cooling"))])
    outbox.deliver_due(NOW_NS + 10 * NS_PER_S)
    desk.outbox(endpoint(receiver.url)).deliver_due(NOW_NS + 60 * NS_PER_S)

    sent = [json.loads(content)["data"]["reroute"] for _, content in receiver.requests]
    assert sent == [{"mode": "propose"}, None, None]
    # Whoever read the first and did not answer would drop another body of the same id.
    ids = [headers["webhook-id"].removeprefix("episode-1-") for headers, _ in receiver.requests]
    assert ids == ["router", "router-2", "router-2"]


def test_what_a_pass_changes_while_it_is_looked_at_is_sent_as_it_is(
    desk: Desk, receiver: ScriptedReceiver
) -> None:
    """The pass and the outbox are threads: a message was read before it was freed, and sent old."""

    def freed_now(_event: AlertEvent, _now_ns: int) -> str:
        state = replace(STATE, episode_id=EPISODE)
        desk.memory.record([Update(state, released_body=b'{"type":"alert.firing","now":1}')])
        return ""

    desk.post(message(episode_id=EPISODE))
    assert desk.outbox(endpoint(receiver.url), suppression=freed_now).deliver_due(NOW_NS) == 1
    assert [content for _, content in receiver.requests] == [b'{"type":"alert.firing","now":1}']


def test_message_for_a_receiver_that_was_taken_out_is_dead(desk: Desk) -> None:
    """It has nowhere to go, and must not stay due for ever."""
    desk.post(message())

    desk.outbox().deliver_due(NOW_NS)

    assert desk.deliveries() == {"dead": 1}

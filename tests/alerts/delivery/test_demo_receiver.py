from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from alerts.delivery.demo_receiver import DemoReceiver
from alerts.delivery.payload import BODY_BYTES_MAX, Details, body
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.webhook import WebhookSender, message_headers
from alerts.rows import Message
from alerts.rules.base import Wording
from alerts.state.proposal import Move
from tests.conftest import NOW_NS, ManualClock
from tests.support.alerts.builders import SECRET, endpoint, event, message

MOVE = Move("checkout", "eu-west", "tier1-a", "us-east")


@pytest.fixture
def said() -> list[str]:
    """What the receiver announces."""
    return []


@pytest.fixture
def receiver(said: list[str], clock: ManualClock) -> Iterator[DemoReceiver]:
    """A receiver that shares our secret."""
    receiver = DemoReceiver(announce=said.append, secret=SECRET, clock=clock)
    receiver.start()
    yield receiver
    receiver.stop()
    receiver.stop()


def alert(kind: str = "alert.firing", move: Move | None = MOVE) -> Message:
    """Return a message with a real body."""
    return message(kind=kind, body=body(kind, event(), Wording(shorts={60: 6}), Details(move)))


def send(receiver: DemoReceiver, sent: Message) -> int | None:
    """Send a message as the outbox does."""
    client = PinnedClient(("127.0.0.1",))
    reply = WebhookSender(client).send(endpoint(receiver.url), sent, NOW_NS)
    client.close()
    return reply.status_code


def test_receiver_says_what_it_would_reroute(receiver: DemoReceiver, said: list[str]) -> None:
    """A machine reads from the message alone what to move, from where and where to."""
    assert send(receiver, alert()) == 204

    assert said == [
        "signature verified, alert.firing checkout/eu-west: $7,407/h at risk, decision/store; "
        "would reroute checkout/eu-west from route tier1-a to us-east"
    ]
    assert receiver.deliveries[0].message["data"]["reroute"]["mode"] == "propose"


def test_without_a_healthy_region_it_reroutes_nothing(
    receiver: DemoReceiver, said: list[str]
) -> None:
    """No proposal is no action."""
    send(receiver, alert(move=None))

    assert "would leave it and page a person" in said[0]


def test_retry_is_answered_and_not_acted_upon_again(
    receiver: DemoReceiver, said: list[str]
) -> None:
    """Delivery is at least once; acting is once."""
    assert send(receiver, alert()) == send(receiver, alert()) == 204

    assert len(receiver.deliveries) == len(said) == 1


def test_forged_message_is_refused(receiver: DemoReceiver) -> None:
    """401, not kept, counted."""
    headers = message_headers(endpoint(), alert(), NOW_NS)

    answer = httpx.post(receiver.url, content=b"{}", headers=headers, trust_env=False)

    assert answer.status_code == 401
    assert receiver.deliveries == []
    assert receiver.refused == 1


def test_signed_nonsense_is_a_bad_request(receiver: DemoReceiver) -> None:
    """Our own secret does not make every body a message of ours."""
    assert send(receiver, message(body=b"[]")) == 400
    assert receiver.deliveries == []


def test_body_without_a_bound_is_refused_unread(receiver: DemoReceiver) -> None:
    """Before the signature is checked, anyone can be the sender."""
    answer = httpx.post(receiver.url, content=b"x" * (BODY_BYTES_MAX + 1), trust_env=False)

    assert answer.status_code == 413

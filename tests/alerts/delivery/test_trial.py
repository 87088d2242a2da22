from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.config import AlertsConfig, WebhookConfig
from alerts.delivery.demo_receiver import DemoReceiver
from alerts.delivery.outbox import Outbox
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.trial import Receivers
from alerts.delivery.webhook import WebhookSender
from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore, Update
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS, ManualClock
from tests.support.alerts.builders import SECRET, endpoint, event, firing_state, message
from tests.support.alerts.receiver import ScriptedReceiver

ANNA = Act("anna", NOW_NS)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[AlertStore]:
    """An alert state without anything in it."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    yield memory
    memory.close()


@pytest.fixture
def scripted() -> Iterator[ScriptedReceiver]:
    """A receiver that answers what the test says."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


def receivers(
    memory: AlertStore,
    *webhooks: WebhookConfig,
    **more: Any,  # noqa: ANN401  any setting
) -> Receivers:
    """Return the receivers of some settings."""
    given = {"webhooks": webhooks, "allowed_hosts": ("127.0.0.1",), **more}
    return Receivers(memory, AlertsConfig(**given), ManualClock())


def test_webhook_gets_a_genuine_message_that_asks_for_nothing(memory: AlertStore) -> None:
    """A secret that is wrong at one end is found before an incident."""
    said: list[str] = []
    receiver = DemoReceiver(announce=said.append, secret=SECRET, clock=ManualClock())
    receiver.start()
    forged = endpoint(receiver.url, "other", secret="whsec_" + "A" * 32)

    found = receivers(memory, endpoint(receiver.url), forged).try_out((), ANNA, "new here")

    receiver.stop()
    assert [(each.receiver, each.is_taken, each.detail) for each in found] == [
        ("router", True, "HTTP 204"),
        ("other", False, "HTTP 401"),
    ]
    (delivery,) = receiver.deliveries
    data = delivery.message["data"]
    assert delivery.kind == "alert.test"
    assert (data["rule"], data["reroute"], data["revenue_at_risk_usd_per_h"]) == (
        "test",
        None,
        None,
    )
    assert "signature verified, alert.test: a test by anna: nothing happened" in said
    ((action, detail),) = memory.rows("SELECT action, detail FROM acts")
    assert action == "receivers_tried"
    assert json.loads(detail) == {
        "reason": "new here",
        "taken": {"router": True, "other": False},
    }


def test_alertmanager_gets_an_alert_that_has_ended(
    memory: AlertStore, scripted: ScriptedReceiver
) -> None:
    """It takes that, and tells nobody."""
    peer = {"url": scripted.url.removesuffix("/hook")}
    found = receivers(memory, alertmanagers=(peer,)).try_out((), ANNA, "new here")
    assert [(each.kind, each.is_taken) for each in found] == [("alertmanager", True)]
    ((_, content),) = scripted.requests
    (alert,) = json.loads(content)
    assert alert["labels"]["alertname"] == "test"
    assert alert["startsAt"] == alert["endsAt"]


def test_what_cannot_be_sent_says_why(memory: AlertStore, scripted: ScriptedReceiver) -> None:
    """Each by itself: one that is wrong hides no other."""
    scripted.answers = [(503, {})]
    unsigned = endpoint(scripted.url, "unsigned", secret="")
    inside = endpoint("http://10.0.0.1/", "inside")
    found = receivers(memory, endpoint(scripted.url), unsigned, inside).try_out((), ANNA, "why")
    details = {each.receiver: each.detail for each in found}
    assert not any(each.is_taken for each in found)
    assert details["router"] == "HTTP 503"
    assert "its secret is not in the settings of this process" in details["unsigned"]
    assert "10.0.0.1" in details["inside"]


def test_receiver_is_named_or_the_names_are_said(
    memory: AlertStore, scripted: ScriptedReceiver
) -> None:
    """The others get nothing."""
    other = endpoint(scripted.url, "other")
    both = receivers(memory, endpoint(scripted.url), other)
    assert [each.receiver for each in both.try_out(["other"], ANNA, "one")] == ["other"]
    assert len(scripted.requests) == 1
    with pytest.raises(InputError, match=r"'nobody'; there are: router, other$"):
        both.try_out(["nobody"], ANNA, "one")
    assert receivers(memory).try_out((), ANNA, "none is configured") == []


@pytest.fixture
def outbox(memory: AlertStore, scripted: ScriptedReceiver) -> Iterator[Outbox]:
    """An outbox with a message for the scripted receiver."""
    memory.record([Update(firing_state(), event(), (message(),))])
    client = PinnedClient(("127.0.0.1",))
    outbox = Outbox(memory, (endpoint(scripted.url),), WebhookSender(client))
    yield outbox
    outbox.close()
    client.close()


def test_receiver_that_took_it_rests_no_longer(
    memory: AlertStore, scripted: ScriptedReceiver, outbox: Outbox
) -> None:
    """Whoever mended it need not wait ten minutes for what it was not told."""
    hook = endpoint(scripted.url)
    scripted.answers = [(500, {}), (500, {})]
    assert outbox.deliver_due(NOW_NS) == 0
    assert outbox.failing_receivers() == {hook.name: 1}
    assert not receivers(memory, hook).try_out((), ANNA, "not yet")[0].is_taken
    assert outbox.deliver_due(NOW_NS + 1) == 0
    assert receivers(memory, hook).try_out((), ANNA, "mended")[0].is_taken
    assert outbox.deliver_due(NOW_NS + 2) == 1
    assert outbox.failing_receivers() == {}


def test_message_that_was_refused_follows_at_once_when_the_receiver_took_a_trial(
    memory: AlertStore, scripted: ScriptedReceiver, outbox: Outbox
) -> None:
    """The page, and the end on which a router brings traffic home, came minutes later."""
    hook = endpoint(scripted.url)
    scripted.answers = [(400, {})]
    assert outbox.deliver_due(NOW_NS) == 0
    resolved = event(seq=2, to_state="resolved")
    memory.record([Update(firing_state(), resolved, (message(2, kind="alert.resolved"),))])
    assert outbox.deliver_due(NOW_NS + 1) == 0, "it stands aside, and its end with it"
    assert receivers(memory, hook).try_out((), ANNA, "mended")[0].is_taken
    # Also where the clock was set back, behind the time at which they were put in.
    assert outbox.deliver_due(NOW_NS - NS_PER_S) == 2


def test_receiver_that_answered_410_and_took_it_is_sent_alerts_again(
    memory: AlertStore, scripted: ScriptedReceiver, outbox: Outbox
) -> None:
    """It was said to take what it is sent, and was sent no alert."""
    hook = endpoint(scripted.url)
    scripted.answers = [(410, {})]
    assert outbox.deliver_due(NOW_NS) == 0
    assert outbox.disabled_receivers() == [hook.name]
    assert receivers(memory, hook).try_out((), ANNA, "it is back")[0].is_taken
    assert outbox.disabled_receivers() == []
    resolved = event(seq=2, to_state="resolved")
    memory.record([Update(firing_state(), resolved, (message(2, kind="alert.resolved"),))])
    assert outbox.deliver_due(NOW_NS + 1) == 1

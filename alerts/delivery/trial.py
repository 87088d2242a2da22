"""I/O: a test message to each receiver, now, so that what is wrong is known before an incident."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from decimal import Decimal

from alerts.config import AlertmanagerConfig, AlertsConfig, WebhookConfig
from alerts.delivery.alertmanager import Pushed, annotations_of, labels_of
from alerts.delivery.payload import NO_DETAILS, body
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.pusher import post_alerts
from alerts.delivery.webhook import WebhookSender
from alerts.rows import UNKNOWN, AlertEvent, Message, webhook_id
from alerts.rules.base import NO_WORDING
from alerts.state.acts import Act, note_act
from alerts.state.deliveries import Deliveries
from alerts.state.retry import Reply
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import Phase
from collector.core.clock import Clock
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS

TESTED = "alert.test"  # the kind of message, on which a receiver does nothing
_UNSIGNED = "its secret is not in the settings of this process, so nothing can be signed"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one receiver made of its test message."""

    receiver: str
    kind: str  # webhook or alertmanager
    is_taken: bool
    detail: str  # the answer, or why there is none
    took_ms: float


class Receivers:
    """The receivers of the settings.

    Args:
        alert_state: which notes who tried them.
        config: names them, and the addresses that are permitted.
        clock: of signatures.
    """

    def __init__(self, alert_state: AlertStore, config: AlertsConfig, clock: Clock) -> None:
        self._alert_state = alert_state
        self._config = config
        self._clock = clock

    def try_out(self, names: Sequence[str], act: Act, reason: str) -> list[Trial]:
        """Send each a test message at the same time; one that takes it rests no longer.

        One that had answered 410 is sent alerts again.

        A webhook gets `alert.test`, signed as every other; an Alertmanager an alert that has ended
        already, of which it tells nobody.

        Args:
            names: of receivers; none is all of them.
            act: who does it.
            reason: why.

        Raises:
            InputError: no receiver has this name.
        """
        hooks = {each.name: each for each in self._config.webhooks}
        peers = {each.name: each for each in self._config.alertmanagers}
        for name in names:
            if name not in hooks and name not in peers:
                known = ", ".join([*hooks, *peers]) or "none is configured"
                raise InputError(f"no receiver is named {name[:100]!r}; there are: {known}")
        wanted = [name for name in (*hooks, *peers) if not names or name in names]
        event = _event(act)
        client = PinnedClient(self._config.allowed_hosts, self._config.denied_hosts)

        def tried(name: str) -> Trial:
            hook, peer = hooks.get(name), peers.get(name)
            if hook is not None:
                return self._timed(name, "webhook", lambda: _send(client, hook, event, self._clock))
            assert peer is not None
            return self._timed(name, "alertmanager", lambda: _push(client, peer, event))

        try:
            with ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="trial") as threads:
                contexts = [copy_context() for _ in wanted]
                found = list(threads.map(lambda of, name: of.run(tried, name), contexts, wanted))
        finally:
            client.close()
        with self._alert_state.transaction() as db:
            taken = {each.receiver: each.is_taken for each in found}
            note_act(db, act, "receivers_tried", {"taken": taken, "reason": reason})
        for each in found:
            if each.is_taken and each.kind == "webhook":
                Deliveries(self._alert_state).wake(each.receiver)
        return found

    def _timed(self, name: str, kind: str, send: Callable[[], Reply]) -> Trial:
        began_ns = self._clock.monotonic_ns()
        reply = send()
        took_ms = (self._clock.monotonic_ns() - began_ns) / NS_PER_MS
        code = reply.status_code
        is_taken = code is not None and 200 <= code < 300
        message = f": {reply.message}" if reply.message else ""
        return Trial(name, kind, is_taken, reply.error or f"HTTP {code}{message}", took_ms)


def _send(client: PinnedClient, hook: WebhookConfig, event: AlertEvent, clock: Clock) -> Reply:
    if not hook.secret.get_secret_value():
        return Reply(None, error=_UNSIGNED)
    number = webhook_id(event.episode_id, event.seq, hook.name)
    content = body(TESTED, event, NO_WORDING, NO_DETAILS)
    message = Message(number, hook.name, event.episode_id, event.seq, TESTED, content)
    return WebhookSender(client).send(hook, message, clock.now_ns())


def _push(client: PinnedClient, peer: AlertmanagerConfig, event: AlertEvent) -> Reply:
    alert = Pushed(
        event.episode_id,
        labels_of(event),
        annotations_of(event, NO_WORDING),
        event.started_ns,
        event.at_ns,
        "",
    )
    return post_alerts(client, peer, [alert], event.at_ns, 0)


def _event(act: Act) -> AlertEvent:
    """Return what the message is about: nothing that happened, and of no dollars."""
    nothing = Decimal(0)
    return AlertEvent(
        episode_id=uuid.uuid4().hex,
        seq=1,
        rule="test",
        severity="ticket",
        action="",
        region="",
        from_state=Phase.INACTIVE,
        to_state=Phase.INACTIVE,
        at_ns=act.at_ns,
        recorded_ns=act.at_ns,
        started_ns=act.at_ns,
        window_s=0,
        loss_usd=nothing,
        loss_low_usd=nothing,
        loss_high_usd=nothing,
        revenue_at_risk_usd_per_h=nothing,
        burn=0.0,
        basis=UNKNOWN,
        slope_source="prior",
        blamed_stage="",
        blamed_class="",
        blamed_excess_ns=0,
        reason=f"a test by {act.actor}: nothing happened",
    )

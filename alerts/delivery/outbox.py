"""I/O: takes due messages out of the alert state, sends them, and records the result.

A message is sent at least once: after a kill between the answer and its record it is sent again,
with the same `webhook-id`, by which a receiver drops the second. Each endpoint gets its messages in
the order of their transitions, one at a time, from a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from alerts.config import WebhookConfig
from alerts.delivery.lanes import Lanes
from alerts.delivery.payload import without_proposal
from alerts.rows import AlertEvent, Message
from alerts.state.deliveries import Deliveries, Due
from alerts.state.held import HeldAlerts
from alerts.state.retry import Attempt, DeliveryStatus, Reply, Step, next_step
from alerts.state.routed import open_alerts
from alerts.state.sqlite import AlertStore
from alerts.state.transitions import FIRED, Phase
from collector.core.clock import Clock, SystemClock
from collector.core.counters import Counters
from collector.core.log import get_logger
from collector.core.times import NS_PER_S

# One call sends this many to an endpoint at most, so that each begins with a fresh look.
_BATCH_MAX = 50

# A clock that goes back by more was set.
_SET_BACK_NS = 2 * NS_PER_S

# What nobody knows of is sent in these states: cooling it may be over.
_SENT_IN = (Phase.FIRING, Phase.UNKNOWN)

# Returns why an alert is hidden at an instant, "" where it is not.
Suppression: TypeAlias = Callable[[AlertEvent, int], str]

_log = get_logger("alerts")


class Sender(Protocol):
    """Makes one attempt to deliver a message."""

    def send(self, endpoint: WebhookConfig, message: Message, now_ns: int) -> Reply:
        """Return the answer, or the error in its place."""
        ...


class Outbox:
    """Delivers the messages in the alert state to the configured endpoints."""

    def __init__(
        self,
        store: AlertStore,
        endpoints: Sequence[WebhookConfig],
        sender: Sender,
        counters: Counters | None = None,
        clock: Clock | None = None,
        suppression: Suppression = lambda _event, _now_ns: "",
    ) -> None:
        self._store = store
        self._suppression = suppression
        self._deliveries = Deliveries(store)
        self._held = HeldAlerts(store)
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._sender = sender
        self._counters = counters
        self._clock = clock or SystemClock()
        self._lanes = Lanes("webhook", len(self._endpoints))
        self._choosing = threading.Lock()  # of what is sent, and of what is held
        self._sending = set[str]()  # ids of messages
        self._is_closing = False
        self._last_ns = self._deliveries.last_ns()
        self._set_back_ns = 0  # in all, as far as was seen
        if counters is not None:  # a receiver rests over a restart too
            for name, each in self._endpoints.items():
                circuit = self._deliveries.circuit(name, each.url)
                counters.webhook_rests.labels(name).set(circuit.rests_until_ns > 0)

    def deliver_due(self, now_ns: int, wait_s: float | None = None) -> int:
        """Send what is due; return how many messages were delivered meanwhile.

        An endpoint that fails is left alone until its rest is over (`alerts.state.retry`).

        Args:
            now_ns: the time.
            wait_s: how long to wait for the endpoints; None until each has answered or failed.
        """
        self._follow_clock(now_ns)
        self._release(now_ns)
        self._hold_hidden(now_ns)
        disabled = self._deliveries.disabled()
        for name in self._deliveries.waiting():
            endpoint = self._endpoints.get(name)
            if endpoint is None:
                self._give_up(name, DeliveryStatus.DEAD, "the endpoint is no longer configured")
            elif disabled.get(name) == endpoint.url:
                self._give_up(name, DeliveryStatus.DISABLED, "the receiver answered 410 before")
            elif self._lanes.is_free(name):
                self._begin(endpoint, now_ns)
        return self._lanes.gather(wait_s)

    def disabled_receivers(self) -> list[str]:
        """Return the endpoints that answered 410 at the URL that they have now, in order."""
        disabled = self._deliveries.disabled()
        return sorted(n for n, each in self._endpoints.items() if disabled.get(n) == each.url)

    def failing_receivers(self) -> dict[str, int]:
        """Return the endpoints that did not take the last message, and how many in a row."""
        circuits = {n: self._deliveries.circuit(n, e.url) for n, e in self._endpoints.items()}
        return {name: each.failures for name, each in circuits.items() if each.failures}

    def close(self) -> None:
        """Wait for the messages that are being sent; what waits is sent after the next start."""
        self._is_closing = True
        self._lanes.close()

    def _follow_clock(self, now_ns: int) -> None:
        """Wait no longer than was meant where the clock was set back."""
        back_ns, self._last_ns = self._last_ns - now_ns, now_ns
        if back_ns > _SET_BACK_NS:
            self._deliveries.set_back(now_ns, back_ns)
            self._set_back_ns += back_ns
            _log.warning("clock_set_back", seconds=back_ns / NS_PER_S)

    def _begin(self, endpoint: WebhookConfig, now_ns: int) -> None:
        if self._deliveries.circuit(endpoint.name, endpoint.url).rests_until_ns <= now_ns:
            self._lanes.begin(endpoint.name, lambda: self._drain(endpoint, now_ns))

    def _drain(self, endpoint: WebhookConfig, began_ns: int) -> int:
        """Send to one endpoint until nothing is due, or it fails."""
        delivered = 0
        monotonic_ns, set_back_ns = self._clock.monotonic_ns(), self._set_back_ns
        while delivered < _BATCH_MAX and not self._is_closing:
            # A receiver that answers slowly takes minutes, and a signature is of its own time.
            now_ns = began_ns + self._clock.monotonic_ns() - monotonic_ns
            before_ns = self._set_back_ns - set_back_ns
            now_ns -= before_ns
            due = self._take(endpoint, now_ns)
            if due is None:
                break
            try:
                due = self._up_to_date(due)
                step = self._attempt(endpoint, due, now_ns)
                # The clock may have been set back while the receiver was asked.
                back_ns = self._set_back_ns - set_back_ns - before_ns
                rests_until_ns = max(step.rests_until_ns - back_ns, 0)
                step = replace(step, due_ns=step.due_ns - back_ns, rests_until_ns=rests_until_ns)
                self._settle(endpoint, due, step, now_ns - back_ns)
            finally:
                with self._choosing:
                    self._sending.discard(due.message.webhook_id)
            if step.status is not DeliveryStatus.DELIVERED:
                break
            delivered += 1
        return delivered

    def _hold_hidden(self, now_ns: int) -> None:
        """Hold what is hidden while it fires, also of an endpoint that rests or answers slowly.

        When its turn comes nothing may hide the alert any more, which is long over. What is being
        sent is left alone: the endpoint may know of it, and has to hear of its end.
        """
        with self._choosing:
            for alert in open_alerts(self._store):
                if reason := self._suppression(alert.last, now_ns):
                    self._deliveries.hold_all(alert.episode_id, reason, now_ns, self._sending)
            for due in self._deliveries.unseen_ends():
                self._deliveries.drop_unseen(due)

    def _take(self, endpoint: WebhookConfig, now_ns: int) -> Due | None:
        """Return the message that is sent next, None where none is due; what is hidden is held."""
        with self._choosing:
            while (due := self._deliveries.next(endpoint.name, now_ns)) is not None:
                if not self._keep_back(due, now_ns):
                    self._sending.add(due.message.webhook_id)
                    return due
            return None

    def _keep_back(self, due: Due, now_ns: int) -> bool:
        """Hold a message whose alert is hidden; return whether it is not to be sent now.

        The end of an alert that the endpoint knows is sent: it would wait for it for ever.
        """
        if due.message.kind != FIRED:
            return self._deliveries.drop_unseen(due)
        if self._deliveries.drop_superseded(due):
            return True
        event = self._store.last_event(due.message.episode_id)
        reason = "" if event is None else self._suppression(event, now_ns)
        if not reason or self._deliveries.is_known(due):
            return False
        self._deliveries.hold(due, reason, now_ns)
        return True

    def _up_to_date(self, due: Due) -> Due:
        """Return a message as a pass wrote it meanwhile, and without a proposal that is over.

        A receiver that was away is sent what waited for it, and the class may be healthy again.
        """
        due = self._deliveries.read_again(due)
        event = self._store.last_event(due.message.episode_id)
        if due.message.kind != FIRED or event is None or event.to_state == Phase.FIRING:
            return due
        content = without_proposal(due.message.body)
        return due if content == due.message.body else self._deliveries.change(due, content)

    def _release(self, now_ns: int) -> None:
        """Send what is hidden no more and that no pass could tell of with what is true now.

        That takes the store. Without it an alert is told of as it began, without its proposal.
        """
        held = self._held.all()
        for webhook_id, episode_id, content in self._deliveries.held():
            event = self._store.last_event(episode_id)
            known = held.get(episode_id)
            is_overdue = known is None or known.is_overdue(now_ns)
            if event is None or not is_overdue or event.to_state not in _SENT_IN:
                continue  # the next pass tells of it, or its end drops it
            if not self._suppression(event, now_ns):
                self._deliveries.release(webhook_id, without_proposal(content), now_ns)

    def _attempt(self, endpoint: WebhookConfig, due: Due, now_ns: int) -> Step:
        circuit = self._deliveries.circuit(endpoint.name, endpoint.url)
        reply = self._sender.send(endpoint, due.sent, now_ns)
        attempt = Attempt(
            due.message.webhook_id, due.attempts + 1, due.created_ns, circuit.failures
        )
        return next_step(reply, attempt, now_ns)

    def _settle(self, endpoint: WebhookConfig, due: Due, step: Step, now_ns: int) -> None:
        messages = self._deliveries.settle(due, step, endpoint.url, now_ns)
        result = "failed" if step.status is DeliveryStatus.PENDING else step.status.value
        self._count(result, messages)
        if self._counters is not None:
            self._counters.webhook_rests.labels(endpoint.name).set(step.rests_until_ns > 0)
        if step.status is DeliveryStatus.DELIVERED:
            return
        if step.status is DeliveryStatus.DISABLED:
            self._deliveries.disable(endpoint.name, endpoint.url, now_ns)
        _log.warning(
            "webhook_undelivered",
            endpoint=endpoint.name,
            webhook_id=due.message.webhook_id,
            attempt=due.attempts + 1,
            status=step.status.value,
            detail=step.detail,
        )

    def _give_up(self, endpoint: str, status: DeliveryStatus, detail: str) -> None:
        messages = self._deliveries.give_up(endpoint, status, detail)
        self._count(status.value, messages)
        _log.warning("webhooks_given_up", endpoint=endpoint, messages=messages, detail=detail)

    def _count(self, result: str, messages: int) -> None:
        if self._counters is not None:
            self._counters.webhooks.labels(result).inc(messages)

"""I/O: takes due messages out of the alert state, sends them, and records the result.

A message is sent at least once: after a kill between the answer and its record it is sent again,
with the same `webhook-id`, by which a receiver drops the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alerts.config import WebhookConfig
from alerts.rows import Message
from alerts.state.retry import DeliveryStatus, Reply, Step, next_step
from alerts.state.sqlite import AlertStore, Due
from collector.core.counters import Counters
from collector.core.log import get_logger

# One call sends this many at most, so that a stop of the service does not wait for a long queue.
_BATCH_MAX = 50

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
    ) -> None:
        self._store = store
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._sender = sender
        self._counters = counters

    def deliver_due(self, now_ns: int) -> int:
        """Send what is due, and return how many messages were delivered.

        An endpoint that fails is left alone for the rest of this call: its timeouts must not hold
        up the others.
        """
        disabled = self._store.disabled_endpoints()
        failed: set[str] = set()
        delivered = 0
        for due in self._store.due(now_ns, _BATCH_MAX):
            name = due.message.endpoint
            if name in failed:
                continue
            step = self._attempt(due, disabled, now_ns)
            self._settle(due, step, now_ns)
            if step.status is DeliveryStatus.DELIVERED:
                delivered += 1
            else:
                failed.add(name)
        return delivered

    def _attempt(self, due: Due, disabled: dict[str, str], now_ns: int) -> Step:
        message = due.message
        endpoint = self._endpoints.get(message.endpoint)
        if endpoint is None:
            return Step(DeliveryStatus.DEAD, now_ns, "the endpoint is no longer configured")
        if disabled.get(endpoint.name) == endpoint.url:
            return Step(DeliveryStatus.DISABLED, now_ns, "the receiver answered 410 before")
        reply = self._sender.send(endpoint, message, now_ns)
        return next_step(reply, due.attempts + 1, message.webhook_id, now_ns)

    def _settle(self, due: Due, step: Step, now_ns: int) -> None:
        self._store.settle(due, step)
        name = due.message.endpoint
        if self._counters is not None:
            retried = step.status is DeliveryStatus.PENDING
            self._counters.webhooks.labels("failed" if retried else step.status.value).inc()
        if step.status is DeliveryStatus.DELIVERED:
            return
        if step.status is DeliveryStatus.DISABLED and name in self._endpoints:
            self._store.disable_endpoint(name, self._endpoints[name].url, now_ns)
        _log.warning(
            "webhook_undelivered",
            endpoint=name,
            webhook_id=due.message.webhook_id,
            attempt=due.attempts + 1,
            status=step.status.value,
            detail=step.detail,
        )

"""I/O: every way out of alerting over one alert state: webhooks and Alertmanagers."""

from __future__ import annotations

from alerts.config import AlertsConfig
from alerts.delivery.outbox import Outbox
from alerts.delivery.pinned import PinnedClient
from alerts.delivery.pusher import Pusher
from alerts.delivery.routing import Routing
from alerts.delivery.webhook import WebhookSender
from alerts.state.sqlite import AlertStore
from collector.core.counters import Counters


class Outlets:
    """What delivers; the two methods may be called by threads of their own."""

    def __init__(
        self,
        alert_state: AlertStore,
        config: AlertsConfig,
        counters: Counters | None = None,
        dashboard_url: str = "",
    ) -> None:
        self._client = PinnedClient(config.allowed_hosts, config.denied_hosts)
        suppression = Routing(alert_state, config).suppression
        sender = WebhookSender(self._client)
        self._outbox = Outbox(
            alert_state, config.webhooks, sender, counters, suppression=suppression
        )
        self._pusher = Pusher(
            alert_state, config, self._client, counters, dashboard_url, suppression
        )

    def deliver_due(self, now_ns: int, wait_s: float | None = None) -> int:
        """Send the webhooks that are due, see `Outbox.deliver_due`."""
        return self._outbox.deliver_due(now_ns, wait_s)

    def push_due(self, now_ns: int, wait_s: float | None = None) -> int:
        """Send Alertmanagers what is due, see `Pusher.push_due`."""
        return self._pusher.push_due(now_ns, wait_s)

    def failing_peers(self) -> list[str]:
        """Return the Alertmanagers that did not take the last request."""
        return self._pusher.failing_peers()

    def disabled_receivers(self) -> list[str]:
        """Return the receivers of webhooks that answered 410 and are sent nothing more."""
        return self._outbox.disabled_receivers()

    def failing_receivers(self) -> dict[str, int]:
        """Return the receivers of webhooks that failed last, and how often in a row."""
        return self._outbox.failing_receivers()

    def close(self) -> None:
        """Wait for what is being sent, and close what is open."""
        self._outbox.close()
        self._pusher.close()
        self._client.close()

"""I/O: one attempt to deliver one signed message.

Message: Standard Webhooks 1.0.0; its attributes once more as CloudEvents 1.0 headers in binary
mode, so that an event router can read them without the body.
"""

from __future__ import annotations

from datetime import UTC, datetime

from alerts.config import WebhookConfig
from alerts.delivery.pinned import PinnedClient
from alerts.rows import Message
from alerts.signature import sign
from alerts.state.retry import Reply
from collector.core.times import NS_PER_S

CLOUDEVENTS_SOURCE = "/millworth/alerts"


class WebhookSender:
    """Sends messages to endpoints whose addresses the configuration permits."""

    def __init__(self, client: PinnedClient) -> None:
        self._client = client

    def send(self, endpoint: WebhookConfig, message: Message, now_ns: int) -> Reply:
        """Make one attempt; whatever goes wrong is in the reply."""
        headers = message_headers(endpoint, message, now_ns)
        return self._client.post(endpoint.url, message.body, headers, endpoint.timeout_s)


def message_headers(endpoint: WebhookConfig, message: Message, now_ns: int) -> dict[str, str]:
    """Return the headers of one attempt; the timestamp, and so the signature, is this attempt's."""
    stamp_s = now_ns // NS_PER_S
    # Two while the secret is changed: a receiver takes a message by either.
    secrets = [endpoint.secret.get_secret_value(), endpoint.previous_secret.get_secret_value()]
    signatures = [
        sign(secret, message.webhook_id, stamp_s, message.body) for secret in secrets if secret
    ]
    return {
        "content-type": "application/json",
        "user-agent": "millworth",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(stamp_s),
        "webhook-signature": " ".join(signatures),
        "ce-specversion": "1.0",
        "ce-id": message.webhook_id,
        "ce-source": CLOUDEVENTS_SOURCE,
        "ce-type": message.kind,
        "ce-subject": message.episode_id,
        "ce-time": datetime.fromtimestamp(stamp_s, UTC).isoformat().replace("+00:00", "Z"),
    }

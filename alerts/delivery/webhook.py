"""I/O: one attempt to deliver one signed message: resolve once, check, and connect to just that.

Message: Standard Webhooks 1.0.0; its attributes once more as CloudEvents 1.0 headers in binary
mode, so that an event router can read them without the body.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx

from alerts.config import WebhookConfig
from alerts.delivery.address_guard import check_address
from alerts.rows import Message
from alerts.signature import sign
from alerts.state.retry import Reply
from collector.core.clock import NS_PER_S
from collector.core.errors import InputError

CLOUDEVENTS_SOURCE = "/millworth/alerts"

Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order of preference. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class WebhookSender:
    """Sends messages to endpoints whose addresses the configuration permits."""

    def __init__(self, allowed_hosts: Sequence[str], resolver: Resolver = resolve) -> None:
        self._allowed_hosts = tuple(allowed_hosts)
        self._resolver = resolver
        # No proxy from the environment and no redirect: either would take a message past the
        # check. No connection is kept: after minutes its other end may be gone.
        self._client = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def send(self, endpoint: WebhookConfig, message: Message, now_ns: int) -> Reply:
        """Make one attempt; whatever goes wrong is in the reply."""
        try:
            url = httpx.URL(endpoint.url)
            port = url.port or (443 if url.scheme == "https" else 80)
            addresses = self._resolver(url.host, port)
            for address in addresses:
                check_address(url.host, address, self._allowed_hosts)
            if not addresses:
                return Reply(None, error=f"{url.host} has no address")
            return self._post(endpoint, url.copy_with(host=addresses[0]), message, now_ns)
        except InputError as error:
            return Reply(None, error=str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Reply(None, error=f"{type(error).__name__}: {error}"[:300])

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def _post(
        self, endpoint: WebhookConfig, pinned: httpx.URL, message: Message, now_ns: int
    ) -> Reply:
        original = httpx.URL(endpoint.url)
        headers = message_headers(endpoint, message, now_ns)
        headers["host"] = original.netloc.decode()
        # The certificate is checked against the name, not against the address connected to.
        extensions = {"sni_hostname": original.host} if original.scheme == "https" else {}
        with self._client.stream(
            "POST",
            pinned,
            content=message.body,
            headers=headers,
            timeout=endpoint.timeout_s,
            extensions=extensions,
        ) as response:
            # The body is not read: nothing in it is for us, and it need not end.
            return Reply(response.status_code, response.headers.get("retry-after", ""))


def message_headers(endpoint: WebhookConfig, message: Message, now_ns: int) -> dict[str, str]:
    """Return the headers of one attempt; the timestamp, and so the signature, is this attempt's."""
    stamp_s = now_ns // NS_PER_S
    secret = endpoint.secret.get_secret_value()
    return {
        "content-type": "application/json",
        "user-agent": "millworth",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(stamp_s),
        "webhook-signature": sign(secret, message.webhook_id, stamp_s, message.body),
        "ce-specversion": "1.0",
        "ce-id": message.webhook_id,
        "ce-source": CLOUDEVENTS_SOURCE,
        "ce-type": message.kind,
        "ce-subject": message.episode_id,
        "ce-time": datetime.fromtimestamp(stamp_s, UTC).isoformat().replace("+00:00", "Z"),
    }

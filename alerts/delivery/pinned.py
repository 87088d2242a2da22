"""I/O: one POST to an address that the configuration permits: resolve once, check, connect to that.

No proxy from the environment and no redirect: either would take a message past the check.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence

import httpx

from alerts.delivery.address_guard import check_address
from alerts.state.retry import Reply
from collector.core.errors import InputError

# What a receiver says of a refusal; the rest of an answer is not read, and need not end.
_ANSWER_BYTES_MAX = 2_000

Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order of preference. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinnedClient:
    """Posts to receivers; safe to use from several threads."""

    def __init__(
        self,
        allowed_hosts: Sequence[str],
        denied_hosts: Sequence[str] = (),
        resolver: Resolver = resolve,
    ) -> None:
        self._allowed_hosts = tuple(allowed_hosts)
        self._denied_hosts = tuple(denied_hosts)
        self._resolver = resolver
        # No connection is kept: after minutes its other end may be gone.
        self._client = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def post(self, url: str, content: bytes, headers: Mapping[str, str], timeout_s: float) -> Reply:
        """Make one attempt; whatever goes wrong is in the reply."""
        try:
            original = httpx.URL(url)
            port = original.port or (443 if original.scheme == "https" else 80)
            addresses = self._resolver(original.host, port)
            for address in addresses:
                check_address(original.host, address, self._allowed_hosts, self._denied_hosts)
            if not addresses:
                return Reply(None, error=f"{original.host} has no address")
            return self._post(original, addresses[0], content, headers, timeout_s)
        except InputError as error:
            return Reply(None, error=str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Reply(None, error=f"{type(error).__name__}: {error}"[:300])

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def _post(
        self,
        original: httpx.URL,
        address: str,
        content: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Reply:
        # The certificate is checked against the name, not against the address connected to.
        extensions = {"sni_hostname": original.host} if original.scheme == "https" else {}
        with self._client.stream(
            "POST",
            original.copy_with(host=address),
            content=content,
            headers={**headers, "host": original.netloc.decode()},
            timeout=timeout_s,
            extensions=extensions,
        ) as response:
            code = response.status_code
            said = _beginning(response) if 400 <= code < 500 else ""
            return Reply(code, response.headers.get("retry-after", ""), said=said)


def _beginning(response: httpx.Response) -> str:
    """Return the first text of an answer; a receiver that says none in time has said nothing."""
    try:
        content = next(response.iter_bytes(_ANSWER_BYTES_MAX), b"")
    except httpx.HTTPError:
        return ""
    return " ".join(content[:_ANSWER_BYTES_MAX].decode(errors="replace").split())[:300]

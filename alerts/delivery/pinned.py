"""I/O: one POST to an address that the configuration permits: resolve once, check, connect to that.

No proxy from the environment and no redirect: either would take a message past the check. And no
more time than is given: a receiver that says a byte a second would hold its lane for ever.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from alerts.delivery.address_guard import check_address
from alerts.state.retry import Reply
from collector.core.clock import SystemClock
from collector.core.errors import InputError
from collector.core.times import NS_PER_S

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
        self._clock = SystemClock()
        # Those of the web, and those of this machine (SSL_CERT_FILE names others): a receiver in
        # the company's own network has a certificate of the company's own authority.
        authorities = httpx.create_ssl_context(trust_env=False)
        authorities.load_default_certs()
        # No connection is kept: after minutes its other end may be gone.
        self._client = httpx.Client(
            verify=authorities,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def post(self, url: str, content: bytes, headers: Mapping[str, str], timeout_s: float) -> Reply:
        """Make one attempt; whatever goes wrong is in the reply.

        Args:
            url: of the receiver.
            content: the body.
            headers: beside those of HTTP.
            timeout_s: for all of it, however slowly the other end says something; nothing bounds
                the resolver but itself, and what it took is not had again.
        """
        ends_ns = self._clock.monotonic_ns() + round(timeout_s * NS_PER_S)
        late = f"no answer within {timeout_s:g} s"
        try:
            original = httpx.URL(url)
            port = original.port or (443 if original.scheme == "https" else 80)
            addresses = self._resolver(original.host, port)
            for address in addresses:
                check_address(original.host, address, self._allowed_hosts, self._denied_hosts)
            if not addresses:
                return Reply(None, error=f"{original.host} has no address")
            # Another address is tried where one takes no connection, and nothing was sent.
            for at, address in enumerate(addresses, 1):
                left_s = (ends_ns - self._clock.monotonic_ns()) / NS_PER_S
                if left_s <= 0:
                    break
                tries = len(addresses) - at + 1
                timeout = httpx.Timeout(left_s, connect=left_s / tries)
                try:
                    return self._post(original, address, content, headers, timeout)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if at == len(addresses):
                        raise
            return Reply(None, error=late)
        except InputError as error:
            return Reply(None, error=str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            is_late = self._clock.monotonic_ns() >= ends_ns
            return Reply(None, error=late if is_late else f"{type(error).__name__}: {error}"[:300])

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def _post(
        self,
        original: httpx.URL,
        address: str,
        content: bytes,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
    ) -> Reply:
        # The certificate is checked against the name, not against the address connected to.
        named = {"sni_hostname": original.host} if original.scheme == "https" else {}
        with (
            _cut_after(timeout.read or 0.0) as trace,
            self._client.stream(
                "POST",
                original.copy_with(host=address),
                content=content,
                headers={
                    **headers,
                    "host": original.netloc.decode(),
                    # The message of a refusal is read as it comes.
                    "accept-encoding": "identity",
                },
                timeout=timeout,
                extensions={**named, "trace": trace},
            ) as response,
        ):
            code = response.status_code
            message = _beginning(response) if 400 <= code < 500 else ""
            return Reply(code, response.headers.get("retry-after", ""), message=message)


@contextmanager
def _cut_after(timeout_s: float) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Shut the connection of a request after a time; yield what the request tells of itself.

    A timeout of the library is that of each read.
    """
    lock, connected, is_over = threading.Lock(), list[socket.socket](), threading.Event()

    def shut(connection: socket.socket) -> None:
        with suppress(OSError):  # the other end was first
            # Of the socket itself, past TLS, which another thread is reading.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def end() -> None:
        with lock:
            is_over.set()
            for connection in connected:
                shut(connection)

    def trace(event: str, details: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            connection = details["return_value"].get_extra_info("socket")
            with lock:
                connected.append(connection)
                if is_over.is_set():
                    shut(connection)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()


def _beginning(response: httpx.Response) -> str:
    """Return the first text of an answer; a receiver that says none in time has said nothing."""
    try:
        content = next(response.iter_raw(), b"")
    except httpx.HTTPError:
        return ""
    return " ".join(content[:_ANSWER_BYTES_MAX].decode(errors="replace").split())[:300]

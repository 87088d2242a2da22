"""What several tests of server share."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.http.server import BoundedServer, Bounds

WAIT_S = 30


BOUNDS = Bounds(
    connections_max=10,
    head_seconds_max=WAIT_S,
    idle_seconds_max=WAIT_S,
    body_seconds_max=WAIT_S,
    body_bytes_max=1000,
    discard_bytes_max=100_000,
    write_seconds_max=WAIT_S,
    stop_seconds_max=1.0,
)


App = Callable[..., Any]


START = {"type": "http.response.start", "status": 200, "headers": []}


async def answer_at_once(_: object, __: App, send: App) -> None:
    """Answer before the body has come, as a refusal does."""
    await send(START)
    await send({"type": "http.response.body", "body": b"no"})


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes; a reset is its way to close as well."""
    parts = []
    try:
        while part := connection.recv(1024 * 1024):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@contextmanager
def serving(
    app: App, bounds: Bounds, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[socket.socket, Counters]]:
    """Yield a connection to a server with these bounds; nobody has shaken hands over it."""
    counters = Counters()
    listener = socket.create_server(("127.0.0.1", 0))
    server = BoundedServer(app, listener, "test", bounds, counters, SystemClock(), tls)
    server.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=WAIT_S) as connection:
            yield connection, counters
    finally:
        server.stop()


def ended(counters: Counters, reason: str) -> float:
    """Return how many connections were ended for a reason."""
    value: float = counters.connections_refused.labels("test", reason)._value.get()
    return value

"""What several tests of server share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from collector.core.http.server import Bounds

WAIT_S = 30


BOUNDS = Bounds(
    connections_max=10,
    head_seconds_max=WAIT_S,
    idle_seconds_max=WAIT_S,
    body_seconds_max=WAIT_S,
    body_bytes_max=1000,
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

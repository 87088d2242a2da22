"""A service manager's end of the notification socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

WAIT_S = 30


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """Yield the socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(WAIT_S)
        yield manager


def waiting(manager: socket.socket) -> list[bytes]:
    """Return what was said and not read yet."""
    said = []
    manager.setblocking(False)
    try:
        while True:
            said.append(manager.recv(4096))
    except BlockingIOError:
        manager.settimeout(WAIT_S)
        return said

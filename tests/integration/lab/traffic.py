"""I/O: requests and responses between two hosts of a lab, and a recorder on each of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig
from packet.lab.network import Host

REQUEST_BYTES = 100


@contextmanager
def recording(host: Host, **settings: object) -> Iterator[RecorderProcess]:
    """Record on a host's interface while the block runs."""
    config = PacketConfig.model_validate({"interface": host.interface, "memory_mib": 8, **settings})
    with host.entered():
        process = RecorderProcess.start(config)
    try:
        yield process
    finally:
        process.stop()


def exchange(client: Host, server: Host, rounds: int, *, v6: bool = False) -> tuple[int, int]:
    """Send requests over one connection, each answered by as many bytes; return both ports."""
    family = socket.AF_INET6 if v6 else socket.AF_INET
    address = server.address_v6 if v6 else server.address
    with server.entered():
        listener = socket.create_server((address, 0), family=family)
    with listener:
        thread = threading.Thread(target=_answer, args=(listener,))
        thread.start()
        with client.entered():
            connection = socket.create_connection((address, listener.getsockname()[1]))
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(rounds):
                connection.sendall(b"s" * REQUEST_BYTES)
                left = REQUEST_BYTES
                while left:
                    left -= len(connection.recv(left))
            ports = int(connection.getsockname()[1]), int(listener.getsockname()[1])
        thread.join()
    return ports


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while received := connection.recv(65536):
            connection.sendall(received)

"""I/O: real traffic on loopback, and a recorder that runs while a test needs it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig


@contextmanager
def echo_server(host: str = "127.0.0.1") -> Iterator[int]:
    """Serve one connection on a port of its own: what comes in goes back."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while received := connection.recv(65536):
                    connection.sendall(received)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(timeout=30)
        assert not thread.is_alive()


def talk(port: int, rounds: int, size: int, host: str = "127.0.0.1") -> int:
    """Send and receive `size` bytes `rounds` times on one connection; return the local port."""
    with socket.create_connection((host, port)) as client:
        for _ in range(rounds):
            client.sendall(b"s" * size)
            left = size
            while left:
                left -= len(client.recv(left))
        return int(client.getsockname()[1])


@contextmanager
def recorder(config: PacketConfig) -> Iterator[RecorderProcess]:
    """Record while the block runs."""
    process = RecorderProcess.start(config)
    try:
        yield process
    finally:
        process.stop()

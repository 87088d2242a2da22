"""I/O: `millworth up` as a command of its own, with the shipped settings, for benchmarks."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from collector.core.clock import SystemClock
from collector.core.errors import InputError
from collector.core.times import NS_PER_S

_START = "import sys; from dashboard.cli.main import main; main()"
_START_S_MAX = 120.0
_LOOK_S = 0.01
_SETTINGS = """[store]
url = "chdb://{directory}/store"
[collector]
grpc_port = {grpc}
http_port = {http}
[dashboard]
port = {pages}
"""
NO_PACKETS = "[packet]\nenabled = false\n"


@dataclass(frozen=True, slots=True)
class Served:
    """A service that is ready."""

    pid: int
    http_port: int  # of OTLP
    pages: str  # the address of its pages, without a path
    receives_s: float  # from the command until OTLP/HTTP answered
    ready_s: float  # ... and until /readyz was 200


@contextmanager
def served(directory: Path, more_settings: str = "") -> Iterator[Served]:
    """Yield a service over a directory, which may have served before; it is killed at the end.

    Raises:
        InputError: it did not become ready.
    """
    ports = {"grpc": _free_port(), "http": _free_port(), "pages": _free_port()}
    config = directory / "millworth.toml"
    config.write_text(_SETTINGS.format(directory=directory, **ports) + more_settings)
    command = [sys.executable, "-c", _START, "up", "--config", str(config)]
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    pages = f"http://127.0.0.1:{ports['pages']}"
    with (
        (directory / "lines").open("a") as lines,
        subprocess.Popen(command, stdout=lines, stderr=lines) as service,  # noqa: S603  ourselves
        httpx.Client(trust_env=False) as http,
    ):
        try:
            receives_s, ready_s = (
                (_answered_ns(http, url, clock, service) - began_ns) / NS_PER_S
                for url in (f"http://127.0.0.1:{ports['http']}", f"{pages}/readyz")
            )
            # A service is ready before its pages are loaded, and they have its metrics.
            _answered_ns(http, f"{pages}/metrics", clock, service)
            yield Served(service.pid, ports["http"], pages, receives_s, ready_s)
        finally:
            service.kill()


def _answered_ns(
    http: httpx.Client, url: str, clock: SystemClock, service: subprocess.Popen[bytes]
) -> int:
    """Return when a service answers at an address, with other than 503 for a path of its own."""
    deadline_ns = clock.monotonic_ns() + round(_START_S_MAX * NS_PER_S)
    while clock.monotonic_ns() < deadline_ns:
        try:
            if http.get(url).status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return clock.monotonic_ns()
        except httpx.TransportError:
            pass
        try:
            service.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        break
    raise InputError("bench: `millworth up` did not become ready in 120 s")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

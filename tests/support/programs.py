"""Programs of others that tests run beside the service, as Debian packages them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.support.tree import ROOT

START_S = 60
# Where `make install-test` unpacks them.
_UNPACKED = ROOT / ".venv" / "programs" / "usr"


def program(name: str) -> str:
    """Return the path of a program."""
    places = [shutil.which(name), *(str(_UNPACKED / part / name) for part in ("bin", "sbin"))]
    found = [place for place in places if place and Path(place).exists()]
    assert found, f"{name} is not here; `make install-test` unpacks it"
    return found[0]


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    """Return whether something happens in a time; it is asked ten times a second."""
    clock, pause = SystemClock(), threading.Event()
    until_ns = clock.monotonic_ns() + round(seconds * NS_PER_S)
    while not happens():
        if clock.monotonic_ns() > until_ns:
            return False
        pause.wait(0.1)
    return True


@contextmanager
def running(command: Sequence[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, yield it once it listens, and end it behind the test."""
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
    clock, pause = SystemClock(), threading.Event()
    until_ns = clock.monotonic_ns() + START_S * NS_PER_S
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text()
            assert clock.monotonic_ns() < until_ns, log.read_text()
            pause.wait(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=START_S)

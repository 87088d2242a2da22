"""What the service manager is told, over the sockets that systemd makes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.service.systemd import Supervisor
from dashboard.settings.settings import ServiceManager, service_manager
from tests.support.notified import WAIT_S, listening, waiting


def test_ready_and_stopping_are_said_each_in_one_datagram(tmp_path: Path) -> None:
    """systemd reads a datagram at a time, a line an assignment."""
    address = str(tmp_path / "notify")
    with listening(address) as manager:
        supervisor = Supervisor(ServiceManager(address, None))
        supervisor.ready("OTLP on ports 1 and 2")
        supervisor.stopping()
        assert manager.recv(4096) == b"READY=1\nSTATUS=OTLP on ports 1 and 2"
        assert manager.recv(4096).splitlines()[0] == b"STOPPING=1"


def test_abstract_socket_is_spoken_to() -> None:
    """Containers are given one of these, which begins with an at sign."""
    name = f"millworth-test-{os.getpid()}"
    with listening(f"\0{name}") as manager:
        Supervisor(ServiceManager(f"@{name}", None)).ready("up")
        assert manager.recv(4096) == b"READY=1\nSTATUS=up"


def watched(
    address: str, stalled: Callable[[], list[str]], stop: threading.Event
) -> threading.Thread:
    """Return a thread that watches until `stop`, at a small limit."""
    supervisor = Supervisor(ServiceManager(address, 0.02))
    thread = threading.Thread(target=supervisor.watch, args=(stop, stalled))
    thread.start()
    return thread


def test_watchdog_hears_from_us_until_something_stalls(tmp_path: Path) -> None:
    """A service that answers nobody and lives on is worse than one that is started anew."""
    address, stop = str(tmp_path / "notify"), threading.Event()
    dead: list[str] = []
    looks = threading.Semaphore(0)

    def stalled() -> list[str]:
        looks.release()
        return list(dead)

    with listening(address) as manager:
        thread = watched(address, stalled, stop)
        assert manager.recv(4096) == b"WATCHDOG=1"
        dead.append("dashboard")
        while looks.acquire(blocking=False):
            pass
        assert looks.acquire(timeout=WAIT_S)  # this look may have begun before
        assert looks.acquire(timeout=WAIT_S)
        waiting(manager)
        assert looks.acquire(timeout=WAIT_S)
        assert waiting(manager) == []
        stop.set()
        thread.join()


def test_service_manager_that_does_not_listen_stops_nobody(tmp_path: Path) -> None:
    """It was restarted, or the variable came from somewhere else."""
    Supervisor(ServiceManager(str(tmp_path / "nobody"), None)).ready("up")
    Supervisor(ServiceManager("", None)).ready("up")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ServiceManager("", None)),
        ({"NOTIFY_SOCKET": "/run/x"}, ServiceManager("/run/x", None)),
        ({"WATCHDOG_USEC": "60000000"}, ServiceManager("", 60.0)),
        ({"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}, ServiceManager("", None)),
        ({"WATCHDOG_USEC": "x"}, ServiceManager("", None)),
    ],
)
def test_environment_says_who_waits(environment: dict[str, str], expected: ServiceManager) -> None:
    """The watchdog of a parent is not ours."""
    assert service_manager(environment) == expected


def test_watchdog_of_this_process_is_taken() -> None:
    """systemd names the process that it waits for."""
    mine = {"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}
    assert service_manager(mine).watchdog_seconds == 0.5

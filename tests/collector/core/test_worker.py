"""Threads that go on after whatever ends their run, and each of the service's in its place."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import LogWriteError
from collector.core.http.server import BoundedServer
from collector.core.worker import Worker
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.wal.log import Budget, Log
from collector.write.writer import StoreWriter
from tests.conftest import ManualClock
from tests.support.collector.clients import WAIT_S
from tests.support.collector.server import BOUNDS, answer_at_once, read_all
from tests.support.collector.writer import Segments, frame_of, names

BROKEN = "a broken invariant\nof ours"


class Flaky:
    """A run that dies as often as it is told, then works until it is told to stop."""

    def __init__(self, deaths: int) -> None:
        self.left = deaths
        self.works = threading.Event()
        self.stop = threading.Event()

    def run(self) -> None:
        """Die, or work."""
        if self.left:
            self.left -= 1
            raise AssertionError(BROKEN)
        self.works.set()
        self.stop.wait()


def test_run_that_dies_is_begun_again_and_counted(clock: ManualClock) -> None:
    """A thread that is gone takes what it does with it, until somebody restarts the process."""
    flaky, counters = Flaky(deaths=3), Counters()
    worker = Worker("wal-traces", flaky.run, counters, clock)
    worker.start()

    assert flaky.works.wait(WAIT_S)
    assert worker.is_alive
    assert (worker.is_down, worker.deaths) == (False, 3)
    assert worker.last_error == "AssertionError: a broken invariant"
    assert counters.worker_deaths.labels("wal-traces")._value.get() == 3

    flaky.stop.set()
    worker.end()
    assert not worker.is_alive


def test_end_does_not_wait_for_a_pause_and_gives_one_last_run(clock: ManualClock) -> None:
    """What was taken before a stop is still written; what dies at that too is left."""
    flaky = Flaky(deaths=10**9)
    worker = Worker("wal-traces", flaky.run, Counters(), clock)
    worker.start()
    worker.end()

    assert not worker.is_alive
    assert worker.is_down


def test_worker_that_never_started_ends(clock: ManualClock) -> None:
    """A service whose start fails is stopped as a whole."""
    Worker("wal-traces", Flaky(0).run, Counters(), clock).end()


class BrokenDisk(Disk):
    """A disk at which something fails that nobody foresaw, once."""

    def __init__(self) -> None:
        self.is_broken = True

    def sync(self, descriptor: int) -> None:
        """Fail, or sync."""
        self._fail()
        super().sync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Fail, or sync."""
        self._fail()
        super().sync_directory(directory)

    def _fail(self) -> None:
        if self.is_broken:
            self.is_broken = False
            raise AssertionError(BROKEN)


def test_log_that_dies_answers_those_who_wait_and_writes_on(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A sender whom nobody answers hangs, and so does everyone after it."""
    counters, sealed = Counters(), list[Path]()
    budget = Budget(10_000, counters.wal_bytes, clock)
    log = Log(
        tmp_path,
        "traces",
        budget,
        clock,
        segment_bytes_max=1_000,
        segment_seconds_max=1.0,
        on_sealed=sealed.append,
        disk=BrokenDisk(),
        counters=counters,
    )
    lost, sealing = log.append(b"lost", 1), log.seal()
    log.start()
    with pytest.raises(LogWriteError, match=r"cannot be written in .*: AssertionError; free space"):
        lost.result(WAIT_S)
    sealing.result(WAIT_S)
    log.append(b"kept", 1).result(WAIT_S)
    log.close()

    assert log.worker.deaths == 1
    assert [b"kept" in segment.read_bytes() for segment in sealed] == [True]
    assert sorted(tmp_path.iterdir()) == sealed
    assert budget.used_bytes == sealed[0].stat().st_size


def test_writer_that_dies_stores_the_segment_once(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """What it had in hand is stored by its next run, under the same token."""
    made = Segments(tmp_path, clock)
    paths = [made.write("s", frame_of("a")), made.write("t", frame_of("b"))]
    writer = StoreWriter(
        Signal.TRACES, store, made.budget, made.counters, clock, Protection(), BrokenDisk()
    )
    for path in paths:
        writer.submit(path)
    writer.start()
    assert writer.drain(WAIT_S)
    writer.stop()

    assert writer.worker.deaths == 1
    assert names(store) == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


class BrokenClock(SystemClock):
    """A clock that fails once when it is told to."""

    is_broken = False

    def monotonic_ns(self) -> int:
        """Fail, or read the clock."""
        if self.is_broken:
            self.is_broken = False
            raise AssertionError(BROKEN)
        return super().monotonic_ns()


@pytest.mark.integration
def test_http_server_whose_loop_dies_answers_on_the_same_port() -> None:
    """The listener outlives the loop: what came in between waits in it."""
    clock = BrokenClock()
    listener = socket.create_server(("127.0.0.1", 0))
    server = BoundedServer(answer_at_once, listener, "test", BOUNDS, Counters(), clock)
    server.start()
    address = listener.getsockname()
    with socket.create_connection(address, timeout=WAIT_S) as torn:
        clock.is_broken = True
        assert read_all(torn) == b""  # its loop is gone
    with socket.create_connection(address, timeout=WAIT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    server.stop()

    assert server.worker.deaths == 1

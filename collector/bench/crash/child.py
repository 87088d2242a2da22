"""I/O: a collector in a process of its own that kills itself where it is told to.

    python -m collector.bench.crash.child DIRECTORY PLAN

It says on standard output, one JSON object a line, first its gRPC port, then what is in the store
once the log of its predecessor is. Nothing in the product knows about this: the collector is given
a clock, a disk, and a store that count how often they are used.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.summary import QuerySummary

from collector.bench.harness import prepare, say, start_collector
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.disk import Disk
from collector.core.log import configure
from collector.core.sql import sql
from collector.store.connect import Connections

STORED_COPIES = sql("stored_copies", __file__)
SUFFIX = ".segment"
# What an insert of a signal fills, itself or by its views.
_CHAIN = {
    "traces": ("otel_traces", "otel_traces_trace_id_ts", "otel_span_skeletons", "decisions"),
    "logs": ("otel_logs", "outcomes"),
}
_FLUSH_S = 60.0
# An insert takes some 50 ms, its tables get their parts a few apart.
_LOOK_S = 0.0005


class Point(StrEnum):
    """Where a collector is killed."""

    ANYWHERE = "anywhere"  # by the other process, at any instant
    RECEIVE = "receive"  # a request is being read, or waits for the log
    FSYNC = "fsync"  # it is written and not synced
    SYNCED = "synced"  # it is synced and not answered
    ROTATE = "rotate"  # a segment is made, and its directory is not synced
    INSERT = "insert"  # a segment is about to go in
    CHAIN = "chain"  # some tables behind the views have their rows, others do not
    COMMIT = "commit"  # a table has noted a part as in that has no name yet
    STORED = "stored"  # everything is in, and the segment is still there
    DELETE = "delete"  # the segment is deleted, and its directory is not synced
    MIGRATE = "migrate"  # between two statements, or within one


@dataclass(frozen=True, slots=True)
class Plan:
    """Where one collector ends."""

    point: Point
    nth: int  # time that it comes there; of CHAIN and COMMIT: tables that have their rows
    from_start: bool  # counted from the start, so that a replay is cut short too

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote."""
        point, nth, from_start = json.loads(text)
        return cls(Point(point), nth, from_start)

    def to_json(self) -> str:
        """Return the plan as one argument of a command."""
        return json.dumps([self.point, self.nth, self.from_start])


class Trap:
    """Ends the process at its plan's point, as kill -9 does."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._left = plan.nth
        self._lock = threading.Lock()
        self._is_armed = plan.from_start

    def arm(self) -> None:
        """Count from now on."""
        self._is_armed = True

    def reach(self, point: Point) -> None:
        """Return, unless this is where the process ends."""
        if not self._is_armed or point is not self._plan.point:
            return
        with self._lock:
            self._left -= 1
            if self._left <= 0:
                kill(os.getpid())

    def watch(self, tables: list[Path], inserted: threading.Event) -> None:
        """End the process once as many tables have new parts as the plan says."""
        if not self._is_armed or self._plan.point not in {Point.CHAIN, Point.COMMIT}:
            return
        before = [_parts(table) for table in tables]
        while not inserted.wait(_LOOK_S):
            new_parts = [_parts(table) - old for table, old in zip(tables, before, strict=True)]
            if sum(map(bool, new_parts)) < self._plan.nth:
                continue
            if self._plan.point is Point.COMMIT:
                _take_name(max(set().union(*new_parts), key=lambda part: part.stat().st_ctime_ns))
            kill(os.getpid())


class TrapClock(SystemClock):
    """A clock that knows when a receiver reads it: as a request is checked and as it is queued."""

    def __init__(self, trap: Trap) -> None:
        self._trap = trap

    def now_ns(self) -> int:
        """Return the time."""
        if threading.current_thread().name.startswith("otlp-grpc"):
            self._trap.reach(Point.RECEIVE)
        return super().now_ns()


class TrapDisk(Disk):
    """A disk that notes in a journal what it has synced, for `collector.bench.crash.power_cut`.

    A line is either the inode and size of a file or the names and inodes of the segments in the
    directory. The journal is never synced: it has to outlive this process, not the machine.
    """

    def __init__(self, trap: Trap, directory: Path) -> None:
        self._trap = trap
        self._wal = directory / "wal"
        self._kept = directory / "kept"
        self._kept.mkdir(exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._journal = os.open(directory / "journal", flags, 0o640)
        self._lock = threading.Lock()

    def sync(self, descriptor: int) -> None:
        """Sync a file, then note it: in the other order a kill would note what is not so."""
        self._trap.reach(Point.FSYNC)
        status = os.fstat(descriptor)
        super().sync(descriptor)
        self._note({"inode": status.st_ino, "size": status.st_size})
        self._trap.reach(Point.SYNCED)

    def sync_directory(self, directory: Path) -> None:
        """Sync a directory; what is in it is linked elsewhere too, so that it can come back."""
        if directory != self._wal:
            super().sync_directory(directory)
            return
        self._trap.reach(_directory_point())
        with self._lock:
            names = {}
            for path in sorted(directory.glob(f"*{SUFFIX}")):
                # A writer may delete it meanwhile; it was linked when it was made.
                with contextlib.suppress(FileNotFoundError):
                    names[path.name] = path.stat().st_ino
                    with contextlib.suppress(FileExistsError):
                        os.link(path, self._kept / path.name)
            super().sync_directory(directory)
            self._note({"names": names})

    def _note(self, line: dict[str, object]) -> None:
        os.write(self._journal, json.dumps(line).encode() + b"\n")


class TrapStore(Connections):
    """A store whose inserts and statements are counted."""

    def __init__(self, config: StoreConfig, trap: Trap) -> None:
        super().__init__(config)
        self._trap = trap
        self.tables: dict[str, list[Path]] = {}  # of each signal

    def client(self) -> Client:
        """Return this thread's connection."""
        return cast("Client", TrapClient(super().client(), self._trap, self.tables))


class TrapClient:
    """A connection, as far as a writer and a migration use it."""

    def __init__(self, client: Client, trap: Trap, tables: dict[str, list[Path]]) -> None:
        self._client = client
        self._trap = trap
        self._tables = tables

    def raw_insert(
        self, table: str, insert_block: bytes, fmt: str, settings: dict[str, Any]
    ) -> QuerySummary:
        """Insert bytes."""
        self._trap.reach(Point.INSERT)
        inserted = threading.Event()
        # Of the other signal an insert may be done, and its segment gone.
        tables = self._tables.get("logs" if "logs" in table else "traces", [])
        watcher = threading.Thread(target=self._trap.watch, args=(tables, inserted))
        watcher.start()
        try:
            summary = self._client.raw_insert(
                table, insert_block=insert_block, fmt=fmt, settings=settings
            )
        finally:
            inserted.set()
            watcher.join()
        self._trap.reach(Point.STORED)
        return summary

    def command(self, statement: str) -> object:
        """Run one statement."""
        self._trap.reach(Point.MIGRATE)
        return self._client.command(statement)

    def __getattr__(self, name: str) -> object:
        """Return what is not counted."""
        attribute: object = getattr(self._client, name)
        return attribute


def kill(pid: int) -> None:
    """End a process as the kernel does when memory is short: no handler runs."""
    os.kill(pid, signal.SIGKILL)


def main(directory: Path, plan: Plan) -> None:
    """Run the collector over a directory until it is killed."""
    configure("error")  # to standard error; standard output is for the other process
    trap = Trap(plan)
    clock = TrapClock(trap)
    store = TrapStore(StoreConfig(url=f"chdb://{directory / 'store'}"), trap)
    prepare(store)
    client = store.client()
    store.tables |= _data_paths(client)
    # Short segments, so that a round meets a rotation, an insert and a deletion.
    service = start_collector(
        store, directory / "wal", clock, TrapDisk(trap, directory), segment_seconds_max=0.02
    )
    say({"port": service.grpc_port})
    drained = service.flush(_FLUSH_S)
    copies = client.query(STORED_COPIES).result_rows
    say({"drained": drained, "copies": [list(row) for row in copies]})
    trap.arm()
    say({"armed": True})
    threading.Event().wait()


def _data_paths(client: Client) -> dict[str, list[Path]]:
    rows = client.query(
        "SELECT name, data_paths FROM system.tables WHERE database = currentDatabase()"
    ).result_rows
    return {
        signal: [Path(path) for name, paths in rows if name in names for path in paths]
        for signal, names in _CHAIN.items()
    }


def _parts(table: Path) -> set[Path]:
    """Return the parts that a table has; one that is still being written has another name."""
    return {path for path in table.iterdir() if path.name[0].isdigit()}


def _take_name(part: Path) -> None:
    """Put a part back to where it was before the engine gave it a name."""
    part.rename(part.with_name(f"tmp_insert_{part.name}"))


def _directory_point() -> Point:
    """Return what a directory is synced for, which the thread that does it says."""
    is_writer = threading.current_thread().name.startswith("writer")
    return Point.DELETE if is_writer else Point.ROTATE


if __name__ == "__main__":
    main(Path(sys.argv[1]), Plan.from_json(sys.argv[2]))

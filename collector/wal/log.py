"""I/O: the write-ahead log. A sender is answered after its request is synced to disk here.

One log a signal, one thread that writes it: it takes all that waits, writes it, syncs once and
answers everyone. Segments turn at a size or an age, small ones later, and are handed on;
`collector.write.writer` deletes them once the store has them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import Gauge

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import LogFullError, LogWriteError, RequestTooLargeError
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.core.worker import Worker
from collector.wal.drain_rate import DrainRate
from collector.wal.frames import frame_parts, request_crc, segment_created_ns
from collector.wal.receipts import Receipts
from collector.wal.segments import first_received_ns, write_all
from collector.wal.watermarks import Arrivals

_LOG = get_logger("collector")
_SUFFIX = ".segment"
# A log that could not be written is tried so often, and with at most so much.
_TRIAL_S = 1.0
_TRIAL_BYTES_MAX = 1024 * 1024


class Budget:
    """The bytes that all logs may hold together, from the answer until the store has them."""

    def __init__(self, bytes_max: int, gauge: Gauge, clock: Clock) -> None:
        self._bytes_max = bytes_max
        self._gauge = gauge
        self._drain_rate = DrainRate(clock)
        self._lock = threading.Lock()
        self._used_bytes = 0

    @property
    def used_bytes(self) -> int:
        """Return the bytes acknowledged, or about to be, and not yet in the store."""
        return self._used_bytes

    def reserve(self, count: int) -> None:
        """Take `count` bytes.

        Raises:
            LogFullError: that would be more than there may be.
            RequestTooLargeError: that is more than there may ever be.
        """
        if count > self._bytes_max:
            raise RequestTooLargeError(
                f"the request takes {count} bytes in the log, which may hold {self._bytes_max}; "
                "send smaller batches, or raise collector.wal_bytes_max"
            )
        with self._lock:
            if self._used_bytes + count > self._bytes_max:
                raise LogFullError(
                    f"the write-ahead log holds {self._used_bytes} of {self._bytes_max} bytes; the "
                    "store is behind: retry later"
                )
            self._add(count)

    def adopt(self, count: int) -> None:
        """Take bytes that are there already, however many."""
        with self._lock:
            self._add(count)

    def release(self, count: int) -> None:
        """Give bytes back that were never in the log."""
        with self._lock:
            self._add(-count)

    def drain(self, count: int, took_ns: int) -> None:
        """Give bytes back that the store has now, after so long."""
        with self._lock:
            self._drain_rate.note(count, took_ns)
            self._add(-count)

    def retry_seconds(self) -> int:
        """Return after how long a sender is welcome: when a tenth will be free, at this rate."""
        with self._lock:
            return self._drain_rate.seconds_for(self._used_bytes - self._bytes_max * 9 // 10)

    def _add(self, count: int) -> None:
        if self._used_bytes == 0:
            self._drain_rate.begin()
        self._used_bytes += count
        self._gauge.set(self._used_bytes)


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    opened_ns: int  # monotonic
    size: int = 0
    digests: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    frame: tuple[bytes, bytes, bytes]  # its parts
    size: int
    digest: bytes
    received_ns: int
    synced: Future[None]


class Log:
    """The log of one signal: append, group sync, rotate."""

    def __init__(
        self,
        directory: Path,
        name: str,
        budget: Budget,
        clock: Clock,
        *,
        segment_bytes_max: int,
        segment_seconds_max: float,
        segment_flush_bytes: int = sys.maxsize,
        on_sealed: Callable[[Path], None],
        disk: Disk | None = None,
        arrivals: Arrivals | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._directory = directory
        self._name = name
        self._budget = budget
        self._clock = clock
        self._segment_bytes_max = segment_bytes_max
        self._segment_ns_max = round(segment_seconds_max * NS_PER_S)
        self._flush_bytes = segment_flush_bytes
        self._on_sealed = on_sealed
        self._disk = disk or Disk()
        self._arrivals = arrivals or Arrivals(clock)
        self.receipts = Receipts(directory, name, clock, self._disk)
        self._ready = threading.Condition()
        self._waiting: deque[_Entry] = deque()
        self._seals: list[Future[None]] = []
        self._is_closing = False
        self._segment: _Segment | None = None
        self._made = 0
        self._newest_ns = 0
        self.fault = ""  # why it could not be written the last time, "" where it could
        self._failed_bytes = 0
        self.worker = Worker(f"wal-{name}", self._run, counters or Counters(), clock)

    def recover(self) -> list[Path]:
        """Return the segments of earlier runs, oldest first.

        Of those that were sealed only the ends of the first frame are read here: all would hold up
        the start for as long as the store was away. What stores them leaves torn tails out. Called
        once, before `start`.
        """
        segments = sorted(self._directory.glob(f"{self._name}-*{_SUFFIX}"))
        for path in segments:
            self._newest_ns = max(self._newest_ns, segment_created_ns(path))
            self._budget.adopt(path.stat().st_size)
            self._arrivals.recovered(path, first_received_ns(path), segment_created_ns(path))
        self.receipts.open(segments)
        return segments

    def start(self) -> None:
        """Start the thread that writes."""
        self.worker.start()

    @property
    def open_segment_ns(self) -> int | None:
        """Return the age of the open segment, None where none is open."""
        segment = self._segment
        return None if segment is None else self._clock.monotonic_ns() - segment.opened_ns

    @property
    def waiting_bytes(self) -> int:
        """Return the bytes that wait to be written."""
        with self._ready:
            return sum(entry.size for entry in self._waiting)

    def append(
        self,
        request: bytes,
        items: int,
        trace_id: str = "",
        digest: bytes = b"",
        synced: Future[None] | None = None,
        is_live: bool = True,
    ) -> Future[None]:
        """Queue one request; the future is done when it is on disk, or has a LogWriteError.

        Args:
            request: as it is stored.
            items: spans, log records or points in it.
            trace_id: an example of the request.
            digest: what a retry of it is known by.
            synced: the future, where somebody waits on it already.
            is_live: whether it comes from a sender, not out of a file.

        Raises:
            LogFullError: the log holds all it may; nothing was queued.
            RequestTooLargeError: it never fits; nothing was queued.
        """
        crc = request_crc(request, digest)
        with self._ready:
            if self._is_closing:
                raise LogFullError("the collector is stopping; retry against its successor")
            # In here: what lies behind another in the log came after it, over segments too, and
            # the first instant of a segment says how far a job may read.
            received_ns = self._arrivals.begin(trace_id, is_live=is_live)
            frame = frame_parts(request, received_ns, items, digest, crc)
            size = sum(map(len, frame))
            try:
                self._budget.reserve(size)
            except (LogFullError, RequestTooLargeError):
                self._arrivals.refused(received_ns)
                raise
            entry = _Entry(frame, size, digest, received_ns, synced or Future())
            self._waiting.append(entry)
            self._ready.notify()
        return entry.synced

    def seal(self) -> Future[None]:
        """Hand the open segment on now; the future is done when that is so."""
        sealed: Future[None] = Future()
        with self._ready:
            if self._is_closing:
                sealed.set_result(None)
                return sealed
            self._seals.append(sealed)
            self._ready.notify()
        return sealed

    def close(self) -> None:
        """Write what waits, hand the last segment on and end the thread."""
        with self._ready:
            self._is_closing = True
            self._ready.notify()
        self.worker.end()

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(self._has_work, timeout=self._seconds_left())
                entries = list(self._waiting)
                self._waiting.clear()
                seals, self._seals = self._seals, []
                is_closing = self._is_closing
            try:
                if self.fault and not (entries or is_closing):
                    self._try()
                self._write(entries)
                if seals or is_closing or self._is_due():
                    self._seal()
            except Exception as error:
                # Whoever begins again knows nothing of those who wait for an answer.
                self._give_up([entry for entry in entries if not entry.synced.done()], error)
                raise
            finally:
                for sealed in seals:
                    sealed.set_result(None)
            if is_closing:
                return

    def _has_work(self) -> bool:
        return bool(self._waiting or self._seals or self._is_closing)

    def _seconds_left(self) -> float | None:
        if self.fault:  # no request may come that would show that it can be written again
            return _TRIAL_S
        return None if self._segment is None else max(0.0, self._left_ns(self._segment) / NS_PER_S)

    def _left_ns(self, segment: _Segment) -> int:
        """Return after how long it is due; a trickle is later, since each insert has its price."""
        age_ns = self._clock.monotonic_ns() - segment.opened_ns
        is_stream = segment.size >= self._flush_bytes
        return (min(self._segment_ns_max, NS_PER_S) if is_stream else self._segment_ns_max) - age_ns

    def _is_due(self) -> bool:
        segment = self._segment
        return segment is not None and (
            segment.size >= self._segment_bytes_max or self._left_ns(segment) <= 0
        )

    def _write(self, entries: list[_Entry]) -> None:
        """Write and sync, a segment's worth at a time; answer each group as it is synced."""
        index = 0
        while index < len(entries):
            group: list[_Entry] = []
            size = self._segment.size if self._segment else 0
            while index < len(entries) and (not group or size < self._segment_bytes_max):
                group.append(entries[index])
                size += entries[index].size
                index += 1
            self._write_group(group)
            if size >= self._segment_bytes_max:
                self._seal()

    def _write_group(self, group: list[_Entry]) -> None:
        try:
            segment = self._segment or self._open()
            write_all(segment.descriptor, [part for entry in group for part in entry.frame])
            self._disk.sync(segment.descriptor)
        except OSError as error:
            self._give_up(group, error)
            return
        self.fault = ""
        segment.size += sum(entry.size for entry in group)
        segment.digests += [entry.digest for entry in group if entry.digest]
        self._arrivals.logged(segment.path, [entry.received_ns for entry in group])
        for entry in group:
            entry.synced.set_result(None)

    def _try(self) -> None:
        """Find out whether as much as was refused can be written now, to a file that is gone."""
        path = self._directory / f"{self._name}.trial"
        try:
            with path.open("wb") as file:
                path.unlink()
                file.write(bytes(min(self._failed_bytes, _TRIAL_BYTES_MAX)))
                file.flush()
                self._disk.sync(file.fileno())
        except OSError as error:
            self.fault = error.strerror or str(error)
        else:
            self.fault = ""

    def _give_up(self, group: list[_Entry], error: Exception) -> None:
        """Answer a group that could not be synced, and leave nothing of it in the segment.

        After a failed sync the state of the pages is unknown, so the segment is not written again.
        """
        _LOG.error("log_write_failed", log=self._name, requests=len(group), reason=str(error))
        if self._segment is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._segment.descriptor, self._segment.size)
            self._seal()
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        self._failed_bytes = sum(entry.size for entry in group)
        self.fault = why or str(error)
        reason = f"the write-ahead log cannot be written in {self._directory}: {why}"
        for entry in group:
            self._budget.release(entry.size)
            self._arrivals.refused(entry.received_ns)
            entry.synced.set_exception(LogWriteError(f"{reason}; free space or repair the disk"))

    def _open(self) -> _Segment:
        # Never a name twice, over restarts and clock steps too: it is the token by which the store
        # knows that it has a segment already. Nor one that sorts before an older segment: which of
        # those that are left was in hand at a crash, their order says.
        self._made += 1
        self._newest_ns = max(self._clock.now_ns(), self._newest_ns + 1)
        stem = f"{self._name}-{self._newest_ns:020d}-{self._made:06d}-{secrets.token_hex(4)}"
        path = self._directory / f"{stem}{_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        # Ours before anything can fail: what it holds is sealed or deleted then.
        self._segment = _Segment(path, descriptor, self._clock.monotonic_ns())
        self._disk.sync_directory(self._directory)
        return self._segment

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        with contextlib.suppress(OSError):
            os.close(segment.descriptor)  # what it holds is synced, and the descriptor is gone
        if segment.size == 0:
            with contextlib.suppress(OSError):
                segment.path.unlink()  # a next start finds nothing in it
            return
        self.receipts.save(segment.path, segment.digests)
        self._on_sealed(segment.path)

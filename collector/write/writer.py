"""I/O: segments of the log into the store, exactly once.

A segment goes in whole, as it lies on disk, under its own name as the token by which the store
knows it again; of a backlog several go in as one, under a name that `wal_groups` keeps for them.
They are deleted after the insert returned; after a crash the same bytes go in under the same token.
Only bytes that the store cannot parse are made anew and then divided, because such an insert stored
nothing; any other failure may have stored a part, and is retried with the same bytes and token
(measured: halves under new tokens stored 8 rows as 22).
"""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.clock import NS_PER_S, Clock
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import DecodeError, MillworthError, PermanentError, first_line
from collector.core.log import get_logger
from collector.core.worker import Worker
from collector.otlp.check import Signal, count_items, normalise
from collector.otlp.spans import is_scalar, unmarked
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.store.errors import explain, is_schema_damaged
from collector.wal.frames import TRAILER_BYTES, Frame, encode_frame, segment_created_ns
from collector.wal.groups import Batch, delete_batch, draft_group, fix_group
from collector.wal.log import Budget
from collector.wal.watermarks import Arrivals
from collector.write.insert_target import Entrance

_LOG = get_logger("collector")
_BACKOFF_S_MIN = 0.1
_BACKOFF_S_MAX = 10.0
# What one insert parses, which its memory grows with: as much as a segment has by default.
INSERT_BYTES_MAX = 16 * 1024 * 1024

# What ClickHouse says of bytes that it cannot parse (seen over 13,000 mutations): attempt to read
# after the end, cannot read all, bad arguments (a oneof twice), protobuf bad cast, unknown protobuf
# format. The codes mean other things elsewhere, so the reader has to be named as well.
_UNPARSABLE_CODES = frozenset({32, 33, 36, 436, 444})
_READER = "ProtobufRowInputFormat"
_CODE = re.compile(r"Code: (\d+)")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """Items of one signal since the start of this process."""

    stored: int
    quarantined: int


class _Unparsable(Exception):  # noqa: N818 - a verdict of the store, caught in this module
    pass


class _Stopped(Exception):  # noqa: N818 - not a failure: the segment stays for the next start
    pass


class StoreWriter:
    """The thread that brings the segments of one signal into the store, in order."""

    def __init__(
        self,
        signal: Signal,
        store: Connections,
        budget: Budget,
        counters: Counters,
        clock: Clock,
        protection: Protection,
        disk: Disk | None = None,
        arrivals: Arrivals | None = None,
        *,
        insert_bytes_max: int = INSERT_BYTES_MAX,
    ) -> None:
        self._signal = signal
        self._store = store
        self._budget = budget
        self._counters = counters
        self._clock = clock
        self._disk = disk or Disk()
        self._arrivals = arrivals or Arrivals(clock)
        self._entrance = Entrance.of(signal)
        self._scalar_entrance = Entrance.of(signal, scalar=True)
        self._protection = protection  # that of the log: what is quarantined is encrypted as it is
        self._ready = threading.Condition()
        self._segments: deque[Path] = deque()
        self._insert_bytes_max = insert_bytes_max
        self._batch: Batch | None = None  # in hand: tried again as it is until it is stored
        self._stop = threading.Event()
        self._stored = 0
        self._quarantined = 0
        self.worker = Worker(f"writer-{signal}", self._run, counters, clock)

    def start(self) -> None:
        """Start the thread."""
        self.worker.start()

    def submit(self, segment: Path) -> None:
        """Queue a sealed segment."""
        with self._ready:
            self._segments.append(segment)
            self._ready.notify_all()

    def recover(self, segments: Sequence[Path], group: Batch | None) -> None:
        """Queue what an earlier run left; called once, before `start`.

        Args:
            segments: all of them, oldest first.
            group: what that run had in hand, where it was more than one; else that was the oldest,
                which may be in the store already under its own name.
        """
        if group is None and segments:
            group = Batch.alone(segments[0])
        in_hand = () if group is None else group.segments
        with self._ready:
            self._batch = group
            self._segments.extend([*in_hand, *(one for one in segments if one not in in_hand)])

    def drain(self, seconds_max: float) -> bool:
        """Wait until everything submitted is in the store; return whether it is."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._segments, timeout=seconds_max)

    def stop(self) -> None:
        """End the thread after the insert that is under way; what is left stays on disk."""
        self._stop.set()
        with self._ready:
            self._ready.notify_all()
        self.worker.end()

    def figures(self) -> Stored:
        """Return what was stored and quarantined so far."""
        return Stored(self._stored, self._quarantined)

    def _run(self) -> None:
        try:
            while True:
                with self._ready:
                    self._ready.wait_for(lambda: self._segments or self._stop.is_set())
                    if self._stop.is_set():
                        return
                    waiting = list(self._segments)
                if self._batch is None:
                    self._batch = self._next_batch(waiting)
                self._store_batch(self._batch)
                with self._ready:
                    for segment in self._batch.segments:
                        self._arrivals.stored(segment)
                        self._segments.popleft()
                    self._batch = None
                    self._ready.notify_all()
        except _Stopped:
            return
        finally:
            self._store.close()

    def _next_batch(self, waiting: Sequence[Path]) -> Batch:
        """Return the oldest segments that make one insert together: the order stays as it came."""
        size, together = 0, list[Path]()
        for segment in waiting:
            with suppress(FileNotFoundError):  # told where it is read
                size += segment.stat().st_size
            if together and size > self._insert_bytes_max:
                break
            together.append(segment)
        if len(together) == 1:
            return Batch.alone(together[0])
        try:
            draft = draft_group(together, self._disk)
        except OSError:
            return Batch.alone(together[0])  # no room to write it down: one by one makes some
        return self._persist(lambda: fix_group(draft, together, self._disk))

    def _read(self, batch: Batch) -> tuple[bytes, list[Frame], int]:
        """Return the content of a batch, its frames, and how many bytes the log holds of it.

        The same of the same files, whatever a crash has put behind their last frame.
        """
        parts, frames, at, held_bytes = list[bytes](), list[Frame](), 0, 0
        for path in batch.segments:
            try:
                content = self._persist(path.read_bytes)
            except FileNotFoundError:
                # Waiting does not bring it back, and those behind it have their answers too.
                _LOG.error("segment_missing", segment=path.name)
                continue
            held_bytes += len(content)
            content, found, torn_bytes = self._protection.plain_segment(self._signal, content)
            if torn_bytes:
                _LOG.warning("log_tail_torn", segment=path.name, bytes=torn_bytes)
            frames += [frame.moved(at) for frame in found] if at else found
            end = found[-1].end if found else 0
            parts.append(content[:end])
            at += end
        return b"".join(parts), frames, held_bytes

    def _store_batch(self, batch: Batch) -> None:
        path = batch.path
        begun_ns = self._clock.monotonic_ns()
        content, frames, held_bytes = self._read(batch)
        intact = [frame for frame in frames if frame.is_intact]
        for frame in frames:
            if not frame.is_intact:
                self._reject(path, content, frame, "frame_damaged", "the CRC does not match")
        started_ns = self._clock.monotonic_ns()
        for entrance, part in self._by_entrance(content, intact):
            self._store_frames(path, content, part, entrance, path.name + entrance.token_suffix)
        self._counters.insert_seconds.labels(self._signal).observe(
            (self._clock.monotonic_ns() - started_ns) / NS_PER_S,
            self._arrivals.example(batch.segments[0]),
        )
        self._persist(lambda: delete_batch(batch, self._disk))
        self._budget.drain(held_bytes, self._clock.monotonic_ns() - begun_ns)

    def _by_entrance(
        self, content: bytes, frames: Sequence[Frame]
    ) -> Iterator[tuple[Entrance, Sequence[Frame]]]:
        """Yield frames by where they go in: their bytes say so, to a replay as well."""
        if self._signal is not Signal.TRACES:
            yield self._entrance, frames
            return
        scalar = [
            frame for frame in frames if is_scalar(content, frame.body, frame.end - TRAILER_BYTES)
        ]
        yield self._scalar_entrance, scalar
        if len(scalar) < len(frames):
            others = set(frames).difference(scalar)
            yield self._entrance, [frame for frame in frames if frame in others]

    def _store_frames(
        self,
        path: Path,
        content: bytes,
        frames: Sequence[Frame],
        entrance: Entrance,
        token: str,
    ) -> None:
        """Insert frames as they are, or else in the store's own reading of Protobuf."""
        if not frames:
            return
        try:
            self._insert(b"".join(content[f.start : f.end] for f in frames), entrance, token)
        except _Unparsable:
            self._store_normalised(path, content, frames)
        else:
            self._count_stored(sum(frame.items for frame in frames))

    def _store_normalised(self, path: Path, content: bytes, frames: Sequence[Frame]) -> None:
        """Insert frames made anew, dividing them as long as the store cannot parse them.

        All at once at first, because made anew nearly everything can be parsed: to look for the
        offenders first takes an insert a step to each, and one hostile sender held up everyone's
        data for minutes.
        """
        try:
            block = b"".join(
                encode_frame(
                    normalise(self._signal, frame.request(content)), frame.received_ns, frame.items
                )
                for frame in frames
            )
            self._insert(block, self._entrance, f"{_token(path, frames)}:normalised")
        except (_Unparsable, DecodeError) as error:
            if len(frames) == 1:
                self._reject(path, content, frames[0], "unparsable", str(error))
                return
            middle = len(frames) // 2
            for half in (frames[:middle], frames[middle:]):
                self._store_normalised(path, content, half)
        else:
            self._count_stored(sum(frame.items for frame in frames))

    def _reject(
        self, path: Path, content: bytes, frame: Frame, reason_code: str, reason: str
    ) -> None:
        request = frame.request(content)
        if self._signal is Signal.TRACES:
            request = unmarked(request)
        items = frame.items or count_items(self._signal, request)
        row = {
            "received_ns": frame.received_ns or segment_created_ns(path) or self._clock.now_ns(),
            "signal": str(self._signal),
            "reason_code": reason_code,
            "detail": f"{reason}; the bytes are kept here, report them with this text",
            "item_id": f"{path.stem}:{frame.start}",
            "item_count": items,
            "bytes": self._protection.seal_rejected(f"{path.stem}:{frame.start}", request),
        }
        settings = {"insert_deduplication_token": f"{_token(path, [frame])}:rejected"}

        def insert(client: Client) -> None:
            client.insert(
                "rejected", [list(row.values())], column_names=list(row), settings=settings
            )

        self._retry(insert)
        _LOG.warning("request_quarantined", item=row["item_id"], items=items, reason=reason_code)
        self._counters.quarantined.labels(self._signal, reason_code).inc(items)
        self._quarantined += items

    def _insert(self, block: bytes, entrance: Entrance, token: str) -> None:
        settings = {**entrance.settings, "insert_deduplication_token": token}

        def insert(client: Client) -> None:
            client.raw_insert(entrance.table, insert_block=block, fmt="Protobuf", settings=settings)

        self._retry(insert)

    def _retry(self, insert: Callable[[Client], None]) -> None:
        """Call `insert` until it returns.

        Raises:
            _Unparsable: the store cannot parse the bytes; it has stored nothing of them.
            _Stopped: the service is stopping.
        """
        backoff_s = _BACKOFF_S_MIN
        while True:
            try:
                insert(self._store.client())
            except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
                if is_schema_damaged(error):
                    self._forget_schemas()
                elif is_unparsable(error):
                    raise _Unparsable(first_line(error)) from error
                # Tried again in any case: what was acknowledged is not given up.
                failure = explain(error, self._store.config.place)
                log = _LOG.error if isinstance(failure, PermanentError) else _LOG.warning
                log("insert_failed", signal=str(self._signal), reason=first_line(failure))
                backoff_s = self._back_off(backoff_s, error)
            else:
                return

    def _forget_schemas(self) -> None:
        """Let the engine write its copies of the schemas anew; if it cannot, it is asked again."""
        try:
            self._store.client().command("SYSTEM DROP FORMAT SCHEMA CACHE")
        except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
            _LOG.warning("schemas_not_forgotten", reason=first_line(error))

    def _persist(self, step: Callable[[], _T]) -> _T:
        """Call `step`, which uses the disk, until it returns.

        Raises:
            FileNotFoundError: the file is gone.
            _Stopped: the service is stopping.
        """
        backoff_s = _BACKOFF_S_MIN
        while True:
            try:
                return step()
            except FileNotFoundError:
                raise
            except OSError as error:
                _LOG.warning("segment_failed", signal=str(self._signal), reason=first_line(error))
                backoff_s = self._back_off(backoff_s, error)

    def _back_off(self, seconds: float, error: Exception) -> float:
        """Wait, and return how long to wait next time."""
        if self._stop.wait(seconds * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
            raise _Stopped from error
        return min(2 * seconds, _BACKOFF_S_MAX)

    def _count_stored(self, items: int) -> None:
        self._counters.stored.labels(self._signal).inc(items)
        self._stored += items


def is_unparsable(error: Exception) -> bool:
    """Return whether the store says that it cannot parse the bytes, whoever asks again."""
    text = str(error)
    match = _CODE.search(text)
    return match is not None and int(match[1]) in _UNPARSABLE_CODES and _READER in text


def _token(path: Path, frames: Sequence[Frame]) -> str:
    # From the offsets alone, so that a replay divides the same way under the same names.
    return f"{path.name}:{frames[0].start}-{frames[-1].end}"

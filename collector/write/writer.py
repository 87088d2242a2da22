"""I/O: segments of the log into the store, exactly once.

A segment goes in whole, under its own name as the token by which the store knows it again; of a
backlog several go in as one, under a name that `collector.wal.groups` keeps for them. Spans and log
records go in as blocks that the compiled module makes, where there is one
(`collector.otlp.native`).
They are deleted after the insert returned; after a crash the same bytes go in under the same token.
Only bytes that the store cannot parse are made anew and then divided, because such an insert stored
nothing; any other failure may have stored a part, and is retried with the same bytes and token
(measured: halves under new tokens stored 8 rows as 22).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import DecodeError
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.core.worker import Worker
from collector.otlp.check import Signal, count_items, normalise
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.wal.frames import Frame, encode_frame, segment_created_ns
from collector.wal.groups import Batch, delete_batch, draft_group, fix_group
from collector.wal.log import Budget
from collector.wal.watermarks import Arrivals
from collector.write.blocks import BlockReader
from collector.write.delays import Delays
from collector.write.insert_target import BLOCK_SETTINGS, TABLES, insert_settings
from collector.write.last_reader import LastReader, complete, has_rows
from collector.write.reading import as_protobuf
from collector.write.retries import Retries, Stopped, Unparsable

_LOG = get_logger("collector")
# What one insert parses, which its memory grows with: as much as a segment has by default.
INSERT_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """Items of one signal since the start of this process."""

    stored: int
    quarantined: int


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
        blocks: BlockReader | None = None,
        last_reader: LastReader | None = None,
        delays: Delays | None = None,
        insert_bytes_max: int = INSERT_BYTES_MAX,
    ) -> None:
        self._signal = signal
        self._store = store
        self._budget = budget
        self._counters = counters
        self._clock = clock
        self._disk = disk or Disk()
        self._arrivals = arrivals or Arrivals(clock)
        self._settings = insert_settings(signal)
        self._blocks = blocks  # None: the store's reader takes the requests
        self._last_reader = last_reader
        self._delays = delays  # None: whoever reads by arrival waits for what is not stored
        self._is_in_other_hand = False  # what is in hand came another way before, and may be in
        self._protection = protection  # that of the log: what is quarantined is encrypted as it is
        self._ready = threading.Condition()
        self._segments: deque[Path] = deque()
        self._insert_bytes_max = insert_bytes_max
        self._batch: Batch | None = None  # in hand: tried again as it is until it is stored
        self._stop = threading.Event()
        self._retries = Retries(signal, store, self._stop)
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
        if self._last_reader is not None:
            self._is_in_other_hand = group is not None and not self._last_reader.is_ours()
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
        except Stopped:
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
        return self._retries.persist(lambda: fix_group(draft, together, self._disk))

    def _read(self, batch: Batch) -> tuple[bytes, list[Frame], int]:
        """Return the content of a batch, its frames, and how many bytes the log holds of it.

        The same of the same files, whatever a crash has put behind their last frame.
        """
        parts, frames, offset, held_bytes = list[bytes](), list[Frame](), 0, 0
        for path in batch.segments:
            try:
                content = self._retries.persist(path.read_bytes)
            except FileNotFoundError:
                # Waiting does not bring it back, and those behind it have their answers too.
                _LOG.error("segment_missing", segment=path.name)
                continue
            held_bytes += len(content)
            content, plain, torn_bytes = self._protection.plain_segment(self._signal, content)
            if torn_bytes:
                _LOG.warning("log_tail_torn", segment=path.name, bytes=torn_bytes)
            frames += [frame.moved(offset) for frame in plain] if offset else plain
            end = plain[-1].end if plain else 0
            parts.append(content[:end])
            offset += end
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
        if self._is_in_other_hand:
            self._store_other(path, content, intact)
            self._note_reader()
            self._is_in_other_hand = False
        else:
            self._note_reader()
            self._store_intact(path, content, intact)
        self._counters.insert_seconds.labels(self._signal).observe(
            (self._clock.monotonic_ns() - started_ns) / NS_PER_S,
            self._arrivals.example(batch.segments[0]),
        )
        if self._delays is not None:
            self._delays.note(self._signal, intact, self._retries, path.name)
        self._retries.persist(lambda: delete_batch(batch, self._disk))
        self._budget.drain(held_bytes, self._clock.monotonic_ns() - begun_ns)

    def _note_reader(self) -> None:
        if self._last_reader is not None:
            self._retries.persist(self._last_reader.note)

    def _store_other(self, path: Path, content: bytes, frames: Sequence[Frame]) -> None:
        """Insert what the other reader had in hand, so that the store knows what it has of it."""
        if self._blocks is None and self._retries.call(
            lambda client: has_rows(client, self._signal, frames)
        ):
            self._retries.call(lambda client: complete(client, self._signal, frames))
        else:
            self._store_frames(path, content, frames)

    def _store_intact(self, path: Path, content: bytes, frames: Sequence[Frame]) -> None:
        """Insert frames as blocks where there is a reader of them, else as they are."""
        blocks = self._blocks
        if blocks is None or not frames:
            self._store_frames(path, content, frames)
            return
        try:
            read = self._retries.call(lambda client: blocks(client, content, frames))
            for each in read.inserts:
                if each.rows:
                    self._retries.insert(
                        each.table, each.block, "Native", BLOCK_SETTINGS, path.name
                    )
        except (OverflowError, Unparsable) as error:
            # A small request whose every item repeats a large resource; the store has limits too.
            _LOG.warning("not_in_blocks", segment=path.name, reason=str(error))
            self._store_frames(path, content, frames)
            return
        for frame, reason in read.refused:
            self._reject(path, content, frame, "unparsable", reason)
        self._count_stored(sum(frame.items for frame in read.frames))

    def _store_frames(self, path: Path, content: bytes, frames: Sequence[Frame]) -> None:
        """Insert frames as they are, or else in the store's own reading of Protobuf."""
        if not frames:
            return
        try:
            self._insert_requests(as_protobuf(self._signal, content, frames), path.name)
        except Unparsable:
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
            self._insert_requests(block, f"{_token(path, frames)}:normalised")
        except (Unparsable, DecodeError) as error:
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

        self._retries.call(insert)
        _LOG.warning("request_quarantined", item=row["item_id"], items=items, reason=reason_code)
        self._counters.quarantined.labels(self._signal, reason_code).inc(items)
        self._quarantined += items

    def _insert_requests(self, block: bytes, token: str) -> None:
        self._retries.insert(TABLES[self._signal], block, "Protobuf", self._settings, token)

    def _count_stored(self, items: int) -> None:
        self._counters.stored.labels(self._signal).inc(items)
        self._stored += items


def _token(path: Path, frames: Sequence[Frame]) -> str:
    # From the offsets alone, so that a replay divides the same way under the same names.
    return f"{path.name}:{frames[0].start}-{frames[-1].end}"

"""I/O: which requests were taken already, so that a sender's retry is not stored again.

A sender that hears no answer sends the same bytes again: after 5 s, for five minutes, as agents
do. What was taken is known by a digest of its bytes. It lies in the request's frame in the log,
from before the answer, and goes into a file beside the log when the segment is sealed, so that it
outlives the segment and the process.

    traces.receipts       blocks of digests, one of each segment
    traces.receipts.old   those before; replaced when the younger file has reached its bound
    receipts.key          what digests are made with: whoever lacks it cannot make two requests
                          alike, or tell from a digest what was in one
"""

from __future__ import annotations

import os
import secrets
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import Message

from collector.core.clock import Clock
from collector.core.disk import Disk
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE
from collector.wal.frames import (
    DIGEST_BYTES,
    NO_DIGEST,
    has_digest,
    scan,
    segment_created_ns,
)

_LOG = get_logger("collector")
_KEY_FILE = "receipts.key"
_KEY_BYTES = 16
_NONCE_BYTES = 12
# Go's collector and Rotel give a request up after 300 s of retries, SDKs sooner.
WINDOW_NS = 10 * NS_PER_MINUTE
# 218 requests a second for the window; at 100 bytes each, of a signal at most 26 MB in the two.
KEPT_MAX = 131_072
_HEAD = struct.Struct("<IQI")  # CRC-32 of the rest, when the segment was begun, how many digests
_CRC_BYTES = 4
_UNSAVED_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender is told once `synced` is done; not before."""

    answer: Message
    synced: Future[None]  # fails with LogFullError or LogWriteError


@dataclass(slots=True)
class _Generation:
    begun_ns: int  # monotonic
    newest_ns: int
    answers: dict[bytes, Message] = field(default_factory=dict)


class Receipts:
    """The requests of one signal that are in the log, or were within the window."""

    def __init__(
        self, directory: Path, name: str, clock: Clock, disk: Disk, kept_max: int = KEPT_MAX
    ) -> None:
        self._directory = directory
        self._path = directory / f"{name}.receipts"
        self._old_path = directory / f"{name}.receipts.old"
        self._nonce = name.encode().ljust(_NONCE_BYTES, b"\0")
        self._clock = clock
        self._disk = disk
        self._kept_max = kept_max
        self._hash = AESGCM(secrets.token_bytes(_KEY_BYTES))
        self._lock = threading.Lock()
        self._under_way: dict[bytes, Receipt] = {}
        now_ns = clock.monotonic_ns()
        self._old = _Generation(now_ns, now_ns)
        self._young = _Generation(now_ns, now_ns)
        self._earlier: set[bytes] = set()
        self._opened_ns = now_ns
        self._unsaved: deque[bytes] = deque(maxlen=_UNSAVED_MAX)

    def digest(self, request: bytes) -> bytes:
        """Return what a request is known by."""
        # The tag of AES-GCM over bytes that are not encrypted: 11 us for 200 kB, SHA-256 takes 175.
        # One nonce will do, as nobody outside sees a tag.
        return self._hash.encrypt(self._nonce, b"", request)

    def find(self, digest: bytes) -> Receipt | None:
        """Return the receipt of a request that this run took, or is taking."""
        receipt = self._under_way.get(digest)
        if receipt is not None:
            return receipt
        now_ns = self._clock.monotonic_ns()
        for generation in (self._young, self._old):
            answer = generation.answers.get(digest)
            if answer is not None and now_ns - generation.newest_ns <= WINDOW_NS:
                return Receipt(answer, logged())
        return None

    def is_earlier(self, digest: bytes) -> bool:
        """Return whether an earlier run took a request; what it answered is not known."""
        return digest in self._earlier

    def claim(self, digest: bytes, answer: Message) -> tuple[Receipt, bool]:
        """Return the receipt of a request, and whether the caller is who has to log it."""
        with self._lock:
            receipt_before = self.find(digest)
            if receipt_before is not None:
                return receipt_before, False
            receipt = self._under_way[digest] = Receipt(answer, Future())
        receipt.synced.add_done_callback(lambda synced: self._settle(digest, synced))
        return receipt, True

    def open(self, segments: Sequence[Path]) -> None:
        """Learn what earlier runs took; called once, before any request.

        What they took counts from now on, as a sender cannot try again while the service is away.

        Args:
            segments: what is left of the log, oldest first. Those that were not sealed are read,
                one as a rule.
        """
        self._opened_ns = self._clock.monotonic_ns()
        try:
            self._hash = AESGCM(self._key())
            saved = self._load(self._old_path) | self._load(self._path)
            self._recover([path for path in segments if segment_created_ns(path) not in saved])
        except OSError as error:
            # Without them retries are stored again, and nothing is lost.
            _LOG.warning("receipts_not_read", log=self._path.stem, reason=str(error))

    def save(self, segment: Path, digests: Sequence[bytes]) -> None:
        """Keep the digests of a segment that is sealed; the thread that writes the log calls."""
        if not digests:
            return
        to_save = [digest for digest in digests if digest != NO_DIGEST]
        block = _HEAD.pack(0, segment_created_ns(segment), len(to_save)) + b"".join(to_save)
        block = zlib.crc32(block[_CRC_BYTES:]).to_bytes(_CRC_BYTES, "little") + block[_CRC_BYTES:]
        self._unsaved.append(block)
        try:
            self._turn()
            self._append(b"".join(self._unsaved))
        except OSError as error:
            _LOG.warning("receipts_not_saved", log=self._path.stem, reason=str(error))
        else:
            self._unsaved.clear()

    def _settle(self, digest: bytes, synced: Future[None]) -> None:
        with self._lock:
            receipt = self._under_way.pop(digest)
            if synced.exception() is None:
                self._young.answers[digest] = receipt.answer
                self._young.newest_ns = self._clock.monotonic_ns()

    def _turn(self) -> None:
        """Begin a new generation, and a new file, where this one is full or old."""
        now_ns = self._clock.monotonic_ns()
        is_old = now_ns - self._young.begun_ns >= WINDOW_NS
        saved = self._path.stat().st_size // DIGEST_BYTES if self._path.exists() else 0
        if not is_old and max(saved, len(self._young.answers)) < self._kept_max:
            return
        with self._lock:
            self._old, self._young = self._young, _Generation(now_ns, now_ns)
            if now_ns - self._opened_ns >= WINDOW_NS:
                self._earlier = set()
        if saved:
            self._path.replace(self._old_path)

    def _append(self, content: bytes) -> None:
        is_new = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            self._disk.sync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)  # what follows a torn block is not read
            raise
        finally:
            os.close(descriptor)
        if is_new:
            self._disk.sync_directory(self._directory)

    def _load(self, path: Path) -> set[int]:
        """Read a file; return when each of its segments was begun, by which they are known."""
        content = path.read_bytes() if path.exists() else b""
        saved, offset = set[int](), 0
        for end, created_ns, digests in _blocks(content):
            self._earlier.update(digests)
            saved.add(created_ns)
            offset = end
        if offset < len(content):
            os.truncate(path, offset)
        return saved

    def _recover(self, segments: Sequence[Path]) -> None:
        """Read the newest of the segments whose digests were not saved."""
        unsaved: list[tuple[Path, list[bytes]]] = []
        for path in reversed(segments):
            with path.open("rb") as file:
                if not has_digest(file.read(64)):
                    continue
                file.seek(0)
                # Of what a power cut takes back nobody may be told that it is here.
                self._disk.sync(file.fileno())
                digests = [frame.digest for frame in scan(file.read()).frames if frame.digest]
            self._earlier.update(digest for digest in digests if digest != NO_DIGEST)
            unsaved.append((path, digests))
            if len(self._earlier) >= 2 * self._kept_max:
                break
        for path, digests in reversed(unsaved):
            self.save(path, digests)

    def _key(self) -> bytes:
        path = self._directory / _KEY_FILE
        if path.exists() and len(key := path.read_bytes()) == _KEY_BYTES:
            return key
        key = secrets.token_bytes(_KEY_BYTES)
        path.unlink(missing_ok=True)
        # Not synced: a power cut that takes it costs what was known, and no more.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        return key


def logged() -> Future[None]:
    """Return the future of a request that is on disk, or that leaves nothing to be put there."""
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _blocks(content: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield where each whole block ends, when its segment was begun, and its digests."""
    offset = 0
    while offset + _HEAD.size <= len(content):
        crc, created_ns, count = _HEAD.unpack_from(content, offset)
        end = offset + _HEAD.size + count * DIGEST_BYTES
        if end > len(content) or zlib.crc32(memoryview(content)[offset + _CRC_BYTES : end]) != crc:
            return
        starts = range(offset + _HEAD.size, end, DIGEST_BYTES)
        yield end, created_ns, [content[start : start + DIGEST_BYTES] for start in starts]
        offset = end

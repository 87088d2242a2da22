"""I/O: capture files, read part by part: pcap and pcapng, also compressed with gzip."""

from __future__ import annotations

import gzip
import io
import mmap
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from collector.core.errors import InputError
from packet.decode.columns import I64, U8, Mask, PacketColumns, concat_columns
from packet.decode.decode import decode
from packet.decode.fragments import Fragments
from packet.decode.frames import PCAP_HEADER_BYTES, PcapParser
from packet.decode.record_starts import Searchable
from packet.files.pcapng import SECTION_HEAD_BYTES, SECTION_MAGIC, FrameGroup, PcapngParser

_GZIP_MAGIC = b"\x1f\x8b"
# What is decoded together; a block of packets is made of several parts.
_BYTES_A_PART: Final = 64 * 1024 * 1024
_FRAME_BYTES_MIN: Final = 64  # of a frame with its record, about
PACKETS_A_BLOCK: Final = 1 << 20  # about 150 MB of columns
_INFLATED_A_PART = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class PacketBlock:
    """Packets of a file that follow each other, and what the rest of its frames were."""

    columns: PacketColumns
    numbers: I64  # 1-based over all frames of the file, as Wireshark counts
    is_partial: Mask  # no more than the ports of a packet can be trusted


@dataclass(slots=True)
class FileReport:
    """What was found beside packets; complete when the file has been read."""

    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)  # frames by reason
    unread_bytes: int = 0  # at the end: cut off, or behind a length that lies


@dataclass(slots=True)
class CaptureFile:
    """A capture file that can be read more than once; what a pipe brought is held for that."""

    path: Path
    _piped: bytes | None = None

    def blocks(
        self,
        report: FileReport,
        progress: Callable[[int], None] = lambda _: None,
        packets_max: int = PACKETS_A_BLOCK,
    ) -> Iterator[PacketBlock]:
        """Read the file from its beginning, and count into `report`.

        Args:
            report: an empty one.
            progress: is told the bytes of the file read so far.
            packets_max: of a block, about.

        Raises:
            InputError: the file cannot be read.
            DecodeError: it is no capture file.
        """
        fragments, pending, count = Fragments(), list[PacketBlock](), 0
        part_bytes = min(_BYTES_A_PART, packets_max * _FRAME_BYTES_MIN)
        for groups in self._parts(report, progress, part_bytes):
            block = _decoded(groups, fragments, report)
            pending.append(block)
            count += len(block.columns)
            if count >= packets_max:
                yield _joined(pending)
                pending, count = [], 0
        if pending:
            yield _joined(pending)

    def _parts(
        self, report: FileReport, progress: Callable[[int], None], part_bytes: int
    ) -> Iterator[list[FrameGroup]]:
        try:
            with self._open() as file:
                if file.read(2) == _GZIP_MAGIC:
                    yield from _compressed(file, report, progress, part_bytes)
                else:
                    yield from _mapped(file, report, progress, part_bytes)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}") from error

    def _open(self) -> BinaryIO:
        if self._piped is not None:
            return io.BytesIO(self._piped)
        file = self.path.open("rb")
        if file.seekable():
            return file
        with file:
            self._piped = file.read()
        return io.BytesIO(self._piped)


class _Records:
    """Either kind of file, as groups of frames; frames are counted through the file."""

    def __init__(self, head: bytes, part_bytes: int) -> None:
        self._part_bytes = part_bytes
        self._pcapng = (
            PcapngParser(head[:SECTION_HEAD_BYTES]) if head[:4] == SECTION_MAGIC else None
        )
        self._pcap = None if self._pcapng else PcapParser(head[:PCAP_HEADER_BYTES])
        self.begin = 0 if self._pcapng else PCAP_HEADER_BYTES
        self._count = 0

    def parse(self, data: Searchable, buffer: U8, offset: int) -> tuple[list[FrameGroup], int]:
        """Return some of the frames from `offset` on, and where the next one begins."""
        if self._pcapng is not None:
            return self._pcapng.parse(data, buffer, offset, self._part_bytes // _FRAME_BYTES_MIN)
        assert self._pcap is not None
        frames, offset = self._pcap.parse(data, buffer, offset, self._part_bytes)
        numbers = np.arange(self._count + 1, self._count + len(frames) + 1)
        self._count += len(frames)
        return [FrameGroup(frames, numbers)], offset


def _mapped(
    file: BinaryIO, report: FileReport, progress: Callable[[int], None], part_bytes: int
) -> Iterator[list[FrameGroup]]:
    file.seek(0)
    head = file.read(PCAP_HEADER_BYTES)
    records = _Records(head, part_bytes)
    with _map(file) as data:
        buffer = np.frombuffer(data, np.uint8)
        offset = records.begin
        while True:
            groups, end = records.parse(data, buffer, offset)
            if end == offset:
                break
            offset = end
            yield groups
            progress(offset)
            del groups  # they hold the buffer
            _let_go(data, offset)
        report.unread_bytes = len(data) - offset
        del buffer


def _let_go(data: mmap.mmap | bytes, until: int) -> None:
    """Give pages that were read back to the system, which may still have them in its cache."""
    size = until // mmap.PAGESIZE * mmap.PAGESIZE
    if isinstance(data, mmap.mmap) and size and hasattr(data, "madvise"):
        data.madvise(mmap.MADV_DONTNEED, 0, size)


@contextmanager
def _map(file: BinaryIO) -> Iterator[mmap.mmap | bytes]:
    """Map a file into memory; what cannot be mapped, as what a pipe brought, is read."""
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (ValueError, OSError):
        file.seek(0)
        yield file.read()
        return
    # Not closed here: columns may still look into it, and it goes when they do.
    yield data


def _compressed(
    file: BinaryIO, report: FileReport, progress: Callable[[int], None], part_bytes: int
) -> Iterator[list[FrameGroup]]:
    file.seek(0)
    records: _Records | None = None
    left = b""
    with gzip.GzipFile(fileobj=file) as inflated:
        while True:
            part, is_broken = _inflate(inflated)
            data = left + part
            if records is None:
                records = _Records(data[:PCAP_HEADER_BYTES], part_bytes)
                data = data[records.begin :] if records.begin else data
            buffer, offset = np.frombuffer(data, np.uint8), 0
            while True:
                groups, end = records.parse(data, buffer, offset)
                if end == offset:
                    break
                offset = end
                yield groups
            left = data[offset:]
            progress(file.tell())
            if not part or is_broken or len(left) > 2 * _INFLATED_A_PART:
                break
    report.unread_bytes = len(left)


def _inflate(inflated: gzip.GzipFile) -> tuple[bytes, bool]:
    """Return the next part, and whether the stream breaks off or lies behind it."""
    parts: list[bytes] = []
    size = 0
    try:
        while size < _INFLATED_A_PART and (part := inflated.read1(1 << 20)):
            parts.append(part)
            size += len(part)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b"".join(parts), True
    return b"".join(parts), False


def _decoded(groups: list[FrameGroup], fragments: Fragments, report: FileReport) -> PacketBlock:
    blocks = []
    for group in groups:
        decoded = decode(group.frames, partial=True, fragments=fragments)
        report.frames += len(group.frames)
        report.left_out.update(decoded.undecoded)
        blocks.append(PacketBlock(decoded.columns, group.numbers[decoded.rows], decoded.is_partial))
    block = _joined(blocks)
    if len(groups) < 2:
        return block
    order = np.argsort(block.numbers, kind="stable")
    return PacketBlock(block.columns.take(order), block.numbers[order], block.is_partial[order])


def _joined(blocks: list[PacketBlock]) -> PacketBlock:
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return PacketBlock(concat_columns([]), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    return PacketBlock(
        concat_columns([block.columns for block in blocks]),
        np.concatenate([block.numbers for block in blocks]),
        np.concatenate([block.is_partial for block in blocks]),
    )

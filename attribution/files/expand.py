"""Pure: the bytes of a file as they were before compression, piece by piece.

A few kilobytes can stand for gigabytes: what is expanded is not held, and a file that grows beyond
all traces is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from backports import zstd

from collector.core.errors import DecodeError

# By how each begins.
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31  # zlib's window size that means a gzip header
_PIECE = 2**18
# Traces in JSON become 10 to 50 times smaller; gzip itself ends at 1,030 times.
_TIMES_MAX = 250
_ALWAYS_BYTES = 2**26
_EXPANDED_MAX = 2**36


class _Inflater(Protocol):
    """What both decompressors of the standard library's shape have."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class Source:
    """The bytes of a file, whose first can be looked at before they are read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Begin at the first byte."""
        self._chunks = iter(chunks)
        self._head = b""
        self._error: DecodeError | None = None

    def head(self, count: int) -> bytes:
        """Return the first bytes that were not read yet, fewer where there are no more."""
        try:
            while len(self._head) < count and (chunk := next(self._chunks, None)) is not None:
                self._head += chunk
        except DecodeError as error:  # what came before it counts first
            self._error = error
        return self._head[:count]

    def __iter__(self) -> Iterator[bytes]:
        """Yield what was not read yet."""
        if self._head:
            head, self._head = self._head, b""
            yield head
        if self._error is not None:
            raise self._error
        yield from self._chunks


def expanded(source: Source) -> Source:
    """Return a source without its compression, if it has one.

    Raises:
        DecodeError: while it is read: it is damaged, ends early, or expands beyond all traces.
    """
    head = source.head(len(_ZSTD))
    if head.startswith(_GZIP):
        return Source(_inflated(source, "gzip", lambda: zlib.decompressobj(_GZIP_WINDOW)))
    if head.startswith(_ZSTD):
        return Source(_inflated(source, "zstd", zstd.ZstdDecompressor))
    return source


def is_compressed(source: Source) -> bool:
    """Return whether a source begins as `expanded` expands it."""
    return source.head(len(_ZSTD)).startswith((_GZIP, _ZSTD))


def _inflated(
    chunks: Iterable[bytes], encoding: str, new: Callable[[], _Inflater]
) -> Iterator[bytes]:
    read = grown = 0
    inflater: _Inflater | None = None
    for chunk in chunks:
        read += len(chunk)
        given = chunk
        while given or (inflater is not None and not inflater.eof):
            if inflater is None:
                # Behind its end a tape or a store of objects may fill it up, which gzip(1) takes.
                given = given.lstrip(b"\0") if encoding == "gzip" else given
                if not given:
                    break
                inflater = new()
            try:
                piece, given = _next_piece(inflater, given)
            except (zlib.error, zstd.ZstdError) as error:
                raise DecodeError(f"the body is not {encoding}: {error}") from error
            grown += len(piece)
            if grown > max(_ALWAYS_BYTES, _TIMES_MAX * read) or grown > _EXPANDED_MAX:
                raise DecodeError(
                    f"{read} bytes of {encoding} expand to more than {grown - len(piece)}, and "
                    f"traces do not become {_TIMES_MAX} times smaller"
                )
            if piece:
                yield piece
            if inflater.eof:
                given = inflater.unused_data
                inflater = None
            elif not piece and not given:
                break
    if inflater is not None:
        raise DecodeError(f"the {encoding} body ends early")


def _next_piece(inflater: _Inflater, given: bytes) -> tuple[bytes, bytes]:
    """Return what some bytes expand to, at most a piece, and those that are still to be given."""
    piece = inflater.decompress(given, _PIECE)
    # zlib hands back what it did not take; zstd keeps it.
    return piece, getattr(inflater, "unconsumed_tail", b"")

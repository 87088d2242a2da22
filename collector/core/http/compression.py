"""Pure: the body of a request as it was before compression, within bounds.

A few kilobytes can stand for gigabytes. Only as much is expanded as may be taken, and one byte over
tells that there is more, whatever the rest expands to.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from backports import zstd

from collector.core.errors import DecodeError

_GZIP = 31  # zlib's window size that means a gzip header

# Each stream copies what follows it, so many empty ones would take hours. Senders send one.
_STREAMS_MAX = 64

# A frame names the memory that it needs; HTTP allows it 8 MiB. Source: RFC 9659.
_ZSTD_OPTIONS: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 23}


class _Inflater(Protocol):
    """What both decompressors of the standard library's shape have."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class TooLargeError(DecodeError):
    """A body expands to more than may be taken."""


def _gzip() -> _Inflater:
    return zlib.decompressobj(_GZIP)


def _zstd() -> _Inflater:
    return zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)


_INFLATERS: dict[str, Callable[[], _Inflater]] = {"gzip": _gzip, "zstd": _zstd}
ENCODINGS = tuple(_INFLATERS)


def decompress(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """Return a body without its compression; it may be several streams one after the other.

    Args:
        body: as it was sent.
        encoding: one of `ENCODINGS`.
        bytes_max: what it may expand to.

    Raises:
        TooLargeError: it expands to more.
        DecodeError: it is damaged, ends early, is in too many pieces, or asks for more memory than
            the standard allows.
    """
    plain = bytearray()
    for _ in range(_STREAMS_MAX):
        if not body:
            return bytes(plain)
        inflater = _INFLATERS[encoding]()
        try:
            plain += inflater.decompress(body, bytes_max - len(plain) + 1)
        except (zlib.error, zstd.ZstdError) as error:
            raise DecodeError(f"the body is not {encoding}: {error}") from error
        if len(plain) > bytes_max:
            raise TooLargeError(f"the body is over {bytes_max} bytes once it is expanded")
        if not inflater.eof:
            raise DecodeError(f"the {encoding} body ends early")
        body = inflater.unused_data
    raise DecodeError(f"the {encoding} body is more than {_STREAMS_MAX - 1} streams; send one")

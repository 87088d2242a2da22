"""What was compressed comes back whole, or not at all and without its memory."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import DecodeError
from collector.core.http.compression import ENCODINGS, TooLargeError, decompress

COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}
MIB = 1024 * 1024


@given(parts=st.lists(st.binary(max_size=200), max_size=5), encoding=st.sampled_from(ENCODINGS))
def test_streams_one_after_the_other_are_one_body(parts: list[bytes], encoding: str) -> None:
    """Both formats allow it, and a body of exactly the limit is taken."""
    body = b"".join(COMPRESS[encoding](part) for part in parts)
    plain = b"".join(parts)

    assert decompress(body, encoding, len(plain)) == plain
    if plain:
        with pytest.raises(TooLargeError):
            decompress(body, encoding, len(plain) - 1)


@given(body=st.binary(min_size=1, max_size=60), encoding=st.sampled_from(ENCODINGS))
def test_any_bytes_are_a_body_or_a_decode_error(body: bytes, encoding: str) -> None:
    """Nothing else may reach the server, which would answer 500."""
    with contextlib.suppress(DecodeError):
        assert len(decompress(body, encoding, MIB)) <= MIB


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bomb_is_refused_before_it_is_memory(encoding: str) -> None:
    """A few kilobytes for 256 times the limit, of which one byte over it is expanded."""
    bomb = COMPRESS[encoding](bytes(64 * MIB))
    assert len(bomb) < MIB
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match="262144 bytes"):
            decompress(bomb, encoding, 256 * 1024)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 2 * MIB


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_body_cut_short_is_refused(encoding: str) -> None:
    """What is there parses, so only its end tells."""
    body = COMPRESS[encoding](b"spans" * 100)

    with pytest.raises(DecodeError, match="ends early"):
        decompress(body[:-3], encoding, MIB)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_many_empty_streams_are_refused(encoding: str) -> None:
    """Each copies what follows it: a body of a million would take hours."""
    with pytest.raises(DecodeError, match="send one"):
        decompress(COMPRESS[encoding](b"") * 100_000, encoding, MIB)


def test_frame_that_asks_for_a_large_window_is_refused() -> None:
    """The window is memory that a few bytes ask for; HTTP allows 8 MiB (RFC 9659)."""
    window = zstd.CompressionParameter.window_log
    length = zstd.CompressionParameter.content_size_flag
    taken = zstd.ZstdCompressor(options={window: 23, length: 0})
    refused = zstd.ZstdCompressor(options={window: 27, length: 0})

    def streamed(compressor: zstd.ZstdCompressor) -> bytes:
        return compressor.compress(b"spans") + compressor.flush()

    assert decompress(streamed(taken), "zstd", MIB) == b"spans"
    with pytest.raises(DecodeError, match="not zstd"):
        decompress(streamed(refused), "zstd", MIB)

"""A segment is written whole, and says when its first request came."""

from __future__ import annotations

from pathlib import Path

from collector.wal.frames import encode_frame
from collector.wal.segments import first_received_ns, write_all
from tests.conftest import NOW_NS


def test_segment_says_when_its_first_request_came(tmp_path: Path) -> None:
    """And one that is damaged, or of which nothing was written, that it does not know."""
    path = tmp_path / "segment"
    frames = encode_frame(b"first", NOW_NS, 1) + encode_frame(b"second", NOW_NS + 5, 1)
    for content, expected in ((frames, NOW_NS), (frames[:20], 0), (b"", 0), (frames[3:], 0)):
        path.write_bytes(content)
        assert first_received_ns(path) == expected


def test_more_parts_than_one_call_takes_are_written_in_their_order(tmp_path: Path) -> None:
    """A group of 400 small requests has more of them than the machine writes at once."""
    parts = [b"%d," % number if number % 7 else b"" for number in range(3_000)]
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), parts)
        write_all(file.fileno(), [])

    assert (tmp_path / "file").read_bytes() == b"".join(parts)

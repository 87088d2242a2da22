from __future__ import annotations

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from packet.decode.frames import parse_pcap
from packet.decode.record_starts import RecordForm, record_starts
from tests.support.examples import examples

_FORM = RecordForm("<", 16, 1_000_000_000)


def _records(lengths: list[int], decoy: bytes = b"", order: str = "<") -> bytes:
    """Return records; each frame is made of what looks like the head of another one."""
    parts = []
    for number, length in enumerate(lengths):
        head = struct.pack(f"{order}IIII", 1_700_000_000 + number % 3, number, length, length)
        parts.append(head + (decoy * (length // max(len(decoy), 1) + 1))[:length].ljust(length))
    return b"".join(parts)


def _wanted(lengths: list[int], head: int = 16) -> list[int]:
    ends = np.cumsum(np.array(lengths) + head)
    return [0, *ends[:-1].tolist()]


@settings(max_examples=examples(15))
@given(st.lists(st.integers(0, 3000), min_size=600, max_size=900), st.sampled_from("<>"))
def test_every_record_of_a_large_file_is_found(lengths: list[int], order: str) -> None:
    """It is entered at many places at once."""
    data = _records(lengths, order=order)
    form = RecordForm(order, 16, 1_000_000_000)
    starts = record_starts(data, np.frombuffer(data, np.uint8), 0, len(data), form)
    assert starts.tolist() == _wanted(lengths)


def test_what_only_looks_like_records_is_not_taken_for_them() -> None:
    """A capture of a transfer of a capture: heads that hold, one behind the other."""
    decoy = struct.pack("<IIII", 1_700_000_001, 5, 0, 0)
    lengths = [50_000 + 7 * number for number in range(30)]
    data = _records(lengths, decoy)
    starts = record_starts(data, np.frombuffer(data, np.uint8), 0, len(data), _FORM)
    assert starts.tolist() == _wanted(lengths)


@given(st.integers(0, 1_500_000), st.integers(0, 2**32 - 1))
def test_length_that_lies_ends_the_file_where_it_is(at: int, lie: int) -> None:
    """Frames before it are read, and none that is not there."""
    lengths = [1500] * 1000
    records = bytearray(_records(lengths))
    damaged = at // 1516
    struct.pack_into("<I", records, damaged * 1516 + 8, lie)
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
    frames = parse_pcap(header + bytes(records))
    assert len(frames) >= damaged
    assert frames.lengths[:damaged].tolist() == [1500] * damaged
    if lie > 256 * 1024:
        assert len(frames) == damaged
        assert frames.unread_bytes == (1000 - damaged) * 1516
    ends = frames.offsets + frames.lengths
    assert (ends <= len(records) + 24).all()

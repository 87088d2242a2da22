from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from collector.otlp.check import Signal, count_items
from collector.wal.frames import (
    HEAD_BYTES_MAX,
    TRAILER_BYTES,
    encode_frame,
    first_end,
    has_digest,
    received_of,
    request_start,
    scan,
)
from tests.conftest import NOW_NS
from tests.support.builders import span, trace_request

REQUESTS = st.lists(st.binary(max_size=300), max_size=6)


def segment_of(requests: list[bytes]) -> bytes:
    """Return a segment of these requests, each of as many items as its place in the list."""
    return b"".join(
        encode_frame(request, NOW_NS + number, number) for number, request in enumerate(requests)
    )


@given(REQUESTS)
def test_what_was_appended_is_found(requests: list[bytes]) -> None:
    """Empty requests too: a frame is never empty, so an acknowledged one is never torn."""
    segment = segment_of(requests)

    found = scan(segment)

    assert [frame.request(segment) for frame in found.frames] == requests
    assert [frame.received_ns - NOW_NS for frame in found.frames] == list(range(len(requests)))
    assert [frame.items for frame in found.frames] == list(range(len(requests)))
    assert found.end == len(segment)
    assert all(frame.is_intact for frame in found.frames)


@given(REQUESTS, st.binary(max_size=300), st.data())
def test_torn_tail_is_cut_at_the_last_whole_frame(
    requests: list[bytes], last: bytes, data: st.DataObject
) -> None:
    """A write that was cut off was not acknowledged; all before it was."""
    whole = segment_of(requests)
    frame = encode_frame(last, NOW_NS, 1)
    torn = frame[: data.draw(st.integers(0, len(frame) - 1))]

    found = scan(whole + torn)

    assert found.end == len(whole)
    assert len(found.frames) == len(requests)


@given(REQUESTS.filter(len), st.data())
@example([b"a", b"b", b"c"], None)
def test_damage_costs_one_frame_and_not_those_after_it(
    requests: list[bytes], data: st.DataObject | None
) -> None:
    """A flipped bit on the disk must not lose what was acknowledged after it."""
    segment = bytearray(segment_of([*requests, b"last"]))
    first = scan(bytes(segment)).frames[0]
    at = 1 if data is None else data.draw(st.integers(first.start, first.end - 1))
    segment[at] ^= 0x40

    found = scan(bytes(segment))

    assert not found.frames[0].is_intact
    intact = [frame.request(bytes(segment)) for frame in found.frames if frame.is_intact]
    assert intact == [*requests[1:], b"last"]
    assert found.end == len(segment)
    covered = [(frame.start, frame.end) for frame in found.frames]
    assert covered[0][0] == 0
    assert all(ends == begins for (_, ends), (begins, _) in pairwise(covered))


@given(st.binary(max_size=400))
def test_any_bytes_are_scanned(content: bytes) -> None:
    """Whatever is in the directory, the start goes on."""
    assert 0 <= scan(content).end <= len(content)


def test_frame_is_still_a_request_to_any_protobuf_reader() -> None:
    """What the log appends are fields, so a segment can be read with standard tools."""
    request = trace_request(span()).SerializeToString()
    frame = encode_frame(request, NOW_NS, 1)
    (found,) = scan(frame).frames

    assert count_items(Signal.TRACES, frame[found.body : found.end]) == 1


@given(st.binary(max_size=70_000), st.sampled_from([b"", b"d" * 16]))
def test_first_request_is_found_by_the_head_of_its_frame(request: bytes, digest: bytes) -> None:
    """Whoever looks at the beginning of a large segment reads no more."""
    segment = encode_frame(request, NOW_NS, 1, digest)
    assume(digest or not has_digest(segment))  # no request of OTLP begins with that field
    assert request_start(segment[:HEAD_BYTES_MAX]) == scan(segment).frames[0].body


@given(st.binary(max_size=300), st.sampled_from([b"", bytes(16)]), st.binary(max_size=40))
def test_ends_of_the_first_frame_say_when_it_came(
    request: bytes, digest: bytes, behind: bytes
) -> None:
    """So that a start reads a few bytes of each segment, and not all of them."""
    frame = encode_frame(request, NOW_NS, 1, digest)
    end = first_end((frame + behind)[:HEAD_BYTES_MAX])
    assert end == len(frame)
    assert received_of((frame + behind)[end - TRAILER_BYTES : end]) == NOW_NS
    assert received_of(frame[end - TRAILER_BYTES : end - 1]) == 0


@given(st.integers(0, TRAILER_BYTES - 1))
def test_length_that_no_frame_has_ends_nowhere(length: int) -> None:
    """A segment may be empty, or damaged from its first byte on."""
    assert first_end(bytes([length]) + bytes(length)) == 0
    assert (first_end(b""), first_end(b"\xff" * HEAD_BYTES_MAX)) == (0, 0)

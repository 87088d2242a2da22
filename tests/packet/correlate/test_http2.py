from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packet.correlate.http2 import bare_segments
from tests.support.packet.build import frame

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LENGTHS = {2: 5, 3: 4, 4: 6, 6: 8, 7: 8, 8: 4}


def _zeros(kind: int, length: int, stream: int, flags: int = 0) -> bytes:
    return frame(kind, bytes(length), stream, flags)


PING, ACKNOWLEDGED = _zeros(6, 8, 0), _zeros(6, 8, 0, 1)
WINDOW, STREAM_WINDOW = _zeros(8, 4, 0), _zeros(8, 4, 3)
RST_STREAM, HEADERS, DATA = _zeros(3, 4, 3), _zeros(1, 20, 3), _zeros(0, 20, 3)


def _kinds(payloads: list[bytes]) -> list[tuple[bool, bool]]:
    """Return of each payload whether it carries no part of a message, and whether it ends one."""
    data = np.frombuffer(b"".join(payloads), np.uint8)
    ends = np.cumsum([len(each) for each in payloads]).astype(np.int64)
    begins = ends - np.array([len(each) for each in payloads], np.int64)
    is_bare, is_reset = bare_segments(data, begins, ends)
    return list(zip(is_bare.tolist(), is_reset.tolist(), strict=True))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(PING, id="ping"),
        pytest.param(ACKNOWLEDGED + WINDOW, id="ping acknowledged, with a window"),
        pytest.param(STREAM_WINDOW, id="the window of a stream"),
        pytest.param(_zeros(4, 0, 0, 1), id="settings acknowledged"),
        pytest.param(_PREFACE + _zeros(4, 36, 0) + WINDOW, id="how a client begins"),
        pytest.param(_zeros(7, 23, 0) + PING, id="farewell"),
        pytest.param(_zeros(2, 5, 3), id="priority"),
    ],
)
def test_frames_of_the_connection_carry_no_message(payload: bytes) -> None:
    """They come when either side likes, and ended the exchange before them."""
    assert _kinds([payload]) == [(True, False)]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(HEADERS + DATA + WINDOW, id="a request with a window"),
        pytest.param(PING + DATA, id="a response behind a ping"),
        pytest.param(PING[:-1], id="cut off"),
        pytest.param(PING + b"\x00", id="more than it says"),
        pytest.param(_zeros(6, 8, 3), id="a ping of a stream"),
        pytest.param(_zeros(3, 4, 0), id="the end of no stream"),
        pytest.param(_zeros(8, 5, 0), id="a window of five bytes"),
        pytest.param(_PREFACE, id="nothing but the preface"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="text"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_anything_else_may_be_of_a_message(payload: bytes) -> None:
    """A part of a response that was left out would make its exchange too short."""
    assert _kinds([payload]) == [(False, False)]


def test_end_of_a_stream_is_told_from_the_rest() -> None:
    """A caller that gives up sends nothing else."""
    assert _kinds([RST_STREAM, PING + RST_STREAM, HEADERS + RST_STREAM]) == [
        (True, True), (True, True), (False, False),
    ]  # fmt: skip


_FRAMES = st.tuples(
    st.integers(0, 12), st.integers(0, 12), st.sampled_from([0, 1, 3, 2**31 - 1, 2**31])
).map(lambda drawn: _zeros(*drawn))
_BARE = st.sampled_from([PING, WINDOW, STREAM_WINDOW, RST_STREAM, _zeros(4, 12, 0)])
_PAYLOADS = st.lists(
    st.one_of(
        st.lists(_BARE, max_size=5).map(b"".join),
        st.lists(st.one_of(_FRAMES, _BARE), max_size=4).map(b"".join),
        st.binary(max_size=30),
    ),
    max_size=12,
)


@given(_PAYLOADS)
def test_all_at_once_is_as_one_frame_at_a_time(payloads: list[bytes]) -> None:
    """Whatever lies beside a segment in the buffer."""
    assert _kinds(payloads) == [_walked(payload) for payload in payloads]


def _walked(payload: bytes) -> tuple[bool, bool]:
    at, is_reset = 0, False
    while at + 9 <= len(payload):
        length, kind = int.from_bytes(payload[at : at + 3], "big"), payload[at + 3]
        stream = int.from_bytes(payload[at + 5 : at + 9], "big")
        if kind not in _LENGTHS or stream >= 2**31:
            return False, False
        right = length >= 8 if kind == 7 else length % 6 == 0 if kind == 4 else None
        if not (length == _LENGTHS[kind] if right is None else right):
            return False, False
        if kind != 8 and (stream == 0) != (kind in {4, 6, 7}):
            return False, False
        at += 9 + length
        is_reset |= kind == 3
    return (at == len(payload) and at > 0, at == len(payload) and is_reset)

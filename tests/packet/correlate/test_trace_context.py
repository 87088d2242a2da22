from __future__ import annotations

import random

import hpack
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from packet.correlate.trace_context import (
    HEADER,
    HPACK,
    as_contexts,
    find_contexts,
    no_contexts,
    of_traces,
)
from packet.decode.frames import Frames, frames_of

_TRACE, _SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_VALUE = f"00-{_TRACE}-{_SPAN}-01"
_FRAME_HEADERS = 1


def _frames(payloads: list[bytes], snap: int = 65_536) -> Frames:
    records = []
    for place, payload in enumerate(payloads):
        head = Ether() / IP(src="10.0.0.1", dst="10.0.0.2")
        whole = bytes(head / TCP(sport=40_000, dport=8080, seq=place, flags="PA") / Raw(payload))
        records.append((1_000 + place, len(whole), whole[: 54 + snap]))
    return frames_of(records)


def _text(value: str, name: str = "traceparent", body: str = "", more: str = "") -> bytes:
    return (
        f"POST /price HTTP/1.1\r\nHost: shop\r\n{more}{name}: {value}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _framed(block: bytes, kind: int = _FRAME_HEADERS) -> bytes:
    return len(block).to_bytes(3, "big") + bytes([kind, 4]) + (1).to_bytes(4, "big") + block


def _found(payloads: list[bytes], snap: int = 65_536) -> list[tuple[int, str, str, str]]:
    return [
        (each.ts_ns - 1_000, each.trace_id, each.span_id, each.method)
        for each in as_contexts(find_contexts(_frames(payloads, snap)))
    ]


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACEPARENT", "TraceParent"])
def test_header_is_found_however_it_is_spelled(name: str) -> None:
    """Go writes names with a capital letter, and HTTP does not care."""
    assert _found([_text(_VALUE, name)]) == [(0, _TRACE, _SPAN, HEADER)]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"ff-{_TRACE}-{_SPAN}-01", id="the version that never is"),
        pytest.param(f"00-{'0' * 32}-{_SPAN}-01", id="no trace"),
        pytest.param(f"00-{_TRACE}-{'0' * 16}-01", id="no span"),
        pytest.param(f"00-{_TRACE.upper()}-{_SPAN}-01", id="upper case"),
        pytest.param(f"00-{_TRACE}-{_SPAN}-012", id="more than flags"),
        pytest.param(f"00-{_TRACE[:-1]}-{_SPAN}-01", id="a digit short"),
    ],
)
def test_what_w3c_forbids_is_no_context(value: str) -> None:
    """A span that took it for one would begin a trace of its own."""
    assert _found([_text(value)]) == []


def test_text_in_a_body_is_no_header() -> None:
    """A request that ships logs is full of other requests' headers."""
    body = f"seen:\r\ntraceparent: {_VALUE}\r\n"
    assert _found([_text(_VALUE, "x-other", body), body.encode(), b"HTTP/1.1 200 OK\r\n"]) == []
    assert _found([_text(_VALUE, body=body)]) == [(0, _TRACE, _SPAN, HEADER)]


@pytest.mark.parametrize("preface", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_text_in_a_message_of_http2_is_no_header(preface: bytes) -> None:
    """A relay sends the contexts of others: of Protobuf a text has its length before it too."""
    message = b"\x0a" + bytes([len(_VALUE)]) + _VALUE.encode()
    huffman = hpack.Encoder().encode([("x", _VALUE)])
    headers = _framed(hpack.Encoder().encode([("traceparent", _VALUE)]))
    for body in (message, huffman):
        data = _framed(body, kind=0)
        assert _found([preface + _framed(b"\x88") + data, data]) == []
        assert _found([preface + headers + data]) == [(0, _TRACE, _SPAN, HPACK)]
    assert _found([_framed(b"\x88") + _framed(huffman, kind=9)]) == [(0, _TRACE, _SPAN, HPACK)]


def test_response_and_unknown_bytes_are_not_searched() -> None:
    """Only what begins like a request is one."""
    answer = f"HTTP/1.1 200 OK\r\ntraceparent: {_VALUE}\r\n\r\n".encode()
    assert _found([answer, f"\r\ntraceparent: {_VALUE}\r\n".encode()]) == []


def test_value_that_the_capture_cut_off_is_no_context() -> None:
    """Half of an id names nobody."""
    request = _text(_VALUE)
    whole = request.index(_VALUE.encode()) + len(_VALUE)
    assert _found([request], snap=whole - 1) == []
    assert _found([request], snap=whole) == [(0, _TRACE, _SPAN, HEADER)]


def test_each_packet_keeps_its_own() -> None:
    """Requests lie side by side in one buffer."""
    values = [f"00-{place:032x}-{place:016x}-00" for place in range(1, 40)]
    payloads = [
        _text(value) if place % 2 else _framed(hpack.Encoder().encode([("traceparent", value)]))
        for place, value in enumerate(values)
    ]
    assert [(at, trace, span) for at, trace, span, _ in _found(payloads)] == [
        (place, value[3:35], value[36:52]) for place, value in enumerate(values)
    ]


_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["user-agent", "x-request-id", "authorization", "te", "grpc-timeout"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    ),
    max_size=6,
)


@given(
    trace=st.integers(1, 2**128 - 1),
    span=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
    huffman=st.booleans(),
    sensitive=st.booleans(),
    before=_HEADERS,
    after=_HEADERS,
    earlier=st.integers(0, 3),
)
@example(trace=2**128 - 1, span=2**64 - 1, flags=255, huffman=True, sensitive=False, before=[],
         after=[], earlier=1)  # fmt: skip
@example(trace=1, span=1, flags=1, huffman=True, sensitive=False, before=[], after=[], earlier=1)
def test_literal_is_found_in_the_middle_of_a_connection(
    trace: int, span: int, flags: int, huffman: bool, sensitive: bool,
    before: list[tuple[str, str]], after: list[tuple[str, str]], earlier: int,
) -> None:  # fmt: skip
    """With or without indexing, Huffman or plain, its name spelled or in the peer's table."""
    encoder = hpack.Encoder()
    for place in range(1, earlier + 1):  # what the capture has not seen, each of another trace
        other = (trace + place) % 2**128
        encoder.encode([("traceparent", f"00-{other:032x}-{span:016x}-{flags:02x}"), *before])
    value = f"00-{trace:032x}-{span:016x}-{flags:02x}"
    kind = hpack.NeverIndexedHeaderTuple if sensitive else hpack.HeaderTuple
    block = encoder.encode([*before, kind("traceparent", value), *after], huffman=huffman)
    data = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8) + _framed(block) + b"\x00" * 9
    expected = (0, value[3:35], value[36:52], HPACK)
    assert expected in _found([data])
    for found in _found([data]):
        assert found == expected or any(found[1] in text for _, text in (*before, *after))


def test_reference_to_the_table_is_not_decodable() -> None:
    """The same value again is one byte: what it stands for was said before the capture began."""
    encoder = hpack.Encoder()
    first, second = (encoder.encode([("traceparent", _VALUE)]) for _ in range(2))
    assert _found([_framed(first)]) == [(0, _TRACE, _SPAN, HPACK)]
    assert len(second) == 1
    assert _found([_framed(second)]) == []


@given(st.integers(0, 2**32), st.lists(st.integers(0, 7), max_size=3))
def test_other_bytes_are_no_context(seed: int, flips: list[int]) -> None:
    """Bytes of anything, and a literal of which one bit was turned: never another id."""
    drawn = random.Random(seed)
    noise = drawn.randbytes(400)
    block = bytearray(hpack.Encoder().encode([("x", _VALUE)]))
    for bit in flips:
        block[drawn.randrange(len(block))] ^= 1 << bit
    for found in _found([_framed(noise), _framed(b"\x00\x16".join([noise] * 3)), noise]):
        raise AssertionError(found)
    for _, trace, span, _ in _found([_framed(bytes(block))]):
        # A digit of the id may be another one now; the form is always whole.
        assert (len(trace), len(span)) == (32, 16)


def test_padding_of_the_code_has_to_be_right() -> None:
    """A string of Huffman's code ends in ones, less than a byte of them."""
    block = hpack.Encoder().encode([("traceparent", _VALUE)])
    assert _found([_framed(block)])
    assert block[-1] & 1
    assert _found([_framed(block[:-1] + bytes([block[-1] ^ 1]))]) == []


def test_contexts_of_traces_are_chosen() -> None:
    """A recorder is asked for those of an alert's decisions."""
    values = [f"00-{place:032x}-{1:016x}-00" for place in range(1, 5)]
    rows = find_contexts(_frames([_text(value) for value in values]))
    assert of_traces(rows, [f"{2:032x}", f"{9:032x}"]).tolist() == [False, True, False, False]
    assert not of_traces(rows, []).any()
    assert of_traces(no_contexts(), [_TRACE]).tolist() == []


def test_nothing_has_no_context() -> None:
    """An idle wire, and a block of acknowledgements."""
    assert len(find_contexts(frames_of([]))) == 0
    assert find_contexts(_frames([b"", b"x"])).dtype == no_contexts().dtype
    assert np.array_equal(find_contexts(_frames([b""])), no_contexts())

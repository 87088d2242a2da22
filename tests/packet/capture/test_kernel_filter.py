from __future__ import annotations

import ipaddress
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from packet.capture.kernel_filter import KernelSample, header_filter
from packet.config import PacketConfig
from packet.correlate.http2 import FRAME_TYPE_MAX, PREFACE_WORD
from packet.correlate.trace_context import REQUEST_WORDS
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.decode.sampler import keep
from tests.support.examples import examples

_PACKET_TYPE = 0xFFFFF004
_HOST, _OUTGOING = 0, 4


class _Machine:
    """An interpreter of the codes that the program uses: what the kernel would do."""

    def __init__(self, frame: bytes, packet_type: int) -> None:
        self.frame = frame
        self.packet_type = packet_type
        self.a = 0
        self.x = 0
        self.memory = [0] * 16

    def run(self, program: bytes) -> int:
        """Return how many bytes of the frame are kept."""
        steps = list(struct.iter_unpack("=HBBI", program))
        at = 0
        while True:
            code, true, false, k = steps[at]
            at += 1
            if code in (0x06, 0x16):
                return int(k if code == 0x06 else self.a)
            if code == 0x05:
                at += k
            elif code in (0x15, 0x25, 0x35, 0x45):
                holds = {
                    0x15: self.a == k,
                    0x25: self.a > k,
                    0x35: self.a >= k,
                    0x45: bool(self.a & k),
                }[code]
                at += true if holds else false
            elif code in (0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xB1):
                if not self.load(code, k):
                    return 0  # a load behind the end of the frame drops it
            else:
                self.compute(code, k)

    def load(self, code: int, k: int) -> bool:
        """Load from the frame; return whether it is long enough."""
        if k == _PACKET_TYPE:
            self.a = self.packet_type
            return True
        start = k + (self.x if code in (0x40, 0x48, 0x50) else 0)
        size = {0x20: 4, 0x28: 2, 0x40: 4, 0x48: 2}.get(code, 1)
        value = int.from_bytes(self.frame[start : start + size])
        if code == 0xB1:
            self.x = (value & 15) * 4
        else:
            self.a = value
        return start + size <= len(self.frame)

    def compute(self, code: int, k: int) -> None:
        """Move between registers and memory, or reckon."""
        if code == 0x02:
            self.memory[k] = self.a
        elif code in (0x01, 0x61, 0x07):
            self.x = {0x01: k, 0x61: self.memory[k % 16], 0x07: self.a}[code]
        elif code in (0x00, 0x60):
            self.a = k if code == 0x00 else self.memory[k]
        else:
            a, x = self.a, self.x
            result = {
                0x87: x,
                0x54: a & k,
                0x74: a >> k,
                0x04: a + k,
                0x0C: a + x,
                0x24: a * k,
                0xA4: a ^ k,
                0xAC: a ^ x,
            }[code]
            self.a = result & 0xFFFFFFFF


def _run(program: bytes, frame: bytes, packet_type: int = _OUTGOING) -> int:
    return _Machine(frame, packet_type).run(program)


def _filter(
    ports: tuple[int, ...] = (),
    exclude_ports: tuple[int, ...] = (),
    snaplen_bytes: int = 96,
    sample: KernelSample | None = None,
    request_bytes: int = 0,
) -> bytes:
    return header_filter(
        loopback=True,
        snaplen_bytes=snaplen_bytes,
        ports=ports,
        exclude_ports=exclude_ports,
        sample=sample,
        request_bytes=request_bytes,
    )


_PORTS = st.lists(st.integers(1, 40), max_size=4).map(tuple)


@settings(max_examples=examples(150))
@given(
    st.booleans(),
    st.sampled_from([0, 4, 12]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.binary(max_size=50),
    _PORTS,
    _PORTS,
    st.integers(64, 100),
)
def test_headers_of_wanted_ports_are_kept_and_nothing_else(
    is_v6: bool,
    options: int,
    sport: int,
    dport: int,
    payload: bytes,
    ports: tuple[int, ...],
    exclude_ports: tuple[int, ...],
    snaplen_bytes: int,
) -> None:
    """Not one byte of payload comes into memory, whatever options the headers have."""
    network = IPv6() if is_v6 else IP(src="127.0.0.1", dst="127.0.0.1")
    transport = TCP(sport=sport, dport=dport, options=[("NOP", None)] * options)
    frame = bytes(Ether() / network / transport / Raw(payload))
    wanted = (not ports or {sport, dport} & set(ports)) and not {sport, dport} & set(exclude_ports)
    headers = len(frame) - len(payload)
    kept = _run(_filter(ports, exclude_ports, snaplen_bytes), frame)
    assert kept == (min(headers, snaplen_bytes) if wanted else 0)


_BEGINS = st.one_of(
    st.sampled_from([*REQUEST_WORDS, PREFACE_WORD, b"HTTP", b"\x17\x03\x03\x00", b"*3\r\n"]),
    st.tuples(st.integers(0, 1), st.integers(0, 300), st.integers(0, 12)).map(
        lambda parts: bytes([parts[0]]) + parts[1].to_bytes(2) + bytes([parts[2]])
    ),
    st.binary(max_size=4),
)


@given(st.booleans(), st.sampled_from([0, 4, 12]), _BEGINS, st.binary(max_size=60), _PORTS)
def test_kernel_hands_over_what_begins_like_a_request(
    is_v6: bool, options: int, begin: bytes, rest: bytes, ports: tuple[int, ...]
) -> None:
    """What is not to be searched is not copied; and of what is, no more than is said."""
    network = IPv6() if is_v6 else IP(src="127.0.0.1", dst="127.0.0.1")
    transport = TCP(sport=7, dport=80, options=[("NOP", None)] * options)
    payload = begin + rest
    frame = bytes(Ether() / network / transport / Raw(payload))
    headers = len(frame) - len(payload)
    word = payload[:4]
    framed = len(word) == 4 and word[0] == 0 and word[3] <= FRAME_TYPE_MAX and any(word)
    wanted = word in (*REQUEST_WORDS, PREFACE_WORD) or framed
    wanted = wanted and (not ports or 7 in ports)
    kept = _run(_filter(ports, request_bytes=20), frame)
    assert kept == (headers + 20 if wanted else 0)


@given(st.binary(max_size=80))
def test_any_frame_is_kept_or_dropped(frame: bytes) -> None:
    """The program ends on anything, and never keeps more than it was told."""
    assert 0 <= _run(_filter(ports=(80,)), frame) <= 96


def test_loopback_packet_is_kept_on_its_way_out_only() -> None:
    """The tap on loopback sees each packet twice."""
    frame = bytes(Ether() / IP() / TCP())
    assert _run(_filter(), frame, _OUTGOING) == 54
    assert _run(_filter(), frame, _HOST) == 0


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(bytes(Ether() / IP() / UDP()), id="UDP"),
        pytest.param(bytes(Ether() / ARP()), id="ARP"),
        pytest.param(bytes(Ether() / IP(frag=2, proto=6) / Raw(b"x" * 40)), id="fragment"),
        pytest.param(bytes(Ether() / IP() / TCP())[:45], id="half a header"),
    ],
)
def test_what_is_no_tcp_header_is_dropped(frame: bytes) -> None:
    """Only what can be analysed takes memory."""
    assert _run(_filter(), frame) == 0


def test_as_many_ports_as_the_settings_allow_can_be_reached() -> None:
    """A conditional jump of the kernel's machine reaches 255 instructions."""
    most = PacketConfig(ports=tuple(range(100, 132)), exclude_ports=tuple(range(200, 232)))
    sampled = _filter(most.ports, most.exclude_ports, sample=KernelSample.of(1, 7))
    assert _run(sampled, bytes(Ether() / IP() / TCP(sport=9, dport=131))) == 54
    assert _run(sampled, bytes(Ether() / IP() / TCP(sport=100, dport=231))) == 0
    program = _filter(most.ports, most.exclude_ports)
    assert _run(program, bytes(Ether() / IP() / TCP(sport=9, dport=131))) == 54
    assert _run(program, bytes(Ether() / IP() / TCP(sport=100, dport=231))) == 0
    assert _run(program, bytes(Ether() / IP() / TCP(sport=9, dport=10))) == 0


@settings(max_examples=examples(300))
@given(
    st.booleans(),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**128 - 1),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]),
    st.integers(0, 2**31),
)
def test_kernel_keeps_the_flows_that_numpy_keeps(
    is_v6: bool, src: int, dst: int, sport: int, dport: int, ratio: float, epoch: int
) -> None:
    """Two hosts, one sampling in its kernel and one in NumPy, keep the same connections."""
    family = ipaddress.IPv6Address if is_v6 else ipaddress.IPv4Address
    bits = 128 if is_v6 else 32
    ends = {"src": str(family(src % 2**bits)), "dst": str(family(dst % 2**bits))}
    network = IPv6(**ends) if is_v6 else IP(**ends)
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / network / TCP(
        sport=sport, dport=dport
    ))  # fmt: skip
    packets = decode(frames_of([(0, len(frame), frame)])).columns
    wanted = keep(packets.flow_hash, np.array([epoch]), ratio)
    wanted |= keep(packets.flow_hash, np.array([epoch + 1]), ratio)
    kept = _run(_filter(sample=KernelSample.of(ratio, epoch)), frame) > 0
    assert [kept] == wanted.tolist()

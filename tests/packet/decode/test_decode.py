from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from packet.decode.columns import address_texts
from packet.decode.decode import decode
from packet.decode.frames import Frames, frames_of
from packet.decode.layers import FRAGMENT, MALFORMED, NOT_IP, NOT_TCP_UDP, TRUNCATED
from tests.support.examples import examples

Layer: TypeAlias = Any  # scapy ships no types

_V4 = st.ip_addresses(v=4).map(str)
_V6 = st.ip_addresses(network="2001:db8::/32").map(str)
_PORT = st.integers(0, 65535)
_U32 = st.integers(0, 2**32 - 1)
# Protocols on these ports would make scapy replace the payload by its own reading of it.
_PAYLOAD = st.binary(max_size=60)


@st.composite
def _transports(draw: st.DrawFn) -> Layer:
    if draw(st.booleans()):
        return UDP(sport=draw(_PORT), dport=draw(_PORT))
    return TCP(
        sport=draw(_PORT),
        dport=draw(_PORT),
        seq=draw(_U32),
        ack=draw(_U32),
        flags=draw(st.integers(0, 0x1FF)),
        window=draw(_PORT),
        options=draw(st.sampled_from([[], [("NOP", None)] * 4, [("Timestamp", (7, 9))]])),
    )


@st.composite
def _packets(draw: st.DrawFn) -> Layer:
    if draw(st.booleans()):
        options = [IPOption_NOP()] * draw(st.sampled_from([0, 4, 8]))
        network = IP(src=draw(_V4), dst=draw(_V4), ttl=draw(st.integers(0, 255)), options=options)
    else:
        network = IPv6(src=draw(_V6), dst=draw(_V6), hlim=draw(st.integers(0, 255)))
        if draw(st.booleans()):
            network /= IPv6ExtHdrDestOpt()
    link = Ether(src="00:00:00:00:00:00", dst="00:00:00:00:00:00")
    if draw(st.booleans()):
        link /= Dot1Q(vlan=7)
    return link / network / draw(_transports()) / Raw(draw(_PAYLOAD))


def _frames(packets: list[bytes], extra: int = 0) -> Frames:
    return frames_of([(5 + row, len(p) + extra, p) for row, p in enumerate(packets)])


@settings(max_examples=examples(60))
@given(st.lists(_packets(), min_size=1, max_size=6))
def test_every_field_is_what_scapy_was_told(packets: list[Layer]) -> None:
    """The builder is the oracle: field by field, fast path and deep path mixed in one batch."""
    built = [bytes(packet) for packet in packets]
    decoded = decode(_frames(built))
    assert decoded.undecoded == {}
    assert decoded.rows.tolist() == list(range(len(packets)))
    columns = decoded.columns
    for row, packet in enumerate(packets):
        network = packet.getlayer(IP) or packet.getlayer(IPv6)
        transport = packet.getlayer(TCP) or packet.getlayer(UDP)
        is_tcp = isinstance(transport, TCP)
        assert address_texts(columns.src)[row] == network.src
        assert address_texts(columns.dst)[row] == network.dst
        assert columns.src_port[row] == transport.sport
        assert columns.dst_port[row] == transport.dport
        assert columns.protocol[row] == (6 if is_tcp else 17)
        assert columns.ttl[row] == (network.ttl if isinstance(network, IP) else network.hlim)
        assert columns.tcp_flags[row] == (int(transport.flags) if is_tcp else 0)
        assert columns.tcp_seq[row] == (transport.seq if is_tcp else 0)
        assert columns.tcp_ack[row] == (transport.ack if is_tcp else 0)
        assert columns.tcp_window[row] == (transport.window if is_tcp else 0)
        assert columns.payload_bytes[row] == len(packet[Raw].load if Raw in packet else b"")
        assert columns.wire_bytes[row] == len(built[row])
        assert columns.ts_ns[row] == 5 + row


@settings(max_examples=examples(60))
@given(_packets(), st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_damaged_packet_is_decoded_or_counted(packet: Layer, at: int, damage: bytes) -> None:
    """Bit errors and lying lengths end in a row or in a named count, never in an exception."""
    whole = bytearray(bytes(packet))
    at %= len(whole)
    whole[at : at + len(damage)] = damage
    decoded = decode(_frames([bytes(whole), bytes(whole)[:at]]))
    assert len(decoded.columns) + sum(decoded.undecoded.values()) == 2


@given(st.lists(st.binary(max_size=120), max_size=10))
def test_fast_and_deep_path_account_for_every_frame(frames: list[bytes]) -> None:
    """Without scapy, what it would have been given is counted as such."""
    for deep in (True, False):
        decoded = decode(_frames(frames), deep=deep)
        assert len(decoded.columns) + sum(decoded.undecoded.values()) == len(frames)
        for field in fields(decoded.columns):
            assert len(getattr(decoded.columns, field.name)) == len(decoded.rows)


def test_padding_is_no_payload() -> None:
    """Ethernet fills a short frame up to 60 bytes; the IP header knows better."""
    packet = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A")) + b"\x00" * 6
    assert decode(_frames([packet])).columns.payload_bytes.tolist() == [0]


def test_payload_that_was_not_captured_still_counts() -> None:
    """The recorder keeps headers only, and the size of what it left out is a figure."""
    packet = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP() / Raw(b"x" * 900))[:54]
    columns = decode(_frames([packet], extra=900)).columns
    assert columns.payload_bytes.tolist() == [900]
    assert columns.wire_bytes.tolist() == [954]


def test_offloaded_packet_without_a_length_takes_the_frame_s() -> None:
    """Above 64 KiB the kernel writes zero, because the field cannot hold more."""
    packet = bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2", len=0) / TCP())
    columns = decode(_frames([packet], extra=70_000)).columns
    assert columns.payload_bytes.tolist() == [70_000]


_IP = {"src": "10.0.0.1", "dst": "10.0.0.2"}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(b"\x00" * 13, TRUNCATED, id="no Ethernet header"),
        pytest.param(bytes(Ether() / IP(**_IP) / TCP())[:40], TRUNCATED, id="half a TCP header"),
        pytest.param(bytes(Ether() / ARP()), NOT_IP, id="ARP"),
        pytest.param(
            bytes(Ether() / IP(**_IP, proto=1) / Raw(b"ping" * 9)), NOT_TCP_UDP, id="ICMP"
        ),
        pytest.param(bytes(Ether() / IP(**_IP, flags="MF") / TCP()), FRAGMENT, id="first fragment"),
        pytest.param(
            bytes(Ether() / IP(**_IP, frag=3, proto=6) / Raw(b"x" * 40)), FRAGMENT, id="fragment"
        ),
        pytest.param(
            bytes(Ether() / Dot1Q() / IP(**_IP, flags="MF") / TCP()), FRAGMENT, id="in a VLAN"
        ),
        pytest.param(
            bytes(Ether() / IPv6() / IPv6ExtHdrFragment(m=1) / TCP()), FRAGMENT, id="IPv6 fragment"
        ),
        pytest.param(bytes(Ether() / IP(**_IP, len=30) / TCP()), MALFORMED, id="length lies"),
        pytest.param(bytes(Ether() / IP(**_IP) / TCP(dataofs=2)), MALFORMED, id="offset lies"),
    ],
)
def test_frame_of_no_use_is_counted_by_its_reason(frame: bytes, reason: str) -> None:
    """An operator sees why a capture has fewer packets than frames."""
    decoded = decode(_frames([frame]))
    assert decoded.undecoded == {reason: 1}
    assert len(decoded.columns) == 0

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from packet.decode.columns import PROTOCOL_TCP, address_words
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.decode.layers import Transport
from packet.decode.link_types import find_transport
from packet.decode.vectorized import TCP_BYTES, UDP_BYTES
from packet.decode.vectorized_tunnels import read_tunnels

Layer: TypeAlias = Any  # scapy ships no types

_MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
_ETHER = Ether(**_MACS)
_OUTER, _OUTER6 = IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="fd00::1", dst="fd00::2")
_SEGMENT = TCP(sport=40_000, dport=443, seq=7, ack=9, flags="PA", options=[
    ("NOP", None), ("NOP", None), ("SAck", (100, 200)),
]) / Raw(b"x" * 9)  # fmt: skip
_V4, _V6 = (
    IP(src="10.0.0.1", dst="10.0.0.2") / _SEGMENT,
    IPv6(src="fd01::1", dst="fd01::2") / _SEGMENT,
)
_TUNNELS: dict[str, Layer] = {
    "vxlan": _OUTER / UDP(sport=5000, dport=4789) / VXLAN(vni=5) / _ETHER / _V4,
    "vxlan of linux": _OUTER6 / UDP(sport=5000, dport=8472) / VXLAN() / _ETHER / Dot1Q(vlan=3)
    / _V6,
    "geneve": _OUTER / UDP(sport=5000, dport=6081) / GENEVE(vni=5) / _ETHER / _V4,
    "geneve with options": _OUTER / UDP(dport=6081, sport=5000)
    / GENEVE(vni=5, options=[GeneveOptions(data=b"1234")]) / _ETHER / _V6,
    "geneve of ip": _OUTER / UDP(dport=6081, sport=5000) / GENEVE(proto=0x0800) / _V4,
    "gre": _OUTER / GRE() / _V4,
    "gre with a key": _OUTER6 / GRE(key_present=1, key=3, seqnum_present=1) / _V6,
    "gre of ethernet": _OUTER / GRE(proto=0x6558, chksum_present=1) / _ETHER / _V4,
    "vxlan of udp": _OUTER / UDP(sport=5000, dport=4789) / VXLAN() / _ETHER
    / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=53, dport=5353) / Raw(b"abc"),
}  # fmt: skip
_BUILT = {name: bytes(_ETHER / layer) for name, layer in _TUNNELS.items()}


@pytest.mark.parametrize("name", _TUNNELS)
def test_what_a_tunnel_carries_is_read_at_once(name: str) -> None:
    """One at a time they took ten times as long as all others together."""
    frames = frames_of([(5, len(_BUILT[name]), _BUILT[name])] * 3)
    columns, rows = read_tunnels(frames, np.arange(3), False)
    assert rows.tolist() == [0, 1, 2]
    assert set(columns.wire_bytes.tolist()) == {len(_BUILT[name])}
    if "udp" not in name:
        assert columns.tcp_sack[:, :2].tolist() == [[100, 200]] * 3
        assert columns.payload_bytes.tolist() == [9] * 3
    assert decode(frames).columns.flow_hash.tolist() == columns.flow_hash.tolist()


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(_OUTER / GRE() / _V4, id="another tunnel"),
        pytest.param(IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / _SEGMENT, id="a fragment"),
        pytest.param(IP(proto=50) / Raw(b"x" * 40), id="nothing to be read"),
    ],
)
def test_all_else_is_left_to_the_walk(inner: Layer) -> None:
    """What is doubtful is judged where everything is."""
    built = bytes(_ETHER / _OUTER / UDP(sport=5000, dport=4789) / VXLAN() / _ETHER / inner)
    _, rows = read_tunnels(frames_of([(5, len(built), built)]), np.arange(1), True)
    assert rows.tolist() == []


@given(
    st.sampled_from(sorted(_BUILT)),
    st.lists(st.tuples(st.integers(0, 160), st.integers(0, 255)), max_size=4),
    st.integers(0, 60),
    st.integers(0, 30),
)
def test_it_is_what_the_walk_would_have_found(
    name: str, changes: list[tuple[int, int]], cut: int, padding: int
) -> None:
    """Whatever bytes are changed, cut off or added behind."""
    frame = bytearray(_BUILT[name] + b"\x00" * padding)
    for at, value in changes:
        frame[at % len(frame)] = value
    wire_bytes = len(frame)
    kept = bytes(frame[: max(len(frame) - cut, 1)])
    columns, rows = read_tunnels(frames_of([(5, wire_bytes, kept)]), np.arange(1), False)
    if not len(rows):
        return
    found = find_transport(kept, wire_bytes, 1)
    assert isinstance(found, Transport)
    head = found.data[found.position : found.position + TCP_BYTES]
    size = (head[12] >> 4) * 4 if found.protocol == PROTOCOL_TCP else UDP_BYTES
    assert columns.protocol.tolist() == [found.protocol]
    assert (tuple(columns.src[0].tolist()), tuple(columns.dst[0].tolist())) == (
        found.src,
        found.dst,
    )
    assert columns.src_port[0] == int.from_bytes(head[:2], "big")
    assert columns.dst_port[0] == int.from_bytes(head[2:4], "big")
    assert columns.payload_bytes[0] == found.end - found.position - size
    assert columns.ttl[0] == found.hops
    assert found.is_whole


def test_addresses_are_those_inside() -> None:
    """The ends of the tunnel are the same for every connection in it."""
    built = _BUILT["vxlan"]
    columns = decode(frames_of([(5, len(built), built)])).columns
    assert columns.src[0].tolist() == list(address_words("10.0.0.1"))

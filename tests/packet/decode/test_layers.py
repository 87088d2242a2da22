from __future__ import annotations

import struct
import zlib
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import (
    GRE,
    GRE_PPTP,
    LLC,
    SNAP,
    CookedLinux,
    CookedLinuxV2,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
    Loopback,
)
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from packet.decode.columns import PROTOCOL_TCP, PROTOCOL_UDP, address_texts
from packet.decode.decode import decode
from packet.decode.fragments import Fragments
from packet.decode.frames import frames_of
from packet.decode.layers import NOT_TCP_UDP
from packet.decode.link_types import LINKS, find_transport
from tests.support.examples import examples

Layer: TypeAlias = Any  # scapy ships no types

_OUTER = IP(src="192.0.2.1", dst="192.0.2.2")
_OUTER6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
_TCP = TCP(sport=40_000, dport=443, seq=7, ack=9, flags="PA", window=512)
_INNER = IP(src="10.0.0.1", dst="10.0.0.2", ttl=61)
_V4 = _INNER / _TCP / Raw(b"hello")
_V6 = IPv6(src="fd00::1", dst="fd00::2", hlim=61) / _TCP / Raw(b"hello")
_FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / _V4
_TCP_OUT = _TCP / Raw(b"hello")
_DUMMY = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


def _deflated(packet: Layer) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(bytes(packet)) + deflater.flush()


def _udp(port: int) -> Layer:
    return Ether(**_DUMMY) / _OUTER / UDP(sport=55_555, dport=port)


@pytest.mark.parametrize(
    ("frame", "link_type"),
    [
        pytest.param(_FRAME, 1, id="plain"),
        pytest.param(Ether(**_DUMMY) / Dot1AD(vlan=5) / Dot1Q(vlan=7) / _V4, 1, id="QinQ"),
        pytest.param(Ether(**_DUMMY) / Dot1Q() / Dot1Q() / Dot1Q() / _V6, 1, id="three tags"),
        pytest.param(Ether(**_DUMMY) / _V6, 1, id="IPv6"),
        pytest.param(Dot3(**_DUMMY) / LLC() / SNAP() / _V4, 1, id="802.3 with SNAP"),
        pytest.param(Ether(**_DUMMY) / PPPoE() / PPP() / _V4, 1, id="PPPoE"),
        pytest.param(Ether(**_DUMMY) / MPLS(s=0) / MPLS(s=1) / _V4, 1, id="MPLS"),
        pytest.param(Ether(**_DUMMY) / MPLS(s=1) / _V6, 1, id="MPLS, IPv6"),
        pytest.param(Ether(**_DUMMY) / _OUTER / _V4, 1, id="IPIP"),
        pytest.param(Ether(**_DUMMY) / _OUTER / _V6, 1, id="6in4"),
        pytest.param(Ether(**_DUMMY) / _OUTER6 / _V4, 1, id="4in6"),
        pytest.param(Ether(**_DUMMY) / _OUTER / GRE() / _V4, 1, id="GRE"),
        pytest.param(
            Ether(**_DUMMY) / _OUTER / GRE(key_present=1, seqnum_present=1) / _V4, 1, id="GRE, key"
        ),
        pytest.param(Ether(**_DUMMY) / _OUTER / GRE(proto=0x6558) / _FRAME, 1, id="NVGRE"),
        pytest.param(
            Ether(**_DUMMY) / _OUTER / GRE(seqnum_present=1) / ERSPAN_II() / _FRAME, 1, id="ERSPAN"
        ),
        pytest.param(
            Ether(**_DUMMY) / _OUTER / GRE_PPTP(seqnum_present=1) / PPP() / _V4, 1, id="PPTP"
        ),
        pytest.param(_udp(4789) / VXLAN(vni=7, flags=8) / _FRAME, 1, id="VXLAN"),
        pytest.param(_udp(8472) / VXLAN(vni=7, flags=8) / _FRAME, 1, id="VXLAN, Linux's port"),
        pytest.param(
            Ether(**_DUMMY) / _INNER / AH(nh=6, payloadlen=4, icv=b"\x00" * 12) / _TCP_OUT,
            1,
            id="AH",
        ),
        pytest.param(
            Ether(**_DUMMY) / _OUTER / AH(nh=4, payloadlen=4, icv=b"\x00" * 12) / _V4,
            1,
            id="AH, tunnel",
        ),
        pytest.param(
            Ether(**_DUMMY) / IP(proto=108) / Raw(b"\x04\x00\x00\x02" + _deflated(_V4)),
            1,
            id="IPComp",
        ),
        pytest.param(Ether(**_DUMMY) / IPv6(nh=143) / _FRAME, 1, id="Ethernet in SRv6"),
        pytest.param(
            Ether(**_DUMMY)
            / IP(proto=47)
            / Raw(b"\x20\x01\x64\x00\x00\x36\x00\x19" + bytes(_FRAME)),
            1,
            id="EoIP",
        ),
        pytest.param(
            Ether(**_DUMMY) / IP(proto=47) / Raw(b"\x30\x01\x08\x00" + b"\x05" * 8 + bytes(_V4)),
            1,
            id="GRE version 1 without PPP",
        ),
        pytest.param(Ether(**_DUMMY) / MPLS(s=1) / _FRAME, 1, id="MPLS, Ethernet"),
        pytest.param(
            Ether(**_DUMMY) / MPLS(s=1) / Raw(b"\x00" * 4 + bytes(_FRAME)),
            1,
            id="MPLS, control word",
        ),
        pytest.param(
            Ether(**_DUMMY, type=0x892F) / Raw(b"\x00\x40\x00\x01\x08\x00" + bytes(_V4)),
            1,
            id="HSR",
        ),
        pytest.param(
            Ether(**_DUMMY, type=0x88E5)
            / Raw(b"\x20\x00" + b"\x07" * 12 + b"\x08\x00" + bytes(_V4)),
            1,
            id="MACsec, signed only",
        ),
        pytest.param(
            Ether(**_DUMMY, type=0x22F3) / Raw(b"\x00\x40" + b"\x07" * 8 + bytes(_FRAME)),
            1,
            id="TRILL with an option",
        ),
        pytest.param(
            b"MGC\x80\x00\x02\x01\x00" + bytes(_FRAME), 178, id="Juniper's Ethernet header"
        ),
        pytest.param(struct.pack("<III", 16, 1, 1) + b"\x00" * 4 + bytes(_FRAME), 258, id="pktap"),
        pytest.param(b"\x00" * 4 + bytes(_FRAME), 240, id="netANALYZER"),
        pytest.param(_udp(6081) / GENEVE(proto=0x6558) / _FRAME, 1, id="GENEVE"),
        pytest.param(_udp(6081) / GENEVE(proto=0x0800) / _V4, 1, id="GENEVE, IP"),
        pytest.param(_udp(2152) / GTP_U_Header(teid=1, gtp_type=255) / _V4, 1, id="GTP-U"),
        pytest.param(
            _udp(2152) / GTP_U_Header(teid=1, gtp_type=255, S=1, seq=3) / _V4, 1, id="GTP-U, number"
        ),
        pytest.param(
            _udp(1701) / L2TP(hdr=2, tunnel_id=1, session_id=1) / HDLC() / PPP() / _V4, 1, id="L2TP"
        ),
        pytest.param(_udp(3544) / _V6, 1, id="Teredo"),
        pytest.param(
            _udp(4789) / VXLAN(flags=8) / Ether(**_DUMMY) / _OUTER / GRE() / _OUTER6 / _V4,
            1,
            id="a tunnel in a tunnel in a tunnel",
        ),
        pytest.param(CookedLinux(proto=0x0800) / _V4, 113, id="SLL"),
        pytest.param(CookedLinux(proto=0x86DD) / _V6, 113, id="SLL, IPv6"),
        pytest.param(CookedLinuxV2(proto=0x0800) / _V4, 276, id="SLL2"),
        pytest.param(Loopback(type=2) / _V4, 0, id="BSD loopback"),
        pytest.param(b"\x02\x00\x00\x00" + bytes(_V4), 0, id="BSD loopback, little-endian"),
        pytest.param(b"\x00\x00\x00\x1c" + bytes(_V6), 108, id="OpenBSD loopback, IPv6"),
        pytest.param(_V4, 101, id="raw IPv4"),
        pytest.param(_V6, 101, id="raw IPv6"),
        pytest.param(_V4, 228, id="raw, known to be IPv4"),
        pytest.param(HDLC() / PPP() / _V4, 9, id="PPP"),
        pytest.param(PPP() / _V6, 9, id="PPP without address"),
        pytest.param(b"\x0f\x00\x08\x00" + bytes(_V4), 104, id="Cisco HDLC"),
        pytest.param(b"\x18\x41\x03\xcc" + bytes(_V4), 107, id="frame relay"),
        pytest.param(b"\x00" * 13 + bytes(LLC() / SNAP() / _V4), 10, id="FDDI"),
        pytest.param(
            b"\x08\x02" + b"\x00" * 22 + bytes(LLC() / SNAP() / _V4), 105, id="802.11 data"
        ),
        pytest.param(
            b"\x00\x00\x08\x00\x00\x00\x00\x00\x88\x02"
            + b"\x00" * 24
            + bytes(LLC() / SNAP() / _V4),
            127,
            id="radiotap, 802.11 QoS data",
        ),
    ],
)
def test_innermost_header_is_found(frame: Layer, link_type: int) -> None:
    """The flow that an operator looks for is the one that the applications see."""
    built = bytes(frame)
    decoded = decode(frames_of([(5, len(built), built)], link_type))
    assert decoded.undecoded == {}
    columns = decoded.columns
    ends = (address_texts(columns.src)[0], address_texts(columns.dst)[0])
    assert ends in (("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2"))
    assert (columns.src_port[0], columns.dst_port[0]) == (40_000, 443)
    assert (columns.tcp_seq[0], columns.tcp_ack[0], columns.tcp_window[0]) == (7, 9, 512)
    assert (columns.tcp_flags[0], columns.ttl[0], columns.payload_bytes[0]) == (0x18, 61, 5)
    assert columns.wire_bytes[0] == len(built)


@pytest.mark.parametrize(
    "extension", [IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(addresses=["fd00::9"])]
)
def test_extension_headers_are_no_payload(extension: Layer) -> None:
    """What is behind them is, and its length is what is left."""
    built = bytes(Ether(**_DUMMY) / IPv6(src="fd00::1", dst="fd00::2") / extension / _TCP / b"xyz")
    columns = decode(frames_of([(5, len(built), built)])).columns
    assert (columns.dst_port.tolist(), columns.payload_bytes.tolist()) == ([443], [3])


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(
            UDP(dport=2152) / Raw(b"\x20\xff\x00\x2d" + b"\x00" * 4 + bytes(_V4)), id="GTP'"
        ),
        *(
            pytest.param(
                UDP(dport=2152)
                / Raw(bytes([version << 5 | 0x10, 0xFF]) + b"\x00\x2d" + bytes(4) + bytes(_V4)),
                id=f"GTP version {version}",
            )
            for version in range(2, 8)
        ),
        pytest.param(UDP(dport=4789) / Raw(b"\x08"), id="VXLAN cut off"),
    ],
)
def test_what_is_no_tunnel_is_the_outer_datagram(payload: Layer) -> None:
    """Else a record of charges would be taken for a connection."""
    frame = bytes(Ether(**_DUMMY) / _OUTER / payload)
    columns = decode(frames_of([(5, len(frame), frame)])).columns
    assert (columns.protocol.tolist(), address_texts(columns.src)) == (
        [PROTOCOL_UDP],
        ["192.0.2.1"],
    )


def test_what_inflates_without_end_is_cut_to_a_packet() -> None:
    """A kilobyte on the wire must not become a gigabyte in memory."""
    bomb = Raw(b"\x04\x00\x00\x02" + _deflated(bytes(_V4) + b"\x00" * 10_000_000))
    frame = bytes(Ether(**_DUMMY) / IP(proto=108) / bomb)
    columns = decode(frames_of([(5, len(frame), frame)])).columns
    assert columns.dst_port.tolist() == [443]
    damaged = bytes(IP(proto=108) / Raw(b"\x04\x00\x00\x02\xff\xff"))
    assert find_transport(damaged, len(damaged), 101) == NOT_TCP_UDP


def test_datagram_of_a_tunnel_that_carries_none_is_the_outer_one() -> None:
    """A port is a hint: other things may be said over it."""
    built = bytes(_udp(4789) / Raw(b"x"))
    columns = decode(frames_of([(5, len(built), built)])).columns
    assert (columns.protocol.tolist(), columns.dst_port.tolist()) == ([PROTOCOL_UDP], [4789])


def test_sack_blocks_are_read_wherever_they_are_among_the_options() -> None:
    """After a timestamp, before it, and in a tunnel."""
    blocks = (100, 200, 300, 400)
    sack, stamp = ("SAck", blocks), ("Timestamp", (1, 2))
    tcp = [
        TCP(flags="A", options=[("NOP", None), ("NOP", None), stamp, ("NOP", None), sack]),
        TCP(flags="A", options=[sack, stamp]),
        TCP(flags="A", options=[stamp]),
    ]
    built = [bytes(Ether(**_DUMMY) / IP() / each) for each in tcp]
    built.append(bytes(Ether(**_DUMMY) / _OUTER / IP() / tcp[0]))
    columns = decode(frames_of([(5, len(each), each) for each in built])).columns
    wanted = [*blocks, 0, 0, 0, 0]
    assert columns.tcp_sack.tolist() == [wanted, wanted, [0] * 8, wanted]


def test_packet_cut_behind_its_ports_is_kept_on_request() -> None:
    """Wireshark lists it; what it says besides cannot be trusted."""
    built = bytes(_FRAME)
    frames = frames_of([(5, len(built), built[:cut]) for cut in (37, 38, 49, 50)])
    decoded = decode(frames, partial=True)
    assert decoded.undecoded == {"truncated": 1}
    assert decoded.rows.tolist() == [1, 2, 3]
    assert decoded.columns.dst_port.tolist() == [443, 443, 443]
    assert decoded.is_partial.tolist() == [True, True, False]
    assert len(decode(frames).columns) == 1


def _fragments(payload: bytes, size: int) -> list[bytes]:
    """Return a TCP packet in fragments of `size` bytes."""
    whole = bytes(_TCP / Raw(payload))
    return [
        bytes(
            Ether(**_DUMMY)
            / IP(src="10.0.0.1", dst="10.0.0.2", id=77, proto=6, frag=index // 8,
                 flags="MF" if index + size < len(whole) else 0)
            / Raw(whole[index : index + size])
        )
        for index in range(0, len(whole), size)
    ]  # fmt: skip


@given(st.permutations(range(4)))
def test_fragments_are_one_packet_where_the_last_of_them_comes(order: list[int]) -> None:
    """In whatever order they arrive."""
    parts = _fragments(b"x" * 76, 24)
    frames = frames_of([(row, len(parts[each]), parts[each]) for row, each in enumerate(order)])
    decoded = decode(frames, fragments=Fragments())
    assert decoded.undecoded == {"ip_fragment": 3}
    assert decoded.rows.tolist() == [3]
    assert decoded.columns.payload_bytes.tolist() == [76]
    assert decoded.columns.dst_port.tolist() == [443]
    assert not decoded.is_partial.any()


def test_fragments_of_a_datagram_do_not_complete_another() -> None:
    """Identifiers tell them apart, and what is held has a bound."""
    fragments = Fragments()
    assert fragments.add("a", 0, True, b"12345678") is None
    assert fragments.add("b", 8, False, b"90") is None
    assert fragments.add("a", 8, False, b"90") == b"1234567890"
    for number in range(1000):
        assert fragments.add(number, 8, True, b"x" * 60_000) is None
    assert fragments.add(999, 0, True, b"y" * 8) is None
    assert fragments.add(999, 60_008, False, b"z") == b"y" * 8 + b"x" * 60_000 + b"z"
    assert fragments.add("b", 0, True, b"12345678") is None, "let go long ago"


@settings(max_examples=examples(200))
@given(st.sampled_from(sorted(LINKS)), st.binary(max_size=150), st.integers(0, 2**31))
def test_no_bytes_make_the_walk_raise(link_type: int, frame: bytes, wire_bytes: int) -> None:
    """A hostile frame ends in a header that lies within it, or in a reason."""
    found = find_transport(frame, wire_bytes, link_type, Fragments())
    assert isinstance(found, str) or found.position + 4 <= len(found.data)


@settings(max_examples=examples(100))
@given(st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_damaged_tunnel_is_decoded_or_counted(at: int, value: int, is_cut: bool) -> None:
    """Bit errors anywhere in five layers."""
    built = bytearray(
        bytes(_udp(4789) / VXLAN(flags=8) / Ether(**_DUMMY) / _OUTER / GRE() / _OUTER6 / _V4)
    )
    at %= len(built)
    built[at] = value
    data = bytes(built[:at] if is_cut else built)
    decoded = decode(frames_of([(5, len(built), data)]), partial=True, fragments=Fragments())
    assert len(decoded.columns) + sum(decoded.undecoded.values()) == 1


def test_length_of_a_pppoe_session_ends_the_packet() -> None:
    """Its own length counts, even where the IP header claims more."""
    built = bytearray(bytes(Ether(**_DUMMY) / PPPoE() / PPP() / _V4))
    (length,) = struct.unpack_from(">H", built, 18)
    struct.pack_into(">H", built, 18, length - 2)
    columns = decode(frames_of([(5, len(built), bytes(built))])).columns
    assert columns.payload_bytes.tolist() == [3]


@pytest.mark.parametrize(("behind", "payload"), [(b"\x09" * 4, 5), (b"", 1)])
def test_check_sequence_of_a_fabric_path_frame_is_no_payload(behind: bytes, payload: int) -> None:
    """Wireshark takes the last four bytes for it, also where a capture has left it out."""
    built = bytes(Ether(**_DUMMY, type=0x8903) / Raw(b"\x00\x01" + bytes(_FRAME) + behind))
    columns = decode(frames_of([(5, len(built), built)])).columns
    assert columns.payload_bytes.tolist() == [payload]


def test_link_type_without_a_walk_is_scapys() -> None:
    """Bluetooth, CAN and others are counted by name, and none of them raises."""
    decoded = decode(frames_of([(5, 60, b"\x00" * 60)], 9999))
    assert decoded.undecoded == {"undecodable": 1}
    assert decoded.columns.protocol.tolist() == []
    known = decode(frames_of([(5, 60, b"\x00" * 60)], 227))
    assert sum(known.undecoded.values()) == 1


def test_many_frames_keep_their_order_and_their_rows() -> None:
    """Parts of 32 Ki frames are decoded one after the other, with some that need the walk."""
    plain, tunnel = bytes(_FRAME), bytes(Ether(**_DUMMY) / _OUTER / GRE() / _V4)
    records = [(row, 99, tunnel if row % 5000 == 7 else plain) for row in range(70_000)]
    decoded = decode(frames_of(records))
    assert (decoded.rows == np.arange(70_000)).all()
    assert (decoded.columns.ts_ns == np.arange(70_000)).all()
    assert (decoded.columns.protocol == PROTOCOL_TCP).all()
    assert address_texts(decoded.columns.src[[7, 5007]]) == ["10.0.0.1", "10.0.0.1"]

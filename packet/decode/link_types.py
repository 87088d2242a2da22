"""Pure: how a frame of each link type begins, and the way from there to its TCP or UDP header."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from packet.decode.fragments import Fragments
from packet.decode.layers import (
    MALFORMED,
    NOT_IP,
    TRUNCATED,
    UNKNOWN_LINK,
    FrameCursor,
    Step,
    Transport,
    by_ethertype,
    ethernet,
    ip,
    ipv4,
    ipv6,
    llc,
    nlpid,
    ppp,
)
from packet.decode.tunnels import PROTOCOLS, TUNNELS, gre
from packet.decode.wireless import prism, radiotap, wireless

# AF_INET is 2 everywhere; AF_INET6 differs: Linux, NetBSD, FreeBSD, Darwin, Windows.
FAMILIES_V4: Final = frozenset({2})
FAMILIES_V6: Final = frozenset({10, 23, 24, 26, 28, 30})


# A frame of 256 KiB can nest more, and none that was sent does.
_LAYERS_MAX: Final = 40


def _family(number: int) -> Step:
    return ip if number in FAMILIES_V4 else ipv6 if number in FAMILIES_V6 else NOT_IP


def _null(cursor: FrameCursor) -> Step:
    """BSD loopback: an address family in the byte order of the host that captured."""
    if cursor.u16(0) == 0xFF03:
        return ppp
    number = cursor.u32(0)
    if number > 0xFFFF:
        number = int.from_bytes(number.to_bytes(4, "big"), "little")
    following = _family(number) if number <= 1500 else by_ethertype(number)
    return cursor.skip(4, following)


def _after(count: int, following: Step) -> Callable[[FrameCursor], Step]:
    return lambda cursor: cursor.skip(count, following)


def _cooked(hardware_at: int, protocol_at: int, header: int) -> Callable[[FrameCursor], Step]:
    """Linux's cooked capture, version 1 or 2, which differ in the order of their fields."""

    def read(cursor: FrameCursor) -> Step:
        hardware, protocol = cursor.u16(hardware_at), cursor.u16(protocol_at)
        cursor.position += header
        if hardware == 778:  # ARPHRD_IPGRE
            return gre if protocol not in (0x0800, 0x86DD) else by_ethertype(protocol)
        if protocol == 4:
            return llc
        return by_ethertype(protocol) if protocol > 1500 else NOT_IP

    return read


def _frame_relay(cursor: FrameCursor) -> Step:
    """Q.922 address of two to four bytes, then RFC 2427, or an EtherType as Cisco has it."""
    size = 1
    while not cursor.byte(size - 1) & 1:
        size += 1
    if cursor.byte(size) == 3:
        size += 1 if cursor.byte(size + 1) else 2
        return cursor.skip(size, nlpid)
    kind = cursor.u16(size)
    return cursor.skip(size + 2, by_ethertype(kind) if kind > 1500 else NOT_IP)


def _cisco_hdlc(cursor: FrameCursor) -> Step:
    kind = cursor.u16(2)
    return cursor.skip(4, by_ethertype(kind) if kind > 1500 else NOT_IP)


def _ppp_hdlc(cursor: FrameCursor) -> Step:
    return _cisco_hdlc if cursor.byte(0) in (0x0F, 0x8F) else ppp


def _token_ring(cursor: FrameCursor) -> Step:
    routed = cursor.byte(14) & 0x1F if cursor.byte(8) & 0x80 else 0
    return cursor.skip(14 + routed, llc)


def _atm(cursor: FrameCursor) -> Step:
    return llc if cursor.u16(0) in (0xAAAA, 0xFEFE) else ip


def _sun_atm(cursor: FrameCursor) -> Step:
    return cursor.skip(4, llc) if cursor.byte(0) & 15 == 2 else NOT_IP


def _ip_over_fc(cursor: FrameCursor) -> Step:
    return cursor.skip(16, llc)


def _per_packet(cursor: FrameCursor) -> Step:
    size, link_type = struct.unpack_from("<HI", cursor.data, cursor.position + 2)
    return cursor.skip(size, LINKS.get(link_type, NOT_IP) if size >= 8 else NOT_IP)


def _per_interface(cursor: FrameCursor) -> Step:
    """Apple's pktap: a header that states its length, and the link type of what follows."""
    size, kind, link_type = struct.unpack_from("<III", cursor.data, cursor.position)
    return cursor.skip(size, LINKS.get(link_type, NOT_IP) if size >= 12 and kind == 1 else NOT_IP)


def _juniper(cursor: FrameCursor) -> Step:
    """Juniper's header of an Ethernet frame, with its extensions."""
    if cursor.u32(0) >> 8 != 0x4D4743:
        return NOT_IP
    flags = cursor.byte(3)
    size = 4 + (2 + cursor.u16(4) if flags & 0x80 else 0)
    return cursor.skip(size, ethernet) if not flags & 2 else NOT_IP


def _firewall(cursor: FrameCursor) -> Step:
    """OpenBSD's pflog."""
    size, family = cursor.byte(0), cursor.byte(1)
    return cursor.skip((size + 3) // 4 * 4, _family(family))


def _encapsulated(cursor: FrameCursor) -> Step:
    """OpenBSD's enc: address family in host order, SPI, flags."""
    number = cursor.u32(0)
    if number > 0xFFFF:
        number = int.from_bytes(number.to_bytes(4, "big"), "little")
    return cursor.skip(12, _family(number))


def _netfilter(cursor: FrameCursor) -> Step:
    """Linux's NFLOG: attributes, one of which is the packet."""
    family = cursor.byte(0)
    cursor.position += 4
    while cursor.position < len(cursor.data):
        size, kind = struct.unpack_from("<HH", cursor.data, cursor.position)
        if size < 4:
            return TRUNCATED
        if kind & 0x7FFF == 9:
            return cursor.skip(4, _family(family))
        cursor.position += (size + 3) // 4 * 4
    return NOT_IP


def _arcnet(offset_bytes: int) -> Callable[[FrameCursor], Step]:
    """ARCNET, as BSD captures it, or Linux with two bytes of offset. Source: RFC 1201, 1051."""

    def read(cursor: FrameCursor) -> Step:
        kind = cursor.byte(2 + offset_bytes)
        if kind == 240:
            return cursor.skip(3 + offset_bytes, ip)
        return cursor.skip(6 + offset_bytes, ip) if kind == 212 else NOT_IP

    return read


def _infiniband(cursor: FrameCursor) -> Step:
    kind = cursor.u16(40)
    return cursor.skip(44, by_ethertype(kind))


def _solaris(cursor: FrameCursor) -> Step:
    return cursor.skip(24, _family(cursor.byte(1)))


LINKS: Final[Mapping[int, Step]] = {
    0: _null,
    1: ethernet,
    6: _token_ring,
    8: _after(16, ip),  # SLIP
    7: _arcnet(0),
    9: _ppp_hdlc,
    10: _after(13, llc),  # FDDI
    11: _atm,
    12: ip,
    14: ip,
    50: _ppp_hdlc,
    51: _after(6, ppp),  # PPPoE without its MAC header
    100: _atm,
    101: ip,
    104: _cisco_hdlc,
    105: wireless,
    106: _atm,
    107: _frame_relay,
    108: _null,
    109: _encapsulated,
    113: _cooked(2, 14, 16),
    117: _firewall,
    119: prism,
    122: _ip_over_fc,
    123: _sun_atm,
    127: radiotap,
    129: _arcnet(2),
    163: prism,
    166: _after(1, ppp),
    178: _juniper,
    192: _per_packet,
    204: _after(1, _ppp_hdlc),
    205: _after(1, _cisco_hdlc),
    206: _after(1, _frame_relay),
    226: _solaris,
    228: ipv4,
    229: ipv6,
    239: _netfilter,
    240: _after(4, ethernet),  # netANALYZER
    241: _after(12, ethernet),  # the same with a preamble
    242: _infiniband,
    258: _per_interface,
    276: _cooked(8, 0, 20),
}


def find_transport(
    frame: bytes, wire_bytes: int, link_type: int, fragments: Fragments | None = None
) -> Transport | str:
    """Return the innermost TCP header of a frame, or else UDP header, or the reason for neither.

    Args:
        frame: the captured bytes.
        wire_bytes: how many there were.
        link_type: of tcpdump.org/linktypes.html.
        fragments: what earlier frames left of datagrams; without it a fragment is a reason.
    """
    step: Step = LINKS.get(link_type, UNKNOWN_LINK)
    cursor = FrameCursor(frame, wire_bytes, fragments, PROTOCOLS, TUNNELS)
    try:
        for _ in range(_LAYERS_MAX):
            if isinstance(step, str):
                break
            step = step(cursor)
        else:
            return cursor.found or MALFORMED
    except (IndexError, struct.error):
        step = TRUNCATED
    assert isinstance(step, str)
    return cursor.found or step

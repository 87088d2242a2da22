"""Pure: tunnels under IP and UDP: what a packet carries that carries a packet."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from packet.decode.layers import (
    LENGTH_MAX,
    MALFORMED,
    NOT_IP,
    NOT_TCP_UDP,
    FrameCursor,
    Step,
    by_ethertype,
    by_protocol,
    ethernet,
    ip,
    ipv6,
    mpls,
    nsh,
    ppp,
)
from packet.decode.wireless import wireless, wireless_swapped


def gre(cursor: FrameCursor) -> Step:
    """Read GRE, of version 0 or PPTP's 1. Source: RFC 2784, 2890, 2637."""
    flags, kind = cursor.u16(0), cursor.u16(2)
    header = 4 + 4 * bool(flags & 0xC000) + 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000)
    if flags & 7 == 1:
        header += 4 * bool(flags & 0x80)
    cursor.position += header
    if kind == 0x6400:  # MikroTik's EoIP
        return ethernet
    if kind == 0x88BE:  # ERSPAN: type II has a sequence number in GRE and a header of its own
        return cursor.skip(8 if flags & 0x1000 else 0, ethernet)
    if kind == 0x22EB:  # ERSPAN type III
        return cursor.skip(20 if cursor.byte(11) & 1 else 12, ethernet)
    if kind == 0x883E:  # WCCP, whose version 2 puts four bytes before IP
        return ip if cursor.byte(0) >> 4 == 4 else cursor.skip(4, ip)
    if 0x8200 <= kind <= 0x8350 or kind == 0x9000:  # Aruba's access points
        return wireless
    following = by_ethertype(kind) if kind > LENGTH_MAX else NOT_TCP_UDP
    return following if following != NOT_IP else NOT_TCP_UDP


def _vxlan(cursor: FrameCursor) -> Step:
    return cursor.skip(8, ethernet)


def _vxlan_gpe(cursor: FrameCursor) -> Step:
    kind = cursor.byte(3)
    return cursor.skip(8, {1: ip, 2: ip, 3: ethernet, 4: nsh, 5: mpls}.get(kind, NOT_TCP_UDP))


def _geneve(cursor: FrameCursor) -> Step:
    words, kind = cursor.byte(0) & 0x3F, cursor.u16(2)
    return cursor.skip(8 + words * 4, by_ethertype(kind) if kind > LENGTH_MAX else NOT_TCP_UDP)


def _gtp(cursor: FrameCursor) -> Step:
    """Read GTP-U with its extension headers. Source: 3GPP TS 29.281."""
    flags, kind = cursor.byte(0), cursor.byte(1)
    if kind != 0xFF:
        return NOT_TCP_UDP
    if flags >> 5 == 0:  # GTP version 0
        return cursor.skip(20, ip)
    # GTP' carries records of charges, version 2 only signals, and others there are none.
    if flags >> 5 != 1 or not flags & 0x10:
        return NOT_TCP_UDP
    cursor.position += 8
    if flags & 7:
        following = cursor.byte(3) if flags & 4 else 0
        cursor.position += 4
        while following:
            words = cursor.byte(0)
            if not words:
                return MALFORMED
            following = cursor.byte(words * 4 - 1)
            cursor.position += words * 4
    return ip


def _teredo(cursor: FrameCursor) -> Step:
    """Read Teredo's optional authentication and origin. Source: RFC 4380."""
    if cursor.u16(0) == 1:
        cursor.position += 13 + cursor.byte(2) + cursor.byte(3)
    if cursor.u16(0) == 0:
        cursor.position += 8
    return ipv6 if cursor.byte(0) >> 4 == 6 else NOT_TCP_UDP


def _l2tp(cursor: FrameCursor) -> Step:
    """Read a data message of L2TP version 2. Source: RFC 2661."""
    flags = cursor.u16(0)
    if flags & 0x8000 or flags & 15 != 2:
        return NOT_TCP_UDP
    header = 6 + 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
    if flags & 0x0200:
        header += 2 + cursor.u16(header)
    return cursor.skip(header, ppp)


def _lisp(cursor: FrameCursor) -> Step:
    return cursor.skip(8, ip)


def _ayiya(cursor: FrameCursor) -> Step:
    words, kind = (cursor.byte(0) >> 4), cursor.byte(3)
    signature = cursor.byte(1) >> 4
    header = 8 + (1 << words) + signature * 4
    return cursor.skip(header, {4: ip, 41: ip}.get(kind, NOT_TCP_UDP))


def _capwap(cursor: FrameCursor) -> Step:
    """Read a data packet that is neither encrypted nor a fragment. Source: RFC 5415."""
    bits = cursor.u32(0)
    if bits >> 24 & 15 or bits & 0x80:
        return NOT_TCP_UDP
    native, binding = bits & 0x100, bits >> 9 & 31
    cursor.position += (bits >> 19 & 31) * 4
    if not native:
        return ethernet
    # Cisco's controllers swap the two bytes of frame control, and are most of those there are.
    return wireless_swapped if binding == 1 else NOT_TCP_UDP


def _tzsp(cursor: FrameCursor) -> Step:
    kind = cursor.u16(2)
    cursor.position += 4
    while (tag := cursor.byte(0)) != 1:
        cursor.position += 1 if tag == 0 else 2 + cursor.byte(1)
    return cursor.skip(1, ethernet if kind == 1 else NOT_TCP_UDP)


def _etherip(cursor: FrameCursor) -> Step:
    return cursor.skip(2, ethernet)


def _compressed(cursor: FrameCursor) -> Step:
    """Read IPComp whose payload is deflated. Source: RFC 3173, RFC 2394."""
    following = cursor.byte(0)
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflater.decompress(
            cursor.data[cursor.position + 4 : cursor.end], _INFLATED_BYTES_MAX
        )
    except zlib.error:
        return NOT_TCP_UDP
    cursor.data, cursor.position, cursor.end = plain, 0, len(plain)
    return by_protocol(cursor, following)


_INFLATED_BYTES_MAX: Final = 0xFFFF  # no IP packet is longer

PROTOCOLS: Final[Mapping[int, Step]] = {
    4: ip,
    41: ipv6,
    47: gre,
    94: ip,
    97: _etherip,
    108: _compressed,
    137: mpls,
    143: ethernet,
}
# The second is Linux's own, from before there was a standard.
VXLAN_PORTS: Final = (4789, 8472)
GENEVE_PORT: Final = 6081
# By either port; IANA's, RFC 7348, 8926, 8086, 7510, 4380.
TUNNELS: Final[Mapping[int, Step]] = {
    1701: _l2tp,
    2152: _gtp,
    3544: _teredo,
    4341: _lisp,
    4754: gre,
    **dict.fromkeys(VXLAN_PORTS, _vxlan),
    4790: _vxlan_gpe,
    5072: _ayiya,
    5247: _capwap,
    GENEVE_PORT: _geneve,
    6635: mpls,
    37008: _tzsp,
}

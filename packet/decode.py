"""Pure: captured frames -> columns. NumPy takes the many, scapy the few that are left.

The fast path reads Ethernet, IPv4 with options, IPv6, TCP and UDP for all frames at once. What it
leaves (VLAN tags, extension headers, tunnels, other link types) goes to scapy one by one; what
neither can use is counted by a named reason. No bytes make either of them raise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from packet.columns import (
    I64,
    MAPPED_WORD,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    U8,
    U16,
    U32,
    Mask,
    PacketColumns,
    address_words,
    concat_columns,
)
from packet.frames import LINK_ETHERNET, Frames
from packet.sampler import flow_hashes

_Scapy: TypeAlias = Any  # a scapy layer or its class; scapy ships no types

# Why a frame is not among the columns.
TRUNCATED = "truncated"  # fewer bytes captured than its headers need
MALFORMED = "malformed"  # a length or version that contradicts another
FRAGMENT = "ip_fragment"  # its ports are in another packet
NOT_IP = "not_ip"
NOT_TCP_UDP = "not_tcp_udp"
UNREAD = "needs_deep_decode"  # left by the fast path, and scapy was not asked
UNDECODABLE = "undecodable"  # scapy gave up

_OK = ""
_REASONS = np.array([_OK, TRUNCATED, MALFORMED, FRAGMENT, NOT_IP, NOT_TCP_UDP, UNREAD])
_CODE = {str(reason): code for code, reason in enumerate(_REASONS)}

_ETHERNET, _IPV4, _IPV6, _TCP, _UDP = 14, 20, 40, 20, 8  # shortest header of each, in bytes
_HEADERS_MAX = _ETHERNET + 60 + _TCP  # 60: the longest IPv4 header, 15 words
_ETHERTYPE_IPV4, _ETHERTYPE_IPV6 = 0x0800, 0x86DD
# Under these scapy may find TCP or UDP: VLAN tags, MPLS, PPPoE, and 802.3 lengths (LLC/SNAP).
_DEEP_ETHERTYPES = (0x8100, 0x88A8, 0x9100, 0x8847, 0x8848, 0x8864)
_LENGTH_MAX = 1500  # an EtherType of at most this is a length, IEEE 802.3 3.2.6
# IPv6 hop-by-hop, IPIP, 6in4, routing, fragment, GRE, AH, destination options.
_DEEP_PROTOCOLS = (0, 4, 41, 43, 44, 47, 51, 60)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What became of N frames: `len(columns)` decoded, the rest counted."""

    columns: PacketColumns
    rows: I64  # which frame each packet came from, ascending
    undecoded: dict[str, int]  # reason -> frames


def decode(frames: Frames, *, deep: bool = True) -> Decoded:
    """Return the TCP and UDP packets among `frames`, in their order.

    Args:
        frames: of any link type.
        deep: let scapy try what the fast path leaves, about 7 k frames/s; without it they are
            counted as `needs_deep_decode`.
    """
    if frames.link_type == LINK_ETHERNET:
        columns, reasons = _decode_fast(frames)
    else:
        reasons = np.full(len(frames), _CODE[UNREAD], np.uint8)
        columns = _no_columns(frames)
    taken = np.flatnonzero(reasons == _CODE[_OK])
    counts = Counter({str(_REASONS[code]): int((reasons == code).sum()) for code in set(reasons)})
    del counts[_OK]
    columns = columns.take(taken)
    if not deep or UNREAD not in counts:
        return Decoded(columns, taken, dict(counts))
    del counts[UNREAD]
    found, rows, missed = _decode_deep(frames, np.flatnonzero(reasons == _CODE[UNREAD]))
    order = np.argsort(np.concatenate([taken, rows]), kind="stable")
    return Decoded(
        concat_columns([columns, found]).take(order),
        np.concatenate([taken, rows])[order],
        dict(counts + missed),
    )


def _decode_fast(frames: Frames) -> tuple[PacketColumns, U8]:
    """Return a row for every frame, and why a row must not be used (0: it may)."""
    # A frame at the end of the buffer, or one shorter than its headers, is read into zeros.
    data = np.concatenate([frames.data, np.zeros(_HEADERS_MAX, np.uint8)])
    head = _windows(data, frames.offsets, _ETHERNET + _IPV6)
    ethertype = _u16(head, 12)
    is_v4 = ethertype == _ETHERTYPE_IPV4
    ip_header = np.where(is_v4, (head[:, 14] & 15).astype(np.int64) * 4, _IPV6)
    ip_header = np.maximum(ip_header, _IPV4)
    protocol = np.where(is_v4, head[:, 23], head[:, 20])
    is_tcp = protocol == PROTOCOL_TCP

    transport = _windows(data, frames.offsets + _ETHERNET + ip_header, _TCP)
    l4_header = np.where(is_tcp, (transport[:, 12] >> 4).astype(np.int64) * 4, _UDP)
    on_wire = frames.wire_bytes.astype(np.int64) - _ETHERNET
    stated = np.where(is_v4, _u16(head, 16), _u16(head, 18).astype(np.int64) + _IPV6)
    # Segmentation offload leaves the length zero where a packet exceeds 64 KiB.
    unstated = np.where(is_v4, stated == 0, stated == _IPV6)
    payload = np.where(unstated, on_wire, stated) - ip_header - l4_header

    reasons = _reasons(frames, head, protocol, ip_header, l4_header, payload)
    src, dst = _addresses(head, is_v4)
    src_port, dst_port = _u16(transport, 0), _u16(transport, 2)
    flags = _u16(transport, 12) & np.uint16(0x01FF)
    columns = PacketColumns(
        ts_ns=frames.ts_ns,
        flow_hash=flow_hashes(src, dst, src_port, dst_port, protocol),
        src=src,
        dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        protocol=protocol,
        ttl=np.where(is_v4, head[:, 22], head[:, 21]),
        tcp_flags=np.where(is_tcp, flags, 0).astype(np.uint16),
        tcp_seq=np.where(is_tcp, _u32(transport, 4), 0).astype(np.uint32),
        tcp_ack=np.where(is_tcp, _u32(transport, 8), 0).astype(np.uint32),
        tcp_window=np.where(is_tcp, _u16(transport, 14), 0).astype(np.uint32),
        payload_bytes=np.maximum(payload, 0).astype(np.uint32),
        wire_bytes=frames.wire_bytes,
    )
    return columns, reasons


def _reasons(
    frames: Frames, head: U8, protocol: U8, ip_header: I64, l4_header: I64, payload: I64
) -> U8:
    """Return a code a frame; the first condition that holds names it."""
    captured = frames.lengths
    ethertype = _u16(head, 12)
    is_v4, is_v6 = ethertype == _ETHERTYPE_IPV4, ethertype == _ETHERTYPE_IPV6
    is_ip, is_tcp, is_udp = is_v4 | is_v6, protocol == PROTOCOL_TCP, protocol == PROTOCOL_UDP
    version = head[:, 14] >> 4
    words = head[:, 14] & 15
    ip_end = _ETHERNET + ip_header
    needed = ip_end + np.where(is_tcp, _TCP, _UDP)
    conditions: list[tuple[Mask, str]] = [
        (captured < _ETHERNET, TRUNCATED),
        (np.isin(ethertype, _DEEP_ETHERTYPES) | (ethertype <= _LENGTH_MAX), UNREAD),
        (~is_ip, NOT_IP),
        (captured < np.where(is_v4, _ETHERNET + _IPV4, _ETHERNET + _IPV6), TRUNCATED),
        (is_v4 & ((version != 4) | (words < 5)), MALFORMED),
        (is_v6 & (version != 6), MALFORMED),
        (captured < ip_end, TRUNCATED),
        # More fragments follow, or this is not the first.
        (is_v4 & ((_u16(head, 20) & np.uint16(0x3FFF)) != 0), FRAGMENT),
        (np.isin(protocol, _DEEP_PROTOCOLS), UNREAD),
        (~is_tcp & ~is_udp, NOT_TCP_UDP),
        (captured < needed, TRUNCATED),
        (is_tcp & (l4_header < _TCP), MALFORMED),
        (payload < 0, MALFORMED),
    ]
    return np.select(
        [mask for mask, _ in conditions],
        [np.uint8(_CODE[reason]) for _, reason in conditions],
        default=np.uint8(_CODE[_OK]),
    ).astype(np.uint8)


def _addresses(head: U8, is_v4: Mask) -> tuple[U32, U32]:
    """Return the addresses of source and destination in four words each."""
    src = np.stack([_u32(head, 22 + 4 * word) for word in range(4)], axis=1)
    dst = np.stack([_u32(head, 38 + 4 * word) for word in range(4)], axis=1)
    for words, at in ((src, 26), (dst, 30)):
        words[is_v4, :2] = 0
        words[is_v4, 2] = MAPPED_WORD
        words[is_v4, 3] = _u32(head, at)[is_v4]
    return src, dst


def _windows(data: U8, starts: I64, width: int) -> U8:
    rows: U8 = sliding_window_view(data, width)[starts]
    return rows


def _u16(rows: U8, at: int) -> U16:
    value: U16 = (rows[:, at].astype(np.uint16) << np.uint16(8)) | rows[:, at + 1]
    return value


def _u32(rows: U8, at: int) -> U32:
    high = _u16(rows, at).astype(np.uint32)
    value: U32 = (high << np.uint32(16)) | _u16(rows, at + 2)
    return value


def _no_columns(frames: Frames) -> PacketColumns:
    """Return columns of zeros as long as `frames`, for a link type without a fast path."""
    blank = Frames(
        np.zeros(1, np.uint8),
        np.zeros(len(frames), np.int64),
        np.zeros(len(frames), np.int64),
        frames.ts_ns,
        frames.wire_bytes,
    )
    return _decode_fast(blank)[0]


def _decode_deep(frames: Frames, rows: I64) -> tuple[PacketColumns, I64, Counter[str]]:
    """Let scapy decode single frames; return what it found, where, and what it did not."""
    # Imported here: it takes longer than all other imports together, and the recorder's process,
    # which never decodes deeply, must not hold it in memory.
    from scapy.all import conf

    dissect = conf.l2types.num2layer.get(frames.link_type)
    found: list[tuple[int, ...]] = []
    taken: list[int] = []
    missed: Counter[str] = Counter()
    for row in rows.tolist():
        fields = _dissect(dissect, frames.frame(row))
        if isinstance(fields, str):
            missed[fields] += 1
        else:
            found.append(fields)
            taken.append(row)
    taken_rows = np.array(taken, np.int64)
    return _deep_columns(frames, taken_rows, found), taken_rows, missed


def _dissect(dissect: _Scapy, frame: bytes) -> tuple[int, ...] | str:
    """Return the fields of one frame in the order of `_deep_columns`, or the reason for none."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6

    if dissect is None:
        return UNDECODABLE
    try:
        packet = dissect(frame)
        if _is_fragment(packet):
            return FRAGMENT
        transport = packet.getlayer(TCP) or packet.getlayer(UDP)
        if transport is None:
            has_ip = packet.getlayer(IP) is not None or packet.getlayer(IPv6) is not None
            return NOT_TCP_UDP if has_ip else NOT_IP
        network = transport.underlayer
        between = 0
        while network is not None and not isinstance(network, IP | IPv6):
            between += len(network.original) - len(network.payload.original)
            network = network.underlayer
        if network is None:
            return NOT_IP
        is_tcp = isinstance(transport, TCP)
        if isinstance(network, IP):
            carried = network.len - network.ihl * 4
            hops = network.ttl
        else:
            carried = network.plen - between
            hops = network.hlim
        payload = carried - (transport.dataofs * 4 if is_tcp else _UDP)
        if payload < 0:
            return MALFORMED
        return (
            *address_words(network.src),
            *address_words(network.dst),
            transport.sport,
            transport.dport,
            PROTOCOL_TCP if is_tcp else PROTOCOL_UDP,
            hops,
            int(transport.flags) if is_tcp else 0,
            transport.seq if is_tcp else 0,
            transport.ack if is_tcp else 0,
            transport.window if is_tcp else 0,
            payload,
        )
    except Exception:  # noqa: BLE001 - scapy's dissectors raise whatever hostile bytes provoke
        return UNDECODABLE


def _is_fragment(packet: _Scapy) -> bool:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6ExtHdrFragment

    network = packet.getlayer(IP)
    return packet.getlayer(IPv6ExtHdrFragment) is not None or (
        network is not None and bool(network.frag or network.flags.MF)
    )


def _deep_columns(frames: Frames, rows: I64, found: list[tuple[int, ...]]) -> PacketColumns:
    table = np.array(found, np.int64).reshape(-1, 17)
    src, dst = table[:, 0:4].astype(np.uint32), table[:, 4:8].astype(np.uint32)
    src_port, dst_port = table[:, 8].astype(np.uint16), table[:, 9].astype(np.uint16)
    protocol = table[:, 10].astype(np.uint8)
    return PacketColumns(
        ts_ns=frames.ts_ns[rows],
        flow_hash=flow_hashes(src, dst, src_port, dst_port, protocol),
        src=src,
        dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        protocol=protocol,
        ttl=table[:, 11].astype(np.uint8),
        tcp_flags=table[:, 12].astype(np.uint16),
        tcp_seq=table[:, 13].astype(np.uint32),
        tcp_ack=table[:, 14].astype(np.uint32),
        tcp_window=table[:, 15].astype(np.uint32),
        payload_bytes=table[:, 16].astype(np.uint32),
        wire_bytes=frames.wire_bytes[rows],
    )

"""Pure: TCP and UDP packets out of many frames at once, with a reason for each that is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from packet.decode.columns import (
    I64,
    MAPPED_WORD,
    PROTOCOL_TCP,
    SACK_EDGES,
    U8,
    U16,
    U32,
    Mask,
    PacketColumns,
)
from packet.decode.frames import Frames
from packet.decode.headers import (
    DEEP_PROTOCOLS,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    TIMESTAMP_ALONE,
    is_deep,
    is_transport,
    may_be_routed,
    network_starts,
    sack_edges,
    skip_extensions,
    windows,
)
from packet.decode.layers import FRAGMENT, MALFORMED, NOT_IP, NOT_TCP_UDP, PORT_BYTES, TRUNCATED
from packet.decode.sampler import flow_hashes
from packet.decode.tunnels import TUNNELS

UNREAD: Final = "needs_deep_decode"  # left by the fast path

_OK: Final = ""
REASONS: Final = (_OK, TRUNCATED, MALFORMED, FRAGMENT, NOT_IP, NOT_TCP_UDP, UNREAD)
CODES: Final = {reason: code for code, reason in enumerate(REASONS)}

TCP_BYTES: Final = 20  # the shortest header of each
UDP_BYTES: Final = 8
_IPV4, _IPV6 = 20, 40
_HEAD: Final = _IPV4 + TCP_BYTES + 4  # and the first four bytes of options
# Up to the window, which is the last that the analysis of a TCP packet needs.
ANALYSED_BYTES: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Fast:
    """What became of N frames."""

    columns: PacketColumns
    rows: I64  # which frame each packet came from, ascending
    reasons: U8  # for every frame the number of one of `REASONS`, 0 where it is a packet
    is_partial: Mask  # of a packet: its ports are known, and not all of its header


def read_fast(frames: Frames, deep: bool, partial: bool, is_joining: bool) -> Fast:
    """Return the packets among `frames`, whose link type has a fast path.

    Args:
        frames: the frames.
        deep: leave to the walk through the layers what may be a tunnel or has a source route.
        partial: keep packets of which no more than the ports can be trusted.
        is_joining: leave fragments to the walk too.
    """
    ends = frames.offsets + frames.lengths
    offsets, kinds, is_read = network_starts(frames)
    head = windows(frames.data, np.where(is_read, offsets, frames.offsets), _HEAD)
    halves, words = head.view(">u2"), head.view(">u4")
    is_v4 = kinds == ETHERTYPE_IPV4
    first = head[:, 0]
    protocol = np.where(is_v4, head[:, 9], head[:, 6])
    hops = np.where(is_v4, head[:, 8], head[:, 7])
    reported = frames.offsets + np.maximum(frames.wire_bytes.astype(np.int64), frames.lengths)
    stated = np.where(is_v4, halves[:, 1], halves[:, 2]).astype(np.int64)
    # Segmentation offload leaves the length zero where a packet exceeds 64 KiB.
    until = np.where(stated == 0, reported, offsets + stated + np.where(is_v4, 0, _IPV6))
    until = np.minimum(until, reported)
    src, dst = _addresses(words, is_v4)
    transport_at = offsets + np.where(is_v4, (first & 15).astype(np.int64) * 4, _IPV6)

    is_plain = is_v4 & (first == 0x45) & ((halves[:, 3] & np.uint16(0x3FFF)) == 0)
    is_plain &= is_transport(protocol) & (offsets + _IPV4 + TCP_BYTES <= ends) & is_read
    is_plain &= until >= offsets + _IPV4 + PORT_BYTES  # else it is no packet: the rest is judged
    reasons = np.zeros(len(frames), np.uint8)
    others = np.flatnonzero(~is_plain)
    if len(others):
        network = _Network(offsets, kinds, is_read, until, transport_at, protocol)
        _read_rest(frames, others, head, ends, network, reasons, deep, is_joining)
    is_tcp = protocol == PROTOCOL_TCP
    header = np.where(is_tcp, (head[:, 32] >> 4).astype(np.int64) * 4, UDP_BYTES)
    payload = until - transport_at - header
    is_partial = _judge(
        frames, head, ends, _Places(transport_at, until, header, payload, is_tcp), reasons, deep
    )
    if not partial:
        reasons[is_partial != 0] = is_partial[is_partial != 0]
    taken = np.flatnonzero(reasons == 0)
    tcp_flags = np.where(is_tcp, halves[:, 16] & np.uint16(0x01FF), 0).astype(np.uint16)
    may_sack = (reasons == 0) & is_tcp & (is_partial == 0) & (header > TCP_BYTES)
    # Of plain IPv4 the first options are in `head`, and are mostly a timestamp alone.
    timestamped = is_plain & (words[:, 10] == TIMESTAMP_ALONE) & (header == 32)
    may_sack &= ~(timestamped & (offsets + _HEAD <= ends))
    sack = _sack(frames, transport_at, header, ends, may_sack)
    src_port, dst_port = halves[:, 10].astype(np.uint16), halves[:, 11].astype(np.uint16)
    columns = PacketColumns(
        ts_ns=frames.ts_ns,
        flow_hash=flow_hashes(src, dst, src_port, dst_port, protocol),
        src=src,
        dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        protocol=protocol,
        ttl=hops,
        tcp_flags=tcp_flags,
        tcp_seq=np.where(is_tcp, words[:, 6], 0).astype(np.uint32),
        tcp_ack=np.where(is_tcp, words[:, 7], 0).astype(np.uint32),
        tcp_window=np.where(is_tcp, halves[:, 17], 0).astype(np.uint32),
        payload_bytes=np.maximum(payload, 0).astype(np.uint32),
        wire_bytes=frames.wire_bytes,
        tcp_sack=sack,
    )
    if len(taken) < len(frames):
        columns = columns.take(taken)
    return Fast(columns, taken, reasons, (is_partial != 0)[taken])


@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    """What the IP header of every frame says; `_read_rest` moves on past further headers."""

    at: I64
    kinds: U16
    is_read: Mask
    until: I64
    transport_at: I64
    protocol: U8


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the transport header of every frame begins, its length, and where its packet ends."""

    at: I64
    until: I64
    header: I64
    payload: I64
    is_tcp: Mask


def _read_rest(
    frames: Frames,
    rest: I64,
    head: U8,
    ends: I64,
    network: _Network,
    reasons: U8,
    deep: bool,
    is_joining: bool,
) -> None:
    """Read rows that are no plain IPv4: past IPv6's extensions, or give the reason why not.

    The first 20 bytes of the transport header take the place that IPv4 without options has it at.
    """
    is_v6 = network.kinds[rest] == ETHERTYPE_IPV6
    rows6 = rest[is_v6]
    beyond = skip_extensions(
        frames.data, network.transport_at[rows6], network.protocol[rows6], ends[rows6]
    )
    network.transport_at[rows6], network.protocol[rows6] = beyond.at, beyond.protocol
    cut6, routed = np.zeros(len(rest), np.bool_), np.zeros(len(rest), np.bool_)
    cut6[is_v6] = ~beyond.is_read
    if deep:
        routed[is_v6] = beyond.is_routed
        is_v4 = network.kinds[rest] == ETHERTYPE_IPV4
        at4 = network.at[rest[is_v4]]
        routed[is_v4] = may_be_routed(frames.data, at4, network.transport_at[rest[is_v4]] - at4)
    reasons[rest] = _reasons(head[rest], rest, ends, network, cut6, routed, is_joining)
    good = rest[reasons[rest] == CODES[_OK]]
    head[good, _IPV4 : _IPV4 + TCP_BYTES] = windows(
        frames.data, network.transport_at[good], TCP_BYTES
    )


def _reasons(
    head: U8,
    rest: I64,
    ends: I64,
    network: _Network,
    cut6: Mask,
    routed: Mask,
    is_joining: bool,
) -> U8:
    """Return a code a row of these; the first condition that holds names it."""
    offsets, kinds, protocol = network.at[rest], network.kinds[rest], network.protocol[rest]
    captured = ends[rest] - offsets
    is_v4, is_v6 = kinds == ETHERTYPE_IPV4, kinds == ETHERTYPE_IPV6
    version, place = head[:, 0] >> 4, head.view(">u2")[:, 3] & np.uint16(0x3FFF)
    header = network.transport_at[rest] - offsets
    stated = network.until[rest] - offsets
    conditions: list[tuple[Mask, str]] = [
        (~network.is_read[rest], TRUNCATED),
        (is_deep(kinds), UNREAD),
        (~(is_v4 | is_v6), NOT_IP),
        (captured < np.where(is_v4, _IPV4, _IPV6), TRUNCATED),
        (is_v4 & (version == 6), UNREAD),
        (is_v4 & ((version != 4) | (header < _IPV4) | (stated < header)), MALFORMED),
        (is_v6 & (version != 6), MALFORMED),
        (cut6 | (captured < header), TRUNCATED),
        # More fragments follow, or this is not the first.
        (is_v4 & (place != 0), UNREAD if is_joining else FRAGMENT),
        (np.isin(protocol, DEEP_PROTOCOLS) | routed, UNREAD),
        (~is_transport(protocol), NOT_TCP_UDP),
        ((captured < header + PORT_BYTES) | (stated < header + PORT_BYTES), TRUNCATED),
    ]
    return np.select(
        [mask for mask, _ in conditions],
        [np.uint8(CODES[reason]) for _, reason in conditions],
        default=np.uint8(CODES[_OK]),
    ).astype(np.uint8)


def _judge(frames: Frames, head: U8, ends: I64, places: _Places, reasons: U8, deep: bool) -> U8:
    """Return why a row can be trusted no further than its ports (0: all of it can).

    Rows whose ports are those of a tunnel are left to the walk, if there is to be one.
    """
    partial = np.zeros(len(frames), np.uint8)
    good = reasons == CODES[_OK]
    bad = good & ((places.payload < 0) | (places.is_tcp & (places.header < TCP_BYTES)))
    partial[bad] = CODES[MALFORMED]
    needed = np.where(places.is_tcp, ANALYSED_BYTES, UDP_BYTES)
    cut = good & (places.at + needed > ends)
    partial[cut] = CODES[TRUNCATED]
    if deep and not places.is_tcp.all():
        udp = np.flatnonzero(good & ~places.is_tcp)
        ports = head.view(">u2")[udp, 10:12]
        reasons[udp[np.isin(ports, tuple(TUNNELS)).any(axis=1)]] = CODES[UNREAD]
    return partial


def _sack(frames: Frames, offsets: I64, header: I64, ends: I64, may_sack: Mask) -> U32:
    sack = np.zeros((len(frames), SACK_EDGES), np.uint32)
    rows, edges = sack_edges(frames.data, offsets, np.where(may_sack, header, 0), ends)
    sack[rows] = edges
    return sack


def _addresses(words: U32, is_v4: Mask) -> tuple[U32, U32]:
    """Return the addresses of source and destination in four words each."""
    src, dst = np.zeros((len(words), 4), np.uint32), np.zeros((len(words), 4), np.uint32)
    if is_v4.all():
        for address, at in ((src, 3), (dst, 4)):
            address[:, 2] = MAPPED_WORD
            address[:, 3] = words[:, at]
        return src, dst
    for address, at4, at6 in ((src, 3, 2), (dst, 4, 6)):
        address[:] = words[:, at6 : at6 + 4]
        address[is_v4, :2] = 0
        address[is_v4, 2] = MAPPED_WORD
        address[is_v4, 3] = words[is_v4, at4]
    return src, dst

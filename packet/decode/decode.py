"""Pure: captured frames -> columns. NumPy takes the many, a walk through the layers the few left.

`headers` reads Ethernet with VLAN tags, Linux's cooked and BSD's loopback captures and raw IP, IPv4
with options and IPv6 with extension headers, for all frames at once, and `decode_tunnels` what
VXLAN, GENEVE and GRE carry. Other tunnels, rare links and fragments are walked one by one
(`layers`, `links`); for a link type that has no walk, scapy is asked. What none can use is counted
by a named reason. No bytes make any of them raise.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from packet.decode.columns import (
    I64,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    SACK_EDGES,
    U8,
    U32,
    Mask,
    PacketColumns,
    address_words,
    concat_columns,
)
from packet.decode.fragments import Fragments
from packet.decode.frames import Frames
from packet.decode.headers import has_fast_path, sack_edges
from packet.decode.layers import (
    MALFORMED,
    NOT_IP,
    NOT_TCP_UDP,
    TRUNCATED,
    UNKNOWN_LINK,
    Transport,
)
from packet.decode.link_types import find_transport
from packet.decode.sampler import flow_hashes
from packet.decode.vectorized import (
    ANALYSED_BYTES,
    CODES,
    REASONS,
    TCP_BYTES,
    UDP_BYTES,
    UNREAD,
    Fast,
    read_fast,
)
from packet.decode.vectorized_tunnels import read_tunnels

_Scapy: TypeAlias = Any  # a scapy layer or its class; scapy ships no types

# Why a frame is not among the columns, beside `decode_fast.REASONS`.
UNDECODABLE: Final = "undecodable"  # a link type that nothing here knows

_TCP_BYTES_MAX: Final = 60  # a header with all the options it can have

_FRAMES_AT_ONCE: Final = 1 << 15  # what is made of so many fits into the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What became of N frames: `len(columns)` decoded, the rest counted."""

    columns: PacketColumns
    rows: I64  # which frame each packet came from, ascending
    undecoded: dict[str, int]  # reason -> frames
    is_partial: Mask  # of a packet: its ports are known, and not all of its header


def decode(
    frames: Frames,
    *,
    deep: bool = True,
    partial: bool = False,
    fragments: Fragments | None = None,
) -> Decoded:
    """Return the TCP and UDP packets among `frames`, in their order.

    Args:
        frames: of any link type.
        deep: walk through what the fast path leaves, about 70 k frames/s; without it they are
            counted as `needs_deep_decode`.
        partial: keep packets of which no more than the ports can be trusted, and mark them.
        fragments: where to put datagrams together; without it fragments are counted.
    """
    parts = [
        _decode_part(frames, start, deep, partial, fragments)
        for start in range(0, max(len(frames), 1), _FRAMES_AT_ONCE)
    ]
    if len(parts) == 1:
        return parts[0]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.undecoded)
    return Decoded(
        concat_columns([part.columns for part in parts]),
        np.concatenate([part.rows for part in parts]),
        dict(counts),
        np.concatenate([part.is_partial for part in parts]),
    )


def _decode_part(
    frames: Frames, start: int, deep: bool, partial: bool, fragments: Fragments | None
) -> Decoded:
    part = frames.between(start, start + _FRAMES_AT_ONCE)
    if has_fast_path(frames.link_type):
        fast = read_fast(part, deep, partial, fragments is not None)
    else:
        fast = _all_unread(len(part))
    taken, reasons = fast.rows, fast.reasons
    totals = np.bincount(reasons, minlength=len(REASONS)).tolist()
    counts = Counter({REASONS[code]: count for code, count in enumerate(totals) if count})
    del counts[REASONS[0]]
    if not deep or UNREAD not in counts:
        return Decoded(fast.columns, taken + start, dict(counts), fast.is_partial)
    del counts[UNREAD]
    unread = np.flatnonzero(reasons == CODES[UNREAD])
    carried, inside = read_tunnels(part, unread, fragments is not None)
    unread = np.setdiff1d(unread, inside, assume_unique=True)
    columns, rows, cut, missed = _decode_deep(part, unread, partial, fragments)
    places = np.concatenate([taken, inside, rows])
    order = np.argsort(places, kind="stable")
    is_partial = np.concatenate([fast.is_partial, np.zeros(len(inside), np.bool_), cut])
    return Decoded(
        concat_columns([fast.columns, carried, columns]).take(order),
        places[order] + start,
        dict(counts + missed),
        is_partial[order],
    )


def _all_unread(count: int) -> Fast:
    return Fast(
        concat_columns([]),
        np.zeros(0, np.int64),
        np.full(count, CODES[UNREAD], np.uint8),
        np.zeros(0, np.bool_),
    )


def _decode_deep(
    frames: Frames, rows: I64, partial: bool, fragments: Fragments | None
) -> tuple[PacketColumns, I64, Mask, Counter[str]]:
    """Walk through single frames; return what was found, where, what is partial, and the rest."""
    packets: list[tuple[int, ...]] = []
    heads: list[bytes] = []
    taken: list[int] = []
    cut: list[bool] = []
    missed: Counter[str] = Counter()
    for row in rows.tolist():
        transport = find_transport(
            frames.frame(row), int(frames.wire_bytes[row]), frames.link_type, fragments
        )
        if transport == UNKNOWN_LINK:
            transport = _ask_scapy(frames.frame(row), frames.link_type)
        if isinstance(transport, str):
            missed[transport] += 1
            continue
        fields, reason = _fields(transport)
        if reason and not partial:
            missed[reason] += 1
            continue
        packets.append(fields)
        heads.append(transport.data[transport.position : transport.position + _TCP_BYTES_MAX])
        taken.append(row)
        cut.append(bool(reason) or not transport.is_whole)
    taken_rows = np.array(taken, np.int64)
    columns = _deep_columns(frames, taken_rows, packets, heads)
    return columns, taken_rows, np.array(cut, np.bool_), missed


def _fields(transport: Transport) -> tuple[tuple[int, ...], str]:
    """Return the fields in the order of `_deep_columns`, and why not all of them are true."""
    head = transport.data[transport.position : transport.position + TCP_BYTES]
    is_tcp = transport.protocol == PROTOCOL_TCP
    whole = head.ljust(TCP_BYTES, b"\x00")
    header = (whole[12] >> 4) * 4 if is_tcp else UDP_BYTES
    payload = transport.end - transport.position - header
    reason = ""
    if len(head) < (ANALYSED_BYTES if is_tcp else UDP_BYTES):
        reason = TRUNCATED
    elif payload < 0 or (is_tcp and header < TCP_BYTES):
        reason = MALFORMED
    fields = [
        *transport.src,
        *transport.dst,
        int.from_bytes(whole[0:2], "big"),
        int.from_bytes(whole[2:4], "big"),
        transport.protocol,
        transport.hops,
    ]
    if is_tcp:
        fields += [
            int.from_bytes(whole[12:14], "big") & 0x1FF,
            int.from_bytes(whole[4:8], "big"),
            int.from_bytes(whole[8:12], "big"),
            int.from_bytes(whole[14:16], "big"),
        ]
    else:
        fields += [0, 0, 0, 0]
    return (*fields, max(payload, 0)), reason


def _sack_of(heads: list[bytes], protocol: U8) -> U32:
    """Return the edges of the SACK blocks of each TCP header, zeros where it has none."""
    sack = np.zeros((len(heads), SACK_EDGES), np.uint32)
    data = np.frombuffer(b"".join(heads), np.uint8)
    sizes = np.array([len(head) for head in heads], np.int64)
    ends = np.cumsum(sizes)
    whole = np.flatnonzero((protocol == PROTOCOL_TCP) & (sizes >= TCP_BYTES))
    offsets = (ends - sizes)[whole]
    rows, edges = sack_edges(
        data, offsets, (data[offsets + 12] >> 4).astype(np.int64) * 4, ends[whole]
    )
    sack[whole[rows]] = edges
    return sack


def _deep_columns(
    frames: Frames, rows: I64, packets: list[tuple[int, ...]], heads: list[bytes]
) -> PacketColumns:
    table = np.array(packets, np.int64).reshape(-1, 17)
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
        tcp_sack=_sack_of(heads, protocol),
    )


def _ask_scapy(frame: bytes, link_type: int) -> Transport | str:
    """Return what scapy finds in a frame whose link type has no walk."""
    # Imported here: it takes longer than all other imports together, and the recorder's process,
    # which never decodes deeply, must not hold it in memory.
    from scapy.all import conf
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6

    logging.getLogger("scapy").setLevel(logging.ERROR)  # it advises on settings of its own
    dissect: _Scapy = conf.l2types.num2layer.get(link_type)
    if dissect is None:
        return UNDECODABLE
    try:
        packet = dissect(frame)
        network = packet.getlayer(IP) or packet.getlayer(IPv6)
        if network is None:
            return NOT_IP
        transport = network.getlayer(TCP) or network.getlayer(UDP)
        if transport is None:
            return NOT_TCP_UDP
        data = bytes(transport.original)
        return Transport(
            PROTOCOL_TCP if isinstance(transport, TCP) else PROTOCOL_UDP,
            address_words(network.src),
            address_words(network.dst),
            network.ttl if isinstance(network, IP) else network.hlim,
            data,
            0,
            len(data),
            True,
        )
    except Exception:  # noqa: BLE001 - scapy's dissectors raise whatever hostile bytes provoke
        return UNDECODABLE


def dissect_all(frames: Frames) -> int:
    """Dissect every frame with scapy, for comparison; return how many it knows the link type of."""
    from scapy.all import conf

    dissect: _Scapy = conf.l2types.num2layer.get(frames.link_type)
    if dissect is None:
        return 0
    for row in range(len(frames)):
        dissect(frames.frame(row))
    return len(frames)

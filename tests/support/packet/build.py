"""Pure: packets and spans as tests write them down, with defaults for what a test is not about."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from packet.correlate.claims import SpanEndpoints
from packet.decode.columns import ACK, PROTOCOL_TCP, SACK_EDGES, PacketColumns, address_words
from packet.decode.sampler import flow_hashes

CLIENT = ("127.0.0.1", 40_000)
SERVER = ("127.0.0.1", 8080)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; times are small numbers, a test adds its own epoch."""

    ts_ns: int
    src: tuple[str, int] = CLIENT
    dst: tuple[str, int] = SERVER
    flags: int = ACK
    seq: int = 0
    ack: int = 0
    window: int = 512
    payload: int = 0
    sack: tuple[int, ...] = ()  # left and right edges
    ttl: int = 64


def columns(packets: Sequence[Packet]) -> PacketColumns:
    """Return packets as columns, in the order given."""
    src = np.array([address_words(p.src[0]) for p in packets], np.uint32).reshape(-1, 4)
    dst = np.array([address_words(p.dst[0]) for p in packets], np.uint32).reshape(-1, 4)
    src_port = np.array([p.src[1] for p in packets], np.uint16)
    dst_port = np.array([p.dst[1] for p in packets], np.uint16)
    protocol = np.full(len(packets), PROTOCOL_TCP, np.uint8)
    payload = np.array([p.payload for p in packets], np.uint32)
    return PacketColumns(
        ts_ns=np.array([p.ts_ns for p in packets], np.uint64),
        flow_hash=flow_hashes(src, dst, src_port, dst_port, protocol),
        src=src,
        dst=dst,
        src_port=src_port,
        dst_port=dst_port,
        protocol=protocol,
        ttl=np.array([p.ttl for p in packets], np.uint8),
        tcp_flags=np.array([p.flags for p in packets], np.uint16),
        tcp_seq=np.array([p.seq for p in packets], np.uint32),
        tcp_ack=np.array([p.ack for p in packets], np.uint32),
        tcp_window=np.array([p.window for p in packets], np.uint32),
        payload_bytes=payload,
        wire_bytes=(payload + 66).astype(np.uint32),
        tcp_sack=np.array(
            [(*p.sack, *[0] * (SACK_EDGES - len(p.sack))) for p in packets], np.uint32
        ).reshape(-1, SACK_EDGES),
    )


def exchange(
    sent_ns: int,
    answered_ns: int,
    client: tuple[str, int] = CLIENT,
    server: tuple[str, int] = SERVER,
) -> list[Packet]:
    """Return a request of one packet and a response of two."""
    return [
        Packet(sent_ns, client, server, payload=100),
        Packet(answered_ns, server, client, payload=1000),
        Packet(answered_ns + 1, server, client, payload=1000),
    ]


def client_span(
    span_id: str, start_ns: int, end_ns: int, peer_address: str = "127.0.0.1"
) -> SpanEndpoints:
    """Return a span of the side that asks, on the connection of `exchange`."""
    return SpanEndpoints(
        "t1", span_id, "d1", False, start_ns, end_ns, CLIENT[1], SERVER[1], peer_address
    )


def server_span(span_id: str, start_ns: int, end_ns: int) -> SpanEndpoints:
    """Return a span of the side that answers, on the connection of `exchange`."""
    return SpanEndpoints(
        "t1", span_id, "d1", True, start_ns, end_ns, SERVER[1], CLIENT[1], "127.0.0.1"
    )


def frame(kind: int, content: bytes, stream: int | None = None, flags: int = 0) -> bytes:
    """Return a frame of HTTP/2; by default one of a stream where its type is of streams."""
    if stream is None:
        stream = 0 if kind in {4, 6, 7, 8} else 3
    head = len(content).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + content


def capture_of(packets: Sequence[Packet]) -> bytes:
    """Return a pcap of TCP packets over Ethernet and IPv4, in the order given; payload is zeros."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for packet in packets:
        options = b""
        if packet.sack:
            edges = struct.pack(f">{len(packet.sack)}I", *packet.sack)
            options = b"\x01\x01\x05" + bytes([2 + len(edges)]) + edges
        header = 20 + len(options)
        tcp = struct.pack(
            ">HHIIBBHHH",
            packet.src[1],
            packet.dst[1],
            packet.seq,
            packet.ack,
            header // 4 << 4,
            packet.flags,
            packet.window,
            0,
            0,
        )
        body = tcp + options + b"\x00" * packet.payload
        ends = socket.inet_aton(packet.src[0]) + socket.inet_aton(packet.dst[0])
        network = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, packet.ttl, 6, 0) + ends
        frame = b"\x02" * 12 + b"\x08\x00" + network + body
        seconds, ns = divmod(packet.ts_ns, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds, ns, len(frame), len(frame)) + frame)
    return b"".join(parts)

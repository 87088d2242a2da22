"""Pure: HTTP traffic of many connections as a pcap file, some lossy, and some in tunnels."""

from __future__ import annotations

import heapq
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from packet.decode.columns import ACK, FIN, SYN

_PSH: Final = 0x08
_START_NS: Final = 1_764_000_000_000_000_000
_MSS: Final = 1448
_US: Final = 1000
# One in fifty connections loses a segment: a figure of the open internet, high for a data centre.
_LOSS_RATIO: Final = 0.02
_REQUESTS: Final = 20  # of a connection that is kept open
_RESPONSE_SEGMENTS: Final = (1, 1, 1, 2, 2, 3, 5, 8)

_MAC = bytes(range(12)) + b"\x08\x00"
_IP = struct.Struct(">BBHHHBBH4s4s")
_TCP = struct.Struct(">HHIIBBHHH")
# RFC 7348, 8926 and 2784: an Ethernet frame each, and IP alone.
_VXLAN, _GENEVE = b"\x08\0\0\0\0\0\x05\0", b"\0\0\x65\x58\0\0\x05\0"
_GRE = b"\0\0\x08\0"
_TUNNELS: Final = (b"", _VXLAN, _GENEVE, _GRE)
_TIMESTAMPS = b"\x01\x01\x08\x0a" + b"\x00\x01\x02\x03" * 2


@dataclass(slots=True)
class _Packet:
    ts_ns: int
    from_client: bool
    flags: int
    seq: int
    ack: int
    payload: bytes = b""
    sack: tuple[int, int] | None = None


def http_capture(packets: int, seed: int = 1, *, tunnelled: bool = False) -> bytes:
    """Return a pcap of at least `packets` packets of HTTP/1.1 over Ethernet, IPv4 and TCP.

    Connections overlap in time; one in fifty loses a segment, which is asked for with duplicate
    ACKs and SACK blocks and sent again.

    Args:
        packets: how many, at least.
        seed: other traffic for another.
        tunnelled: put three connections in four into VXLAN, GENEVE and GRE, one each.
    """
    rng = random.Random(seed)  # noqa: S311 - traffic, not a secret
    streams: list[Iterator[tuple[int, int, bytes]]] = []
    count, number = 0, 0
    while count < packets:
        one = _connection(rng, _START_NS + rng.randrange(2_000_000_000))
        count += len(one)
        tunnel = _TUNNELS[number % len(_TUNNELS)] if tunnelled else b""
        streams.append(_frames(number, one, tunnel))
        number += 1
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for ts_ns, _, frame in heapq.merge(*streams):
        seconds, ns = divmod(ts_ns, 1_000_000_000)
        parts.append(struct.pack("<IIII", seconds, ns, len(frame), len(frame)) + frame)
    return b"".join(parts)


def _connection(rng: random.Random, ts_ns: int) -> list[_Packet]:
    client, server = rng.randrange(1, 2**31), rng.randrange(1, 2**31)
    rtt_ns = rng.randrange(100, 40_000) * _US
    packets = [
        _Packet(ts_ns, True, SYN, client, 0),
        _Packet(ts_ns + rtt_ns, False, SYN | ACK, server, client + 1),
        _Packet(ts_ns + rtt_ns + 10 * _US, True, ACK, client + 1, server + 1),
    ]
    client, server, ts_ns = client + 1, server + 1, ts_ns + rtt_ns + 50 * _US
    lossy = rng.randrange(_REQUESTS) if rng.random() < _LOSS_RATIO else -1
    for number in range(_REQUESTS):
        request = b"GET /offers/%d HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\n\r\n" % number
        packets.append(_Packet(ts_ns, True, ACK | _PSH, client, server, request))
        client += len(request)
        count = 8 if number == lossy else rng.choice(_RESPONSE_SEGMENTS)
        answer = _response(client, server, count, ts_ns + rtt_ns, number == lossy)
        packets += answer
        server += count * _MSS
        ts_ns = answer[-1].ts_ns + rng.randrange(1_000, 20_000) * _US
    packets += [
        _Packet(ts_ns, True, ACK | FIN, client, server),
        _Packet(ts_ns + rtt_ns, False, ACK | FIN, server, client + 1),
        _Packet(ts_ns + rtt_ns + 10 * _US, True, ACK, client + 1, server + 1),
    ]
    return packets


def _response(client: int, server: int, count: int, ts_ns: int, is_lossy: bool) -> list[_Packet]:
    """Return a response and its ACKs; the second segment may be lost on its way to the capture."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (count * _MSS - 200)
    packets = []
    for number in range(count):
        payload = (head if number == 0 else b"").ljust(_MSS, b"x")
        at_ns, seq = ts_ns + number * 12 * _US, server + number * _MSS
        if is_lossy and number == 1:
            continue
        packets.append(_Packet(at_ns, False, ACK | _PSH, seq, client, payload))
        if is_lossy and number > 1:
            block = (server + 2 * _MSS, seq + _MSS)
            request = _Packet(at_ns + 5 * _US, True, ACK, client, server + _MSS, sack=block)
            packets.append(request)
        elif number % 2 or number == count - 1 or is_lossy:
            packets.append(_Packet(at_ns + 5 * _US, True, ACK, client, seq + _MSS))
    if is_lossy:
        at_ns, seq = packets[-1].ts_ns + 3_000 * _US, server + _MSS
        packets.append(_Packet(at_ns, False, ACK | _PSH, seq, client, b"x" * _MSS))
        packets.append(_Packet(at_ns + 5 * _US, True, ACK, client, server + count * _MSS))
    return packets


def _carried(frame: bytes, tunnel: bytes) -> bytes:
    """Return a frame as it is on the wire between the two ends of a tunnel."""
    if not tunnel:
        return frame
    inner = frame[len(_MAC) :] if tunnel == _GRE else frame
    body = tunnel + inner
    if tunnel == _GRE:
        protocol = 47
    else:
        protocol, port = 17, 4789 if tunnel == _VXLAN else 6081
        body = struct.pack(">HHHH", 50_000, port, 8 + len(body), 0) + body
    ends = (b"\xac\x10\x00\x01", b"\xac\x10\x00\x02")
    return _MAC + _IP.pack(0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, *ends) + body


def _frames(number: int, packets: list[_Packet], tunnel: bytes) -> Iterator[tuple[int, int, bytes]]:
    client = b"\x0a" + number.to_bytes(4, "big")[1:]
    server = b"\xc0\xa8\x00" + bytes([number % 8 + 1])
    port = 32_768 + number % 28_000
    for packet in packets:
        options = _TIMESTAMPS
        if packet.sack is not None:
            options += b"\x01\x01\x05\x0a" + struct.pack(">II", *packet.sack)
        size = 40 + len(options) + len(packet.payload)
        ends, ports = (client, server), (port, 80)
        if not packet.from_client:
            ends, ports = ends[::-1], ports[::-1]
        offset = (20 + len(options)) // 4 << 4
        frame = b"".join(
            (
                _MAC,
                _IP.pack(0x45, 0, size, 0, 0x4000, 64, 6, 0, *ends),
                _TCP.pack(*ports, packet.seq, packet.ack, offset, packet.flags, 502, 0, 0),
                options,
                packet.payload,
            )
        )
        yield packet.ts_ns, number, _carried(frame, tunnel)

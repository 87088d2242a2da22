"""Pure: kept packets -> a pcapng file that Wireshark opens, with what each packet carried.

The store has headers as columns, so headers are written again from them: Ethernet, IP, TCP or UDP,
with a right IP checksum and the lengths that were on the wire, and no payload. What the columns do
not hold (options, hardware addresses, the TCP checksum) is not there, and the file says so.

Source: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from packet.decode.columns import I64, MAPPED_WORD, PROTOCOL_TCP, PacketColumns, rows_by_key

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_COMMENT, _END = 1, 0
_USER_APPLICATION = 4  # of the section
_NAME, _RESOLUTION = 2, 9  # of an interface
_NANOSECONDS = 9
_LINK_ETHERNET = 1
_IPV4, _UDP = 20, 8
_NO_HARDWARE = bytes.fromhex("020000000001020000000002")  # locally administered, made up
_LENGTH_MAX = 0xFFFF
_COMMENT_BYTES_MAX = 1_000

NOTE = (
    "Millworth: headers written from the table `packets`; payload, TCP options, hardware addresses "
    "and TCP checksums are not kept"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What the packets of a connection carried in some time: a row of `span_flows`."""

    flow_hash: int
    from_ns: int
    to_ns: int
    trace_id: str
    span_id: str
    decision_id: str  # "" for none
    method: str
    confidence: float
    host: str = ""  # recorder by whose clock the times are; "" where that is not known

    def text(self) -> str:
        """Return it as a comment."""
        decision = f"decision {self.decision_id} " if self.decision_id else ""
        return (
            f"{decision}trace {self.trace_id} span {self.span_id} "
            f"({self.method}, confidence {self.confidence:.2g})"
        )


def pcapng(
    packets: PacketColumns, hosts: Sequence[str], carried: Sequence[Carried], title: str
) -> bytes:
    """Return the file.

    Args:
        packets: by time.
        hosts: of each packet, the recorder that saw it; each host is an interface of the file.
        carried: what becomes comments, several of one packet joined by "; ".
        title: comment of the whole file, beside `NOTE`.
    """
    names = sorted(set(hosts)) or [""]
    numbers = {name: place for place, name in enumerate(names)}
    blocks = [_section(title), *(_interface(name) for name in names)]
    comments = comments_of(packets, hosts, carried)
    for row in range(len(packets)):
        frame = _frame(packets, row)
        wire_bytes = max(int(packets.wire_bytes[row]), len(frame))
        blocks.append(
            _packet(int(packets.ts_ns[row]), numbers[hosts[row]], frame, wire_bytes, comments[row])
        )
    return b"".join(blocks)


def comments_of(
    packets: PacketColumns, hosts: Sequence[str], carried: Sequence[Carried]
) -> list[str]:
    """Return what each packet, by time, carried; "" where that is not known.

    A link names the packets of its own recorder alone: by another clock, its time is the time of
    another exchange. Where either does not say whose it is, one recorder saw all.
    """
    texts: list[list[str]] = [[] for _ in range(len(packets))]
    for link, rows in rows_carried(packets, carried, 0):
        text = link.text()
        for row in rows.tolist():
            if link.host and hosts[row] and link.host != hosts[row]:
                continue
            texts[row].append(text)
    return ["; ".join(dict.fromkeys(comments)) for comments in texts]


def rows_carried(
    packets: PacketColumns, carried: Sequence[Carried], margin_ns: int
) -> Iterator[tuple[Carried, I64]]:
    """Yield the packets, by time, of the connection and the time of each link."""
    of_flow = {int(packets.flow_hash[rows[0]]): rows for rows in rows_by_key(packets.flow_hash)}
    for link in carried:
        rows = of_flow.get(link.flow_hash)
        if rows is None:
            continue
        ts_ns = packets.ts_ns[rows]
        begin = np.searchsorted(ts_ns, np.uint64(max(link.from_ns - margin_ns, 0)))
        end = np.searchsorted(ts_ns, np.uint64(link.to_ns + margin_ns), side="right")
        yield link, rows[begin:end]


def _frame(packets: PacketColumns, row: int) -> bytes:
    is_tcp = int(packets.protocol[row]) == PROTOCOL_TCP
    payload = int(packets.payload_bytes[row])
    source, destination = packets.src[row], packets.dst[row]
    transport = _tcp(packets, row) if is_tcp else _udp(packets, row, payload)
    carried = len(transport) + payload
    is_v4 = not source[:2].any() and int(source[2]) == MAPPED_WORD
    if is_v4:
        return _NO_HARDWARE + b"\x08\x00" + _ipv4(packets, row, carried) + transport
    head = struct.pack(
        ">IHBB", 0x60000000, min(carried, _LENGTH_MAX), packets.protocol[row], packets.ttl[row]
    )
    ends = b"".join(words.astype(">u4").tobytes() for words in (source, destination))
    return _NO_HARDWARE + b"\x86\xdd" + head + ends + transport


def _ipv4(packets: PacketColumns, row: int, carried: int) -> bytes:
    # Segmentation offload: 64 KiB and more are said to be 0 bytes on the wire, too.
    total = _IPV4 + carried if _IPV4 + carried <= _LENGTH_MAX else 0
    fields = (
        0x45, 0, total, 0, 0x4000, int(packets.ttl[row]), int(packets.protocol[row]), 0,
        int(packets.src[row, 3]), int(packets.dst[row, 3]),
    )  # fmt: skip
    head = struct.pack(">BBHHHBBHII", *fields)
    summed = sum(struct.unpack(">10H", head))
    summed = (summed & 0xFFFF) + (summed >> 16)
    checksum = ~((summed & 0xFFFF) + (summed >> 16)) & 0xFFFF
    return head[:10] + struct.pack(">H", checksum) + head[12:]


def _tcp(packets: PacketColumns, row: int) -> bytes:
    flags = 5 << 12 | int(packets.tcp_flags[row]) & 0x01FF
    return struct.pack(
        ">HHIIHHHH",
        packets.src_port[row],
        packets.dst_port[row],
        packets.tcp_seq[row],
        packets.tcp_ack[row],
        flags,
        min(int(packets.tcp_window[row]), _LENGTH_MAX),
        0,
        0,
    )


def _udp(packets: PacketColumns, row: int, payload: int) -> bytes:
    length = min(_UDP + payload, _LENGTH_MAX)
    return struct.pack(">HHHH", packets.src_port[row], packets.dst_port[row], length, 0)


def _section(title: str) -> bytes:
    options = _option(_COMMENT, title.encode()) + _option(_COMMENT, NOTE.encode())
    options += _option(_USER_APPLICATION, b"Millworth") + _option(_END, b"")
    return _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + options)


def _interface(host: str) -> bytes:
    options = _option(_NAME, (host or "recorder").encode())
    options += _option(_RESOLUTION, bytes([_NANOSECONDS])) + _option(_END, b"")
    return _block(_INTERFACE, struct.pack("<HHI", _LINK_ETHERNET, 0, 0) + options)


def _packet(ts_ns: int, interface: int, frame: bytes, wire_bytes: int, comment: str) -> bytes:
    head = struct.pack("<IIIII", interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(frame), wire_bytes)
    options = b""
    if comment:
        options = _option(_COMMENT, _cut(comment)) + _option(_END, b"")
    return _block(_PACKET, head + _padded(frame) + options)


def _cut(comment: str) -> bytes:
    """Return a comment that fits, whole characters only."""
    return comment.encode()[:_COMMENT_BYTES_MAX].decode(errors="ignore").encode()


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)

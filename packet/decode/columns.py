"""Pure: packets as NumPy columns, the one shape that every part of this room works on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

PROTOCOL_TCP = 6
PROTOCOL_UDP = 17

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

# Left and right edges of the four SACK blocks that fit into TCP's options; zeros where fewer.
SACK_EDGES = 8
# Of the table `packets`, which holds no options.
WIRE_ONLY = frozenset({"tcp_sack"})

# An IPv4 address is held as IPv6 spells it, ::ffff:a.b.c.d, so that both families share one column.
MAPPED_WORD = 0xFFFF


@dataclass(frozen=True, slots=True, eq=False)
class PacketColumns:
    """N decoded TCP or UDP packets, in the order in which they were seen."""

    ts_ns: U64  # Unix epoch, as the kernel stamped the packet
    flow_hash: U64  # sampler.flow_hashes: both directions of a connection share it
    src: U32  # (N, 4): the address in four words, most significant first
    dst: U32  # (N, 4)
    src_port: U16
    dst_port: U16
    protocol: U8
    ttl: U8  # hop limit for IPv6
    tcp_flags: U16  # nine bits, NS the highest; 0 for UDP
    tcp_seq: U32
    tcp_ack: U32
    tcp_window: U32  # as on the wire, not scaled
    payload_bytes: U32  # as the IP header states it; what was captured may be shorter
    wire_bytes: U32  # the whole frame
    # (N, 8). Left out, as by the table `packets`, which does not hold it: zeros.
    tcp_sack: U32 = field(default_factory=lambda: np.zeros((0, SACK_EDGES), np.uint32))

    def __post_init__(self) -> None:
        """Give a column that was left out its length."""
        count = len(self.ts_ns)
        if len(self.tcp_sack) != count:
            object.__setattr__(self, "tcp_sack", np.zeros((count, SACK_EDGES), np.uint32))

    def __len__(self) -> int:
        """Return the number of packets."""
        return len(self.ts_ns)

    def take(self, rows: I64 | Mask) -> PacketColumns:
        """Return the given rows: indices in their order, or those where a mask is true."""
        return PacketColumns(*(getattr(self, field.name)[rows] for field in fields(self)))

    def in_order(self) -> PacketColumns:
        """Return the packets by time; equal stamps keep their order."""
        return self.take(np.argsort(self.ts_ns, kind="stable"))


def empty_columns() -> PacketColumns:
    """Return no packets."""
    return PacketColumns(
        ts_ns=np.zeros(0, np.uint64),
        flow_hash=np.zeros(0, np.uint64),
        src=np.zeros((0, 4), np.uint32),
        dst=np.zeros((0, 4), np.uint32),
        src_port=np.zeros(0, np.uint16),
        dst_port=np.zeros(0, np.uint16),
        protocol=np.zeros(0, np.uint8),
        ttl=np.zeros(0, np.uint8),
        tcp_flags=np.zeros(0, np.uint16),
        tcp_seq=np.zeros(0, np.uint32),
        tcp_ack=np.zeros(0, np.uint32),
        tcp_window=np.zeros(0, np.uint32),
        payload_bytes=np.zeros(0, np.uint32),
        wire_bytes=np.zeros(0, np.uint32),
    )


def concat_columns(parts: Sequence[PacketColumns]) -> PacketColumns:
    """Return the packets of all parts, one part after the other."""
    if not parts:
        return empty_columns()
    return PacketColumns(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(PacketColumns)
        )
    )


def rows_by_key(keys: U32 | U64) -> list[I64]:
    """Return the rows of each distinct key, in the order of the keys; rows keep their order."""
    if not len(keys):
        return []
    order = np.argsort(keys, kind="stable")
    _, starts = np.unique(keys[order], return_index=True)
    return np.split(order, starts[1:])


def port_pairs(one: U16, other: U16) -> U32:
    """Return one key for two ports, whichever way round: the lower port in the upper half."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    pairs: U32 = (low.astype(np.uint32) << np.uint32(16)) | high.astype(np.uint32)
    return pairs


def port_pair(one: int, other: int) -> int:
    """Return the key of `port_pairs` for two single ports."""
    return min(one, other) << 16 | max(one, other)


def address_words(text: str) -> tuple[int, int, int, int]:
    """Return an address in four words.

    Raises:
        ValueError: `text` is no IP address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return (0, 0, MAPPED_WORD, int(address))
    value = int(address)
    return (value >> 96, value >> 64 & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF)


def address_text(words: Sequence[int]) -> str:
    """Return an address as text, lower-case; one that carries IPv4 in its IPv4 spelling."""
    value = 0
    for word in words:
        value = value << 32 | int(word)
    address = ipaddress.IPv6Address(value)
    return str(address.ipv4_mapped or address)


def normal_address(text: str) -> str:
    """Return the one spelling of an address, empty where `text` is a host's name or empty."""
    try:
        return address_text(address_words(text))
    except ValueError:
        return ""


def address_texts(words: U32) -> list[str]:
    """Return (N, 4) words as N texts; few addresses repeat often, so each is spelled once."""
    spelled: dict[bytes, str] = {}
    texts = []
    for row in words:
        key = row.tobytes()
        if key not in spelled:
            spelled[key] = address_text(row.tolist())
        texts.append(spelled[key])
    return texts

"""Pure: which packets carry a request or a response, and which are the connection's own.

A connection of HTTP/2 has frames that are of no message: settings, pings, windows, a farewell. They
come whenever either side likes, long after the last response or between a request and its response.
A probe of TCP's keepalive may have a byte that was sent before. None of them begins or ends an
exchange.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from packet.correlate.trace_context import CONNECTION, RESET, Context
from packet.decode.columns import I64, U64, Mask, PacketColumns

_MIX_1: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_2: Final = np.uint64(0xC2B2AE3D27D4EB4F)


def message_kinds(packets: PacketColumns, contexts: Iterable[Context]) -> tuple[Mask, Mask]:
    """Return which packets are of a message, and which of these only end one without finishing it.

    Args:
        packets: in time.
        contexts: what was found in packets, with their stamps.
    """
    own_kinds, resets = [], []
    for context in contexts:
        if context.method == CONNECTION:
            own_kinds.append((context.ts_ns, context.flow_hash, context.client_port))
        elif context.method == RESET:
            resets.append((context.ts_ns, context.flow_hash, context.client_port))
    is_message = (packets.payload_bytes > 0) & ~_keep_alives(packets)
    if not own_kinds and not resets:
        return is_message, np.zeros(len(packets), np.bool_)
    names = _names(packets.ts_ns, packets.flow_hash, packets.src_port.astype(np.uint64))
    is_message &= ~np.isin(names, _names(*_columns(own_kinds)))
    return is_message, is_message & np.isin(names, _names(*_columns(resets)))


def of_messages(packets: PacketColumns, contexts: Iterable[Context]) -> PacketColumns:
    """Return the packets that carry a part of a request or of a response."""
    return packets.take(message_kinds(packets, contexts)[0])


def _keep_alives(packets: PacketColumns) -> Mask:
    """Return which packets repeat the one byte that is before what their side sends next."""
    mask = np.zeros(len(packets), np.bool_)
    rows: I64 = np.flatnonzero(packets.payload_bytes > 0)
    if len(rows) < 2 or not (packets.payload_bytes[rows] == 1).any():
        return mask
    rows = rows[np.lexsort((packets.src_port[rows], packets.flow_hash[rows]))]
    flow, port = packets.flow_hash[rows], packets.src_port[rows]
    ends = packets.tcp_seq[rows] + packets.payload_bytes[rows]
    same_side = (flow[1:] == flow[:-1]) & (port[1:] == port[:-1])
    is_probe = (packets.payload_bytes[rows][1:] == 1) & (packets.tcp_flags[rows][1:] != 0)
    mask[rows[1:][same_side & is_probe & (ends[1:] == ends[:-1])]] = True
    return mask


def _columns(keys: list[tuple[int, int, int]]) -> tuple[U64, U64, U64]:
    table = np.array(keys, np.uint64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _names(ts_ns: U64, flow_hash: U64, port: U64) -> U64:
    """Return one number for each packet of one side of one connection at one instant."""
    names: U64 = (ts_ns * _MIX_1 ^ flow_hash) + port * _MIX_2
    return names

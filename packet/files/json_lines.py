"""Pure: analysed TCP packets -> one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import numpy as np

from packet.decode.columns import PROTOCOL_TCP, address_texts
from packet.files.reader import PacketBlock
from packet.tcp import state_machine as exact
from packet.tcp.analysis import NO_RTT, TcpAnalysis

NAMES: Final = {
    "retransmission": exact.RETRANSMISSION,
    "fast_retransmission": exact.FAST_RETRANSMISSION,
    "spurious_retransmission": exact.SPURIOUS_RETRANSMISSION,
    "out_of_order": exact.OUT_OF_ORDER,
    "duplicate_ack": exact.DUPLICATE_ACK,
    "zero_window": exact.ZERO_WINDOW,
    "keep_alive": exact.KEEP_ALIVE,
    "lost_segment": exact.LOST_SEGMENT,
}
_NONE: Final = int(NO_RTT)


def _tail(events: int) -> str:
    fields = {name: bool(events & bit) for name, bit in NAMES.items()}
    return json.dumps(fields)[1:] + "\n"


# Written once for each combination: a line of a large file takes half a microsecond, not five.
_TAILS: Final = tuple(_tail(events) for events in range(exact.REPORTED + 1))


def packet_lines(
    block: PacketBlock, analysis: TcpAnalysis, file_name: str | None = None
) -> Iterator[str]:
    """Return a line for each TCP packet of a block, in the order captured.

    Args:
        block: the packets.
        analysis: of the same.
        file_name: put into each object as `file`, where there are several.
    """
    rows = np.flatnonzero(block.columns.protocol == PROTOCOL_TCP)
    head = "{" if file_name is None else f'{{"file": {json.dumps(file_name)}, '
    columns = block.columns.take(rows)
    for (
        number,
        at_ns,
        flow,
        nth,
        src,
        src_port,
        dst,
        dst_port,
        size,
        rtt_ns,
        is_valid,
        events,
    ) in zip(
        block.numbers[rows].tolist(),
        columns.ts_ns.tolist(),
        columns.flow_hash.tolist(),
        analysis.connection[rows].tolist(),
        address_texts(columns.src),
        columns.src_port.tolist(),
        address_texts(columns.dst),
        columns.dst_port.tolist(),
        columns.payload_bytes.tolist(),
        analysis.rtt_ns[rows].tolist(),
        analysis.rtt_valid[rows].tolist(),
        analysis.events[rows].tolist(),
        strict=True,
    ):
        rtt = "null" if rtt_ns == _NONE else rtt_ns
        valid = "true" if is_valid else "false"
        step = "true" if _NONE < rtt_ns < 0 else "false"
        yield (
            f'{head}"frame": {number}, "ts_ns": {at_ns}, "flow_hash": {flow}, "connection": {nth}, '
            f'"src_address": "{src}", "src_port": {src_port}, "dst_address": "{dst}", '
            f'"dst_port": {dst_port}, "payload_bytes": {size}, "rtt_ns": {rtt}, '
            f'"rtt_valid": {valid}, "clock_step": {step}, {_TAILS[events]}'
        )

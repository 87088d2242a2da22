"""Pure: where the packets of a span are looked for: on which ports, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from collector.core.intervals import merge
from packet.correlate.claims import WINDOW_MARGIN_NS, SpanEndpoints
from packet.correlate.trace_context import Context
from packet.decode.columns import SYN, Mask, PacketColumns, port_pairs, rows_by_key


def with_ports(spans: Iterable[SpanEndpoints], contexts: Iterable[Context]) -> list[SpanEndpoints]:
    """Return the spans; one that names no ports has those of the request that named it.

    A span of which no context is known either stays without.
    """
    by_span = {(each.trace_id, each.span_id): each for each in contexts}
    filled = []
    for span in spans:
        context = by_span.get((span.trace_id, span.sender_id))
        if span.port_pair or context is None:
            filled.append(span)
            continue
        ports = context.client_port, context.server_port
        local, peer = reversed(ports) if span.is_server else ports
        filled.append(replace(span, local_port=local, peer_port=peer))
    return filled


def within_windows(
    columns: PacketColumns, spans: Iterable[SpanEndpoints], margin_ns: int = WINDOW_MARGIN_NS
) -> Mask:
    """Return which packets belong to the time of a span of their connection, or open it.

    A pooled connection carries many decisions: only what was on the wire from `margin_ns` before
    to `margin_ns` after a span is evidence for it. The handshake counts as a window too.
    """
    windows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        windows[span.port_pair].append((span.start_ns - margin_ns, span.end_ns + margin_ns))
    pairs = port_pairs(columns.src_port, columns.dst_port)
    opening = (columns.tcp_flags & np.uint16(SYN)) != 0
    for pair, ts_ns in zip(pairs[opening].tolist(), columns.ts_ns[opening].tolist(), strict=True):
        if pair in windows:
            windows[pair].append((ts_ns, ts_ns + margin_ns))

    inside = np.zeros(len(columns), np.bool_)
    for rows in rows_by_key(pairs):
        pair = int(pairs[rows[0]])
        if pair in windows:
            begins, ends = np.array(merge(windows[pair]), np.int64).T
            ts_ns = columns.ts_ns[rows].astype(np.int64)
            window = np.searchsorted(begins, ts_ns, side="right") - 1
            inside[rows] = (window >= 0) & (ts_ns <= ends[window])
    return inside

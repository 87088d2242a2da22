"""Pure: bursts shorter than any average shows, and the queue that they make in front of a link.

A burst is a bin of bytes far over what is usual and over half of what the link carries. The queue
is reckoned, not seen: a link of that rate that had to carry these packets would hold so much at
its fullest. Both need every packet: a sample of flows cannot show a burst.

Source: Meta's Millisampler (IMC 2022) for millisecond bins on every host; Lindley's recursion
for the queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.core.times import NS_PER_MS, NS_PER_S
from packet.decode.columns import I64, U32, U64

F64 = NDArray[np.float64]

BIN_NS = NS_PER_MS
FINE_BIN_NS = NS_PER_MS // 2
# Over the median by five scaled deviations, as one bin in 3 million of normal noise is.
_DEVIATIONS = 5.0
_SCALE = 1.4826  # of the median absolute deviation, to a standard deviation
_RATE_SHARE = 0.5
# Hot bins no further apart are one burst.
_GAP_NS = NS_PER_MS
_FLOWS_NAMED_MAX = 8


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """N packets by time: what a burst is made of."""

    ts_ns: I64
    wire_bytes: I64
    flow_hash: U64
    port_pair: U32


@dataclass(frozen=True, slots=True)
class Burst:
    """One microburst."""

    start_ns: int
    end_ns: int
    packets: int
    wire_bytes: int
    peak_ratio: float  # of the fullest 500 us to what the link carries in that time
    queue_bytes: int  # the reckoned queue at its fullest
    queue_ns: int  # ... and how long the last byte of it waited
    flows: int
    port_pairs: tuple[int, ...]  # of the connections that sent most, the largest first
    top_share: float  # of the bytes, by the largest connection


def binned(ts_ns: I64, wire_bytes: I64, from_ns: int, to_ns: int, bin_ns: int) -> I64:
    """Return the bytes of each bin of [from_ns, to_ns); packets outside are left out."""
    count = -(-(to_ns - from_ns) // bin_ns)
    inside = (ts_ns >= from_ns) & (ts_ns < to_ns)
    place = (ts_ns[inside] - from_ns) // bin_ns
    filled: I64 = np.bincount(place, weights=wire_bytes[inside], minlength=count).astype(np.int64)
    return filled


def queue_bytes(ts_ns: I64, wire_bytes: I64, bytes_per_s: float, before: float = 0.0) -> F64:
    """Return the queue behind each packet, itself among it, of a link of that rate.

    Args:
        ts_ns: ascending.
        wire_bytes: of each packet.
        bytes_per_s: what the link carries.
        before: the queue at the first packet's time, before it.
    """
    if not len(ts_ns):
        return np.zeros(0, np.float64)
    # q = max(0, q - rate * dt) + bytes, written as a sum less its running minimum.
    sent = bytes_per_s * (ts_ns - ts_ns[0]) / NS_PER_S
    level = before + np.cumsum(wire_bytes) - sent
    floor = np.minimum.accumulate(level - wire_bytes)
    queue: F64 = level - np.minimum(floor, 0.0)
    return queue


def hot_threshold(usual: I64, bytes_per_s: float, bin_ns: int) -> float:
    """Return the bytes over which a bin is hot, given bins of ordinary time."""
    middle = float(np.median(usual)) if len(usual) else 0.0
    spread = float(np.median(np.abs(usual - middle))) * _SCALE if len(usual) else 0.0
    return max(middle + _DEVIATIONS * spread, _RATE_SHARE * bytes_per_s * bin_ns / NS_PER_S)


def bursts(
    arrivals: Arrivals, queue: F64, from_ns: int, to_ns: int, usual: I64, bytes_per_s: float
) -> list[Burst]:
    """Return the bursts of [from_ns, to_ns), by time.

    Args:
        arrivals: every packet of that time.
        queue: as `queue_bytes` gives it for them.
        from_ns: start.
        to_ns: end.
        usual: bytes of 500 us bins before, for what is usual.
        bytes_per_s: what the link carries.
    """
    fine = binned(arrivals.ts_ns, arrivals.wire_bytes, from_ns, to_ns, FINE_BIN_NS)
    hot = np.flatnonzero(fine > hot_threshold(usual, bytes_per_s, FINE_BIN_NS))
    if not len(hot):
        return []
    splits = np.flatnonzero(np.diff(hot) > _GAP_NS // FINE_BIN_NS) + 1
    bursts = []
    for group in np.split(hot, splits):
        start_ns = from_ns + int(group[0]) * FINE_BIN_NS
        end_ns = from_ns + (int(group[-1]) + 1) * FINE_BIN_NS
        carried = bytes_per_s * FINE_BIN_NS / NS_PER_S
        peak_ratio = float(fine[group].max() / carried)
        bursts.append(_burst(arrivals, queue, start_ns, end_ns, peak_ratio, bytes_per_s))
    return bursts


def _burst(
    arrivals: Arrivals,
    queue: F64,
    start_ns: int,
    end_ns: int,
    peak_ratio: float,
    bytes_per_s: float,
) -> Burst:
    inside = slice(*np.searchsorted(arrivals.ts_ns, [start_ns, end_ns]))
    sizes = arrivals.wire_bytes[inside]
    flows, first, place = np.unique(
        arrivals.flow_hash[inside], return_index=True, return_inverse=True
    )
    of_flow = np.bincount(place, weights=sizes)
    largest = np.argsort(-of_flow, kind="stable")[:_FLOWS_NAMED_MAX]
    fullest = float(queue[inside].max())
    return Burst(
        start_ns=start_ns,
        end_ns=end_ns,
        packets=len(sizes),
        wire_bytes=int(sizes.sum()),
        peak_ratio=peak_ratio,
        queue_bytes=round(fullest),
        queue_ns=round(fullest / bytes_per_s * NS_PER_S),
        flows=len(flows),
        port_pairs=tuple(arrivals.port_pair[inside][first[largest]].tolist()),
        top_share=float(of_flow.max() / sizes.sum()),
    )

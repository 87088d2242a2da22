"""Pure: how far two hosts' clocks are apart, from packets or spans that both of them saw.

A packet from A to B, stamped at both ends, shows delay plus offset; one from B to A shows delay
less offset. No delay is negative, so each is a bound on the offset from one side, and what lies
between the tightest two is the shortest round trip: its middle is the estimate, its half the error
that two clocks alone can never rule out, since they do not see how the trip was divided.

Source: Moon, Skelly, Towsley, "Estimation and removal of clock skew from network delay
measurements", INFOCOM 1999, for the line under the delays; both ways at once are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from packet.decode.columns import I64, U64, Mask, PacketColumns

F64 = NDArray[np.float64]

# Linux slews a clock by 500 ppm at most (adjtimex); what runs off faster has been set.
DRIFT_MAX = 500e-6
# A drift below this is what a good quartz does between two corrections.
DRIFTING = 1e-6
_WINDOWS_MIN, _WINDOWS_MAX = 8, 40
_WINDOW_SAMPLES = 25
_PPB = 1e6


class ClockState(StrEnum):
    """What the samples say of two clocks, the gravest first."""

    STEPPED = "stepped"  # one was set in this time: what came before is left out
    DRIFTING = "drifting"  # surely, by more than 1 ppm
    UNSYNCHRONISED = "unsynchronised"  # surely apart
    SYNCHRONISED = "synchronised"  # not to be told apart


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """N messages of one way: when the sender's clock saw them go, the receiver's clock come."""

    sent_ns: I64
    seen_ns: I64

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.sent_ns)


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Clock B less clock A, as far as both ways tell."""

    from_ns: int  # the first and last sample, on clock A
    to_ns: int
    at_ns: int  # the instant, on clock A, for which offset and bound hold
    offset_ns: int
    bound_ns: int  # the error is at most this, where the drift is even
    median_offset_ns: int  # nearer where delays scatter alike both ways, without a bound
    rtt_min_ns: int
    drift_ppm: float | None  # None where the time is too short to tell
    drift_bound_ppm: float | None
    state: ClockState
    stepped_ns: int | None  # about when, on clock A
    forward: int  # samples from A to B
    reverse: int

    def offsets(self, at_ns: I64) -> I64:
        """Return the offset at instants of clock A."""
        drift = (self.drift_ppm or 0.0) / _PPB
        grown: I64 = self.offset_ns + np.rint(drift * (at_ns - self.at_ns)).astype(np.int64)
        return grown

    def bounds(self, at_ns: I64) -> I64:
        """Return what the error is at most at instants of clock A."""
        unsure = DRIFT_MAX if self.drift_bound_ppm is None else self.drift_bound_ppm / _PPB
        away = np.abs(at_ns - self.at_ns)
        bounds: I64 = self.bound_ns + np.ceil(unsure * away).astype(np.int64)
        return bounds


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """One-way times between two hosts, with the clocks' difference taken out."""

    length_ns: I64
    bound_ns: I64
    usable: Mask  # false where the error may be as large as the length: left out, and counted


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """The tightest samples of each window: the offset at `t` is at most, or at least, `ns`."""

    t: F64  # from the middle of all samples
    ns: F64
    window: I64


def estimate(forward: Samples, reverse: Samples) -> ClockOffset | None:
    """Return the offset of clock B against clock A; None where one way has no sample.

    Args:
        forward: messages from A to B.
        reverse: messages from B to A.
    """
    if not len(forward) or not len(reverse):
        return None
    first_ns = int(min(forward.sent_ns.min(), reverse.seen_ns.min()))
    last_ns = int(max(forward.sent_ns.max(), reverse.seen_ns.max()))
    # Reckoned from here: float64 holds 2^53 ns exactly, which is 104 days and not an epoch.
    base_ns = int(forward.seen_ns[0] - forward.sent_ns[0])
    at_most = (forward.seen_ns - forward.sent_ns - base_ns).astype(np.float64)
    at_least = (reverse.sent_ns - reverse.seen_ns - base_ns).astype(np.float64)
    high_t = (forward.sent_ns - first_ns).astype(np.float64)
    low_t = (reverse.seen_ns - first_ns).astype(np.float64)

    fewest = min(len(forward), len(reverse))
    # Few samples a window, and its edges are loose; few windows, and the drift is not known.
    count = int(np.clip(fewest // _WINDOW_SAMPLES, min(fewest, _WINDOWS_MIN), _WINDOWS_MAX))
    width = (last_ns - first_ns + 1) / count
    high = _tightest(high_t, at_most, width, 1)
    low = _tightest(low_t, at_least, width, -1)
    begin = _last_step(high, low, count)
    since = begin * width
    high, low = _since(high, begin), _since(low, begin)
    if not len(high.t) or not len(low.t):
        return None
    mid = (since + (last_ns - first_ns)) / 2
    least, most = _drift_range(high, low)
    drift = float(np.clip(_slope(high, low), least, most))
    upper = float((high.ns + np.maximum(least * (mid - high.t), most * (mid - high.t))).min())
    lower = float((low.ns + np.minimum(least * (mid - low.t), most * (mid - low.t))).max())
    middle = _median(at_most, high_t, drift, mid, since) + _median(
        at_least, low_t, drift, mid, since
    )
    is_known = most - least < 2 * DRIFT_MAX
    offset_ns, bound_ns = base_ns + round((upper + lower) / 2), round(abs(upper - lower) / 2)
    return ClockOffset(
        from_ns=first_ns,
        to_ns=last_ns,
        at_ns=first_ns + round(mid),
        offset_ns=offset_ns,
        bound_ns=bound_ns,
        median_offset_ns=base_ns + round(middle / 2),
        rtt_min_ns=max(round(upper - lower), 0),
        drift_ppm=drift * _PPB if is_known else None,
        drift_bound_ppm=max(most - drift, drift - least) * _PPB if is_known else None,
        state=_state(begin, least, most, offset_ns, bound_ns),
        stepped_ns=first_ns + round(since) if begin else None,
        forward=len(forward),
        reverse=len(reverse),
    )


def two_ways(a: PacketColumns, b: PacketColumns) -> tuple[Samples, Samples]:
    """Return the packets that both hosts saw once: from A to B, and from B to A.

    Neither host needs to say which addresses are its own: of the two directions of a connection
    the one that B saw later, by whatever clock, is the one that came from A.
    """
    key_a, key_b = _keys(a), _keys(b)
    _, at_a, at_b = np.intersect1d(
        _once(key_a), _once(key_b), assume_unique=True, return_indices=True
    )
    rows_a, rows_b = _once_rows(key_a)[at_a], _once_rows(key_b)[at_b]
    stamp_a = a.ts_ns[rows_a].astype(np.int64)
    stamp_b = b.ts_ns[rows_b].astype(np.int64)
    from_a = np.zeros(len(rows_a), np.bool_)
    is_known = np.zeros(len(rows_a), np.bool_)
    flow, port = a.flow_hash[rows_a], a.src_port[rows_a]
    lag = stamp_b - stamp_a
    for flow_hash in np.unique(flow):
        of_flow = flow == flow_hash
        ports = np.unique(port[of_flow])
        if len(ports) != 2:  # one way only, or both ends on one port: not to be told
            continue
        ways = [of_flow & (port == end) for end in ports]
        later = ways[int(np.median(lag[ways[1]]) > np.median(lag[ways[0]]))]
        is_known |= of_flow
        from_a |= later
    back = is_known & ~from_a
    return Samples(stamp_a[from_a], stamp_b[from_a]), Samples(stamp_b[back], stamp_a[back])


def one_way(samples: Samples, offset: ClockOffset, *, from_a: bool) -> Segments:
    """Return how long each message was on its way, and where that is known at all."""
    at_a = samples.sent_ns if from_a else samples.seen_ns
    shift = offset.offsets(at_a)
    length = samples.seen_ns - samples.sent_ns + (-shift if from_a else shift)
    bound = offset.bounds(at_a)
    return Segments(length, bound, length > bound)


def _state(begin: int, least: float, most: float, offset_ns: int, bound_ns: int) -> ClockState:
    if begin:
        return ClockState.STEPPED
    if least > DRIFTING or most < -DRIFTING:
        return ClockState.DRIFTING
    return ClockState.UNSYNCHRONISED if abs(offset_ns) > bound_ns else ClockState.SYNCHRONISED


def _tightest(t: F64, ns: F64, width: float, sign: int) -> _Edges:
    """Return of each window the lowest sample (`sign` 1) or the highest (-1)."""
    window = (t // width).astype(np.int64)
    order = np.lexsort((sign * ns, window))
    window = window[order]
    first = order[np.r_[True, window[1:] != window[:-1]]]
    return _Edges(t[first], ns[first], (t[first] // width).astype(np.int64))


def _since(edges: _Edges, begin: int) -> _Edges:
    later = edges.window >= begin
    return _Edges(edges.t[later], edges.ns[later], edges.window[later])


def _last_step(high: _Edges, low: _Edges, windows: int) -> int:
    """Return the window behind the last step: no slew explains what lies before it."""
    begin = 0
    for window in range(windows):
        new_high, new_low = high.window == window, low.window == window
        old_high = (high.window >= begin) & (high.window <= window)
        old_low = (low.window >= begin) & (low.window <= window)
        rose = _apart(low, new_low, high, old_high)
        fell = _apart(low, old_low, high, new_high)
        if max(rose, fell) > 0:
            # A step inside a window spoils it: its two edges are of different times.
            inside = _apart(low, new_low, high, new_high) > 0
            begin = window + 1 if inside and window + 1 < windows else window
    return begin


def _apart(low: _Edges, low_rows: Mask, high: _Edges, high_rows: Mask) -> float:
    """Return by how much a lower bound lies over an upper one, the fastest slew allowed for."""
    if not low_rows.any() or not high_rows.any():
        return 0.0
    gap = low.ns[low_rows][:, None] - high.ns[high_rows][None, :]
    away = np.abs(low.t[low_rows][:, None] - high.t[high_rows][None, :])
    return float((gap - DRIFT_MAX * away).max())


def _drift_range(high: _Edges, low: _Edges) -> tuple[float, float]:
    """Return the least and the greatest drift whose line passes under `high` and over `low`."""
    dt = high.t[:, None] - low.t[None, :]
    room = high.ns[:, None] - low.ns[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = room / dt
    most = float(np.min(slope[dt > 0], initial=DRIFT_MAX))
    least = float(np.max(slope[dt < 0], initial=-DRIFT_MAX))
    # Where no line fits the clock wanders; the range is then what it wandered through.
    return min(least, most), max(least, most)


def _slope(high: _Edges, low: _Edges) -> float:
    """Return the median slope between the windows' middles (Theil, Sen)."""
    both, at_high, at_low = np.intersect1d(high.window, low.window, return_indices=True)
    if len(both) < 2:
        return 0.0
    middle = (high.ns[at_high] + low.ns[at_low]) / 2
    t = (high.t[at_high] + low.t[at_low]) / 2
    one, other = np.triu_indices(len(both), 1)
    dt = t[other] - t[one]
    rise = (middle[other] - middle[one])[dt > 0]
    return float(np.median(rise / dt[dt > 0])) if len(rise) else 0.0


def _median(ns: F64, t: F64, drift: float, mid: float, since: float) -> float:
    later = t >= since
    return float(np.median(ns[later] + drift * (mid - t[later])))


def _keys(packets: PacketColumns) -> U64:
    """Return one key for each packet: what does not change on its way through routers."""
    key = packets.flow_hash.copy()
    for part in (
        packets.src_port,
        packets.tcp_seq,
        packets.tcp_ack,
        packets.tcp_flags,
        packets.payload_bytes,
    ):
        # 2^64 / golden ratio, and a shift, so that no two parts can stand in for each other.
        key = (key ^ part.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key = key ^ (key >> np.uint64(29))
    return key


def _once(keys: U64) -> U64:
    """Return the keys that are there once, in order: a packet sent again is nobody's twin."""
    unique, counts = np.unique(keys, return_counts=True)
    once: U64 = unique[counts == 1]
    return once


def _once_rows(keys: U64) -> I64:
    _, rows, counts = np.unique(keys, return_index=True, return_counts=True)
    once: I64 = rows[counts == 1].astype(np.int64)
    return once

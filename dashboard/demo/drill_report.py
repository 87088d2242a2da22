"""Pure: what Millworth said of a drill, beside what the path's own log says was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

import numpy as np

from attribution.core.segments import SEGMENTS
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.lab.forwarder import FORWARDED, HEAD_BYTES, LOST
from packet.lab.network import LogRows

BLAMED: Final = "decision/network"  # where every fault of a path belongs
# What a fault adds has to be seen to a tenth, or to half a millisecond where that is more: a busy
# machine wakes the two ends that late.
_ERROR_RATIO: Final = 0.1
_ERROR_NS: Final = NS_PER_MS / 2
# So many of the decisions have to be attributed, or nothing is judged, and linked to their packets.
_ATTRIBUTED_MIN: Final = 0.95
_LINKED_MIN: Final = 0.95


@dataclass(frozen=True, slots=True)
class SentDecision:
    """One decision, as its two ends tell it; Unix ns."""

    trace_id: str
    start_ns: int
    end_ns: int
    served_start_ns: int
    served_end_ns: int


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What Millworth has of one decision."""

    segments_ns: tuple[int, ...]  # in the order of `SEGMENTS`
    proved_ns: Mapping[str, int]  # of its network time, by what the packets prove
    links: tuple[tuple[str, float], ...]  # method and confidence

    @property
    def network_ns(self) -> int:
        """Return its network time."""
        pairs = zip(self.segments_ns, SEGMENTS, strict=True)
        return sum(ns for ns, (_, kind) in pairs if kind == "network")


@dataclass(frozen=True, slots=True)
class PacketDelay:
    """What the path did to the packets of one decision."""

    network_ns: int  # from the first of a message that came to the last of it that left, both ways
    packets: int  # that carry payload
    lost: int
    overtaken: int


@dataclass(frozen=True, slots=True)
class Phase:
    """One half of a drill, means a decision."""

    decisions: int
    linked: int
    said_network_ns: float
    true_network_ns: float
    segments_ns: dict[str, float]
    proved_ns: dict[str, float]
    packets: int
    lost: int
    overtaken: int
    off_ns: float  # said less true network time of a decision, the lower quartile


@dataclass(frozen=True, slots=True)
class Drill:
    """What came out."""

    sound: Phase
    fault: Phase
    blamed: str  # the segment that grew most
    said_added_ns: float
    true_added_ns: float
    error_p50_ns: float  # of the network time of a decision
    error_p99_ns: float
    methods: dict[str, int]
    misses: list[str] = field(default_factory=list)  # what Millworth got wrong


def judge(
    sent: Sequence[SentDecision], stored: Mapping[str, StoredDecision], rows: LogRows, fault_ns: int
) -> Drill:
    """Compare.

    Args:
        sent: the decisions, by time.
        stored: of Millworth, by trace.
        rows: the path's log.
        fault_ns: when the fault began; a decision before it is of the sound path.

    Raises:
        CaptureError: too few decisions are attributed for a verdict.
    """
    attributed = [each for each in sent if each.trace_id in stored]
    if not attributed or len(attributed) < _ATTRIBUTED_MIN * len(sent):
        raise CaptureError(
            f"drill: {len(attributed)} of {len(sent)} decisions were attributed, too few for a "
            "verdict; give the command again while this machine is less busy, or with fewer "
            "--decisions"
        )
    delays = dict(zip((each.trace_id for each in sent), true_times(sent, rows), strict=True))
    sound, fault = (
        _phase([each for each in sent if (each.start_ns >= fault_ns) is is_fault], stored, delays)
        for is_fault in (False, True)
    )
    grown = {name: fault.segments_ns[name] - sound.segments_ns[name] for name in sound.segments_ns}
    errors = np.array(
        [
            abs(stored[each.trace_id].network_ns - delays[each.trace_id].network_ns)
            for each in attributed
        ]
    )
    drill = Drill(
        sound=sound,
        fault=fault,
        blamed=max(grown, key=lambda name: grown[name]),
        said_added_ns=fault.said_network_ns - sound.said_network_ns,
        true_added_ns=fault.true_network_ns - sound.true_network_ns,
        error_p50_ns=float(np.percentile(errors, 50)),
        error_p99_ns=float(np.percentile(errors, 99)),
        methods=dict(Counter(m for each in attributed for m, _ in stored[each.trace_id].links)),
    )
    drill.misses.extend(_misses(drill))
    return drill


def true_times(sent: Sequence[SentDecision], rows: LogRows) -> list[PacketDelay]:
    """Return what the path did to the packets of each decision."""
    heads = [
        (int(row["arrived_ns"]), int(row["length"]), row["head"].tobytes()[: int(row["length"])])
        for row in rows
    ]
    assert all(len(head) <= HEAD_BYTES for _, _, head in heads)
    decoded = decode(frames_of(heads))
    carrying = decoded.rows[decoded.columns.payload_bytes > 0]
    rows = rows[carrying]
    delays = []
    for decision in sent:
        begin, end = np.searchsorted(rows["arrived_ns"], [decision.start_ns, decision.end_ns])
        of_decision = rows[begin:end]
        came = of_decision["fate"] == FORWARDED
        network_ns = overtaken = 0
        for way in (0, 1):
            left = of_decision[came & (of_decision["way"] == way)]["released_ns"].astype(np.int64)
            arrived = of_decision[of_decision["way"] == way]["arrived_ns"].astype(np.int64)
            if len(left):
                network_ns += int(left.max() - arrived.min())
                overtaken += int((left < np.maximum.accumulate(left)).sum())
        lost = int((of_decision["fate"] == LOST).sum())
        delays.append(PacketDelay(network_ns, len(of_decision), lost, overtaken))
    return delays


def as_json(drill: Drill) -> dict[str, Any]:
    """Return the result as one object, nanoseconds whole."""

    def phase(half: Phase) -> dict[str, Any]:
        return {
            "decisions": half.decisions,
            "linked": half.linked,
            "said_network_ns": round(half.said_network_ns),
            "true_network_ns": round(half.true_network_ns),
            "segments_ns": {name: round(ns) for name, ns in half.segments_ns.items() if ns},
            "proved_ns": {name: round(ns) for name, ns in half.proved_ns.items()},
            "packets": half.packets,
            "lost": half.lost,
            "overtaken": half.overtaken,
            "off_ns": round(half.off_ns),
        }

    return {
        "sound": phase(drill.sound),
        "fault": phase(drill.fault),
        "blamed": drill.blamed,
        "said_added_ns": round(drill.said_added_ns),
        "true_added_ns": round(drill.true_added_ns),
        "error_p50_ns": round(drill.error_p50_ns),
        "error_p99_ns": round(drill.error_p99_ns),
        "methods": drill.methods,
        "misses": drill.misses,
    }


def _phase(
    sent: Sequence[SentDecision],
    stored: Mapping[str, StoredDecision],
    delays: Mapping[str, PacketDelay],
) -> Phase:
    trace_ids = [each.trace_id for each in sent]
    attributed = [stored[name] for name in trace_ids if name in stored]
    true = [delays[each.trace_id] for each in sent]
    off_ns = [
        stored[name].network_ns - delays[name].network_ns for name in trace_ids if name in stored
    ]
    names = [f"{stage}/{kind}" for stage, kind in SEGMENTS]
    parts = sorted({name for each in attributed for name in each.proved_ns})
    return Phase(
        decisions=len(sent),
        linked=sum(bool(each.links) for each in attributed),
        said_network_ns=_mean([each.network_ns for each in attributed]),
        true_network_ns=_mean([each.network_ns for each in true]),
        segments_ns={
            name: _mean([each.segments_ns[place] for each in attributed])
            for place, name in enumerate(names)
        },
        proved_ns={
            name: _mean([each.proved_ns.get(name, 0) for each in attributed]) for name in parts
        },
        packets=sum(each.packets for each in true),
        lost=sum(each.lost for each in true),
        overtaken=sum(each.overtaken for each in true),
        off_ns=float(np.quantile(off_ns or [0], 0.25)),
    )


def _mean(values: Sequence[int]) -> float:
    return fmean(values) if values else 0.0


def _misses(drill: Drill) -> list[str]:
    sound, fault = drill.sound, drill.fault
    misses = []
    linked, decisions = sound.linked + fault.linked, sound.decisions + fault.decisions
    if linked < _LINKED_MIN * decisions:
        misses.append(f"packets were linked to {linked} of {decisions} decisions")
    allowed_ns = max(_ERROR_RATIO * abs(drill.true_added_ns), _ERROR_NS)
    # A fault that adds less than may be wrong has no segment that must stand out.
    if drill.true_added_ns > 2 * allowed_ns and drill.blamed != BLAMED:
        misses.append(f"{drill.blamed} was blamed, and the fault is in {BLAMED}")
    # Paired, and at the lower quartile: on a busy machine both ends wake late, in either half, and
    # never early, so that what is said wrongly of every decision is in those that waited least.
    apart_ns = fault.off_ns - sound.off_ns
    if abs(apart_ns) > allowed_ns:
        misses.append(
            f"of {drill.true_added_ns / NS_PER_MS:.3f} ms that the fault added to a decision, "
            f"{apart_ns / NS_PER_MS:+.3f} ms too much or too little were said"
        )
    if fault.lost and not fault.proved_ns.get("retransmission"):
        misses.append(f"the path lost {fault.lost} packets, and no retransmission was said")
    return misses

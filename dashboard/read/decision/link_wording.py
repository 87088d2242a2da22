"""Pure: what links between spans and packets rest on, and bursts on the wire, a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attribution.core.segments import CLASSES, NETWORK, STORE
from collector.core.times import NS_PER_US
from dashboard.read.packet_rows import Burst
from dashboard.units import count, ms
from packet.correlate.claims import AMBIGUOUS_CONFIDENCE

# Parts of network and store time, in the order in which they are told.
EVIDENCE: Final = (
    "rtt", "handshake", "transfer", "retransmission", "zero_window", "host_queue", "think",
    "unexplained",
)  # fmt: skip


def linked_by(links: Sequence[tuple[str, float]]) -> str:
    """Say by which methods exchanges were linked, and how many are one of a set.

    Args:
        links: method and confidence of each.
    """
    methods = ", ".join(
        f"{count(number)} {method}"
        for method, number in Counter(method for method, _ in links).most_common()
    )
    text = f"{count(len(links))} exchanges linked by {methods}"
    doubtful = sum(is_one_of_a_set(confidence) for _, confidence in links)
    return text + (f"; {count(doubtful)} of them one of a set" if doubtful else "")


def burst_line(bursts: Sequence[Burst]) -> str:
    """Return how many bursts a time crossed, and the fullest; nothing where there is none."""
    if not bursts:
        return ""
    worst = max(bursts, key=lambda burst: (burst.queue_ns, burst.peak_ratio))
    where = f" at {worst.host}" if worst.host else ""
    crossed = "a burst" if len(bursts) == 1 else f"{count(len(bursts))} bursts, the fullest"
    return (
        f"crossed {crossed} of {count(worst.packets)} packets{where}: {worst.peak_ratio:.0%} of "
        f"the link for 500 us, a queue of {ms(worst.queue_ns, 3)}, {worst.top_share:.0%} of it "
        f"by one of {count(worst.flows)} connections"
    )


def is_one_of_a_set(confidence: float) -> bool:
    """Return whether a link is one of several, of which it is not known which is right."""
    return confidence <= AMBIGUOUS_CONFIDENCE


def evidence_totals(evidence: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return the parts that packets prove of network and store time, in ns, none that is 0."""
    sums = ((name, sum(int(each[f"{name}_ns"]) for each in evidence)) for name in EVIDENCE)
    return [(name.replace("_", " "), ns) for name, ns in sums if ns]


def unseen_part(
    segments_ns: Sequence[int], evidence: Sequence[Mapping[str, Any]]
) -> list[tuple[str, int]]:
    """Return the network and store time that no packet and no kernel tells of, none below 1 us.

    Args:
        segments_ns: of the decision, in the order of SEGMENTS; empty before it is attributed.
        evidence: of its spans, by any method.
    """
    waited = sum(segments_ns[NETWORK :: len(CLASSES)]) + sum(segments_ns[STORE :: len(CLASSES)])
    unseen = waited - sum(ns for _, ns in evidence_totals(evidence))
    return [("in calls without packets", unseen)] if unseen >= NS_PER_US else []

"""Pure: self time of a span x what its packets show -> parts that sum to it exactly.

Only what lies on the critical path is split: the stretches that tile the span are cut to the
sections of its self time. Of an answer that was waited for, one round trip an exchange is the
wire's; what is left is the store at work where the span called a store, and unexplained where it
called a service: the callee's own span, if there is one, has its time already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

# As packet.correlate.wait_times.Stretch spells them in the table `wire_times`.
_PARTS = {
    "host": "host_queue_ns",
    "handshake": "handshake_ns",
    "send": "transfer_ns",
    "receive": "transfer_ns",
    "retransmission": "retransmission_ns",
    "zero_window": "zero_window_ns",
}
OUTSIDE_SPAN = "outside_span"


@dataclass(frozen=True, slots=True)
class Waited:
    """What a span waited for, as its packets show it, on the clock of the decision."""

    start_ns: int
    kinds: Sequence[str]
    ends_ns: Sequence[int]  # where each stretch ends; the first begins with the span
    exchanges: int
    rtt_ns: int | None
    outside_ns: int  # how far its packets lie outside of it


@dataclass(slots=True)
class Evidence:
    """The self time of one span by cause, in ns; all parts sum to it."""

    rtt_ns: int = 0
    handshake_ns: int = 0
    transfer_ns: int = 0
    retransmission_ns: int = 0
    zero_window_ns: int = 0
    host_queue_ns: int = 0
    think_ns: int = 0
    unexplained_ns: int = 0

    @property
    def total_ns(self) -> int:
        """Return the sum of all parts."""
        return sum(getattr(self, field.name) for field in fields(self))


def split_by_evidence(
    sections: Sequence[tuple[int, int]], waited: Waited, latency_class: str
) -> Evidence:
    """Split the self time of one span.

    Args:
        sections: of the critical path that the span covers itself, on the decision's clock.
        waited: what its packets show, on the same clock.
        latency_class: network or store.
    """
    found = Evidence()
    answer_ns, begin_ns = 0, waited.start_ns
    for kind, end_ns in zip(waited.kinds, waited.ends_ns, strict=True):
        own = sum(
            max(0, min(end_ns, to_ns) - max(begin_ns, from_ns)) for from_ns, to_ns in sections
        )
        if kind == "answer":
            answer_ns += own
        else:
            name = _PARTS[kind]
            setattr(found, name, getattr(found, name) + own)
        begin_ns = end_ns
    found.rtt_ns = min(answer_ns, (waited.rtt_ns or 0) * waited.exchanges)
    left_ns = answer_ns - found.rtt_ns
    if latency_class == "store":
        found.think_ns = left_ns
    else:
        found.unexplained_ns = left_ns
    # A section outside of what the packets tile: the span was clipped, or shifted, to another size.
    found.unexplained_ns += sum(to_ns - from_ns for from_ns, to_ns in sections) - found.total_ns
    return found


def finding(waited: Waited, clock_bound_ns: int | None) -> str:
    """Return what is odd: packets outside their span by more than the clock may be wrong by.

    A span whose clock states no bound is judged as if it were exact: the capture and the caller
    are on one machine.
    """
    return OUTSIDE_SPAN if waited.outside_ns > (clock_bound_ns or 0) else ""

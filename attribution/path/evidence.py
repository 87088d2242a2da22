"""Pure: self time of a span x what packets or the kernel show -> parts that sum to it exactly.

Only what lies on the critical path is split: the stretches that tile the span are cut to the
sections of its self time. Of an answer that was waited for, one round trip an exchange is the
wire's; what is left is the store at work where the span called a store, and unexplained where it
called a service: the callee's own span, if there is one, has its time already.

Where no packet was recorded, the caller's kernel knew its connection (`tcp_info`). That is weaker:
it says how often, and not when. What is taken from it is the least that it can mean, and all else
of the span is unexplained, also of a store: nothing shows that it was at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from collector.core.times import NS_PER_MS

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
PACKETS, TCP_INFO = "packets", "tcp_info"  # by what a span was split
SHARED, PARTLY_ON_PATH = "shared_connection", "partly_on_path"
# A timer doubles with each try; the kernel ends at two minutes.
_DOUBLINGS_MAX = 10
_RTO_LEAST_NS = 200 * NS_PER_MS  # of Linux
# It is set in ticks of the kernel, 10 ms at the most, and may end so much early.
_TICK_NS = 10 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Waited:
    """What a span waited for, as its packets show it, on the clock of the decision."""

    start_ns: int
    kinds: Sequence[str]
    ends_ns: Sequence[int]  # where each stretch ends; the first begins with the span
    exchanges: int
    rtt_ns: int | None
    outside_ns: int  # how far its packets lie outside of it


@dataclass(frozen=True, slots=True)
class Connection:
    """What the kernel of the caller knew of a span's connection; None is unknown."""

    start_ns: int  # of the span, on the clock of the decision
    end_ns: int
    min_rtt_ns: int
    rto_ns: int | None  # its timer when the call began; None for one that was opened for it
    retransmits: int | None
    segments_out: int | None  # with data, those that were sent again included
    is_shared: bool


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
    evidence = Evidence()
    answer_ns, begin_ns = 0, waited.start_ns
    for kind, end_ns in zip(waited.kinds, waited.ends_ns, strict=True):
        own_ns = sum(
            max(0, min(end_ns, to_ns) - max(begin_ns, from_ns)) for from_ns, to_ns in sections
        )
        if kind == "answer":
            answer_ns += own_ns
        else:
            name = _PARTS[kind]
            setattr(evidence, name, getattr(evidence, name) + own_ns)
        begin_ns = end_ns
    evidence.rtt_ns = min(answer_ns, (waited.rtt_ns or 0) * waited.exchanges)
    left_ns = answer_ns - evidence.rtt_ns
    if latency_class == "store":
        evidence.think_ns = left_ns
    else:
        evidence.unexplained_ns = left_ns
    # A section outside of what the packets tile: the span was clipped, or shifted, to another size.
    evidence.unexplained_ns += (
        sum(to_ns - from_ns for from_ns, to_ns in sections) - evidence.total_ns
    )
    return evidence


def finding(waited: Waited, clock_bound_ns: int | None) -> str:
    """Return what is odd: packets outside their span by more than the clock may be wrong by.

    A span whose clock states no bound is judged as if it were exact: the capture and the caller
    are on one machine.
    """
    return OUTSIDE_SPAN if waited.outside_ns > (clock_bound_ns or 0) else ""


def split_by_connection(
    sections: Sequence[tuple[int, int]], connection: Connection
) -> tuple[Evidence, str]:
    """Split the self time of one span by what the kernel knew of its connection.

    One round trip is the wire's: the least that the connection had, since what is smoothed holds
    the peer's delays as well. A request of one segment that was sent again waited for the timer; a
    larger one, or of a connection that was opened for it, may have been mended sooner, in two
    round trips at least. What the peer sent again is not known here.

    Args:
        sections: of the critical path that the span covers itself, on the decision's clock.
        connection: of the connection.

    Returns:
        The parts, and what limits them: calls beside it, by which no retransmission is its own; or
        a path that covers neither its begin nor its end, so that nothing can be placed.
    """
    self_ns = sum(to_ns - from_ns for from_ns, to_ns in sections)
    is_whole = bool(sections) and (
        min(sections)[0] <= connection.start_ns
        and max(to for _, to in sections) >= connection.end_ns
    )
    if not is_whole:
        return Evidence(unexplained_ns=self_ns), PARTLY_ON_PATH
    rtt_ns = min(self_ns, connection.min_rtt_ns)
    waited_ns = 0 if connection.is_shared else _sent_again_ns(connection)
    retransmission_ns = min(self_ns - rtt_ns, waited_ns)
    evidence = Evidence(
        rtt_ns=rtt_ns,
        retransmission_ns=retransmission_ns,
        unexplained_ns=self_ns - rtt_ns - retransmission_ns,
    )
    return evidence, SHARED if connection.is_shared else ""


def _sent_again_ns(connection: Connection) -> int:
    again = connection.retransmits or 0
    if not again:
        return 0
    is_lone = connection.segments_out is not None and connection.segments_out - again == 1
    if is_lone and connection.rto_ns is not None:
        doublings = min(again - 1, _DOUBLINGS_MAX)
        # The first may be a probe for a loss at the tail, which comes before the timer, and after
        # which the timer begins anew.
        first_ns = min(connection.rto_ns, 2 * connection.min_rtt_ns + _RTO_LEAST_NS)
        waited_ns = first_ns + connection.rto_ns * ((1 << doublings) - 1)
        return max(0, waited_ns - (doublings + 1) * _TICK_NS)
    return 2 * connection.min_rtt_ns

"""Pure: the rows that packets of a range are told in. Times are Unix ns, lengths ns."""

from __future__ import annotations

from dataclasses import dataclass

from collector.core.intervals import wilson
from dashboard.read.packet_rows import Burst


@dataclass(frozen=True, slots=True)
class Waited:
    """What decisions waited for in one class of time; the parts sum to `self_ns`."""

    latency_class: str  # network or store
    method: str  # packets, or tcp_info: the least that the kernel's figures mean
    decisions: int
    spans: int
    outside_spans: int  # of these, packets and span disagree beyond the clock bound
    self_ns: int
    rtt_ns: int
    handshake_ns: int
    transfer_ns: int
    retransmission_ns: int
    zero_window_ns: int
    host_queue_ns: int  # in the machine of the caller, nothing on the wire
    think_ns: int  # the answering service at work
    unexplained_ns: int


@dataclass(frozen=True, slots=True)
class Pair:
    """The kept connections of one client to one port of one server."""

    client_address: str
    server_address: str
    server_port: int
    connections: int
    packets: int
    wire_bytes: int
    retransmissions: int
    retransmission_low: float  # share of the packets, 95 %
    retransmission_high: float
    zero_windows: int
    handshakes: int  # that were seen
    handshake_p50_ns: int | None
    exchanges: int  # linked to a span
    rtts: int  # of these, with a round trip
    rtt_p50_ns: int | None
    rtt_p95_ns: int | None
    decision_id: str  # of the longest exchange, "" where none is linked


@dataclass(frozen=True, slots=True)
class Wire:
    """Every packet as recorders saw it, before any was let go; `kept_bytes` of `seen_bytes` are."""

    seconds: int  # with a packet, of each host
    hosts: int
    packets: int
    wire_bytes: int
    retransmissions: int
    retransmission_low: float | None  # share of the packets, 95 %; None without a packet
    retransmission_high: float | None
    zero_windows: int
    bursts: int
    judged_seconds: int  # in which bursts are looked for: packet.link_mbit was set
    seen_bytes: int
    kept_bytes: int
    refused_bytes: int  # no room in packet.budget_ratio


@dataclass(frozen=True, slots=True)
class Network:
    """What the packets of a range show."""

    from_ns: int
    to_ns: int
    waited: list[Waited]  # of one action and region, where they are given
    wire: Wire  # of all
    pairs: list[Pair]  # of all, most sent again first
    bursts: list[Burst]  # of all, by start


@dataclass(frozen=True, slots=True)
class ClockPair:
    """How far the clocks of two hosts are apart."""

    host_a: str
    host_b: str
    source: str  # packets or spans
    at_ns: int
    offset_ns: int  # clock of host_b less clock of host_a
    bound_ns: int  # the error of the offset is at most this
    drift_ppm: float | None
    state: str  # synchronised, unsynchronised, drifting or stepped
    says_unsynchronised: list[str]  # hosts whose own kernel says so
    segments: int  # one-way times measured
    excluded: int  # of these, no longer than the bound: left out


def share_interval(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of packets, as if each were lost by itself.

    All or nothing where there are none.
    """
    return wilson(min(part, whole), whole) if whole else (0.0, 1.0)

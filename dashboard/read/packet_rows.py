"""Pure: the rows that queries return of packets, and of what they prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class KeptPackets:
    """How likely it is that an alert can be rebuilt from packets, and what that rests on."""

    probability: float  # that no packet of any request is missing
    requests: int  # that it touched
    rebuilt: int  # of these, with packets on every span that names its connection
    grounds: list[str]


@dataclass(frozen=True, slots=True)
class SpanEvidence:
    """Network or store time of one span by what proves it; the parts sum to `self_ns`."""

    span_id: str
    stage: str
    latency_class: str
    self_ns: int
    rtt_ns: int
    handshake_ns: int
    transfer_ns: int
    retransmission_ns: int
    zero_window_ns: int
    host_queue_ns: int
    think_ns: int
    unexplained_ns: int
    # outside_span where packets and span disagree beyond the clock bound; shared_connection and
    # partly_on_path limit what the kernel's figures mean.
    finding: str
    outside_ns: int
    method: str  # packets, or tcp_info: the least that the kernel's figures mean


@dataclass(frozen=True, slots=True)
class SpanFlow:
    """The exchange on one connection that carried one span."""

    span_id: str
    flow_hash: int
    from_ns: int
    to_ns: int
    packets: int
    wire_ns: int | None
    method: str
    confidence: float
    client_address: str
    client_port: int
    server_address: str
    server_port: int
    retransmissions: int
    zero_windows: int


def by_exchange(flows: Sequence[SpanFlow]) -> list[list[SpanFlow]]:
    """Return links that differ in their span alone together: caller and callee of one exchange."""
    found: dict[SpanFlow, list[SpanFlow]] = {}
    for flow in flows:
        found.setdefault(replace(flow, span_id=""), []).append(flow)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Packet:
    """The headers of one kept packet."""

    ts_ns: int
    flow_hash: int
    src_address: str
    src_port: int
    dst_address: str
    dst_port: int
    tcp_flags: int
    tcp_seq: int
    tcp_ack: int
    tcp_window: int
    payload_bytes: int
    wire_bytes: int
    kept_for: str


@dataclass(frozen=True, slots=True)
class Burst:
    """More packets in a few milliseconds than any average shows; the queue is reckoned."""

    start_ns: int
    end_ns: int
    host: str
    packets: int
    wire_bytes: int
    peak_ratio: float  # of the fullest 500 us to what the link carries in that time
    queue_bytes: int
    queue_ns: int
    flows: int
    top_share: float  # of the bytes, by the largest connection

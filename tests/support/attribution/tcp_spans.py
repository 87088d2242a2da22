"""Spans that say what the kernel knew of their connection."""

from __future__ import annotations

from tests.support.attribution.stored import MS


def tcp_attributes(
    min_rtt_ms: int = 4,
    retransmits: int = 0,
    segments_out: int = 1,
    rto_ms: int | None = None,
    *,
    is_shared: bool = False,
) -> dict[str, str]:
    """Return what a client hook sets."""
    told = {
        "network.tcp.min_rtt_ns": min_rtt_ms * MS,
        "network.tcp.retransmits": retransmits,
        "network.tcp.segments_out": segments_out,
        "network.tcp.rto_ns": None if rto_ms is None else rto_ms * MS,
    }
    found = {name: str(value) for name, value in told.items() if value is not None}
    return found | ({"network.tcp.shared": "true"} if is_shared else {})

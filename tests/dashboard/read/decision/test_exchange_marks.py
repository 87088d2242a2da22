"""Packets as marks on the rows of the spans that they carried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.read.decision.exchange_marks import exchange_marks, flag_names
from dashboard.read.packet_rows import Packet, SpanFlow

FLOW = SpanFlow(
    "a", 7, 1_000, 2_000, 2, 900, "tuple+time", 1.0, "10.0.0.1", 41_000, "10.0.0.2", 6379, 0, 0
)
SENT = Packet(1_100, 7, "10.0.0.1", 41_000, "10.0.0.2", 6379, 0x18, 50, 1, 512, 120, 186, "sampled")
BACK = replace(SENT, ts_ns=1_900, src_port=6379, dst_port=41_000, tcp_seq=1)


def test_packets_lie_on_the_row_of_the_span_that_they_carried() -> None:
    """Those of its connection and its time, and no others."""
    before, other = replace(SENT, ts_ns=999), replace(SENT, ts_ns=1_200, flow_hash=8)
    found, marks = exchange_marks([FLOW], [before, SENT, other, BACK], {"a": 4}, 1_000)
    assert (found.row, found.packets, found.from_ns, found.to_ns) == ([4], [2], [0], [1_000])
    assert (marks.at_ns, marks.is_request) == ([100, 900], [1, 0])
    assert marks.said[0] == "ACK PSH, seq 50, ack 1, window 512, kept for sampled"


def test_bytes_that_are_sent_again_are_marked_and_a_keep_alive_is_not() -> None:
    """The second of two is the retransmission; a probe of one byte is sent again on purpose."""
    again = replace(SENT, ts_ns=1_300)
    probes = [replace(SENT, ts_ns=at, payload_bytes=1, tcp_seq=49) for at in (1_400, 1_500)]
    _, marks = exchange_marks([FLOW], [SENT, again, *probes, BACK], {"a": 0}, 0)
    assert marks.is_again == [0, 1, 0, 0, 0]


def test_closed_window_is_marked_and_a_reset_is_not() -> None:
    """A reset carries a window of zero and means nothing by it."""
    closed = replace(BACK, ts_ns=1_500, tcp_window=0, payload_bytes=0)
    reset = replace(closed, ts_ns=1_600, tcp_flags=0x14)
    _, marks = exchange_marks([FLOW], [SENT, closed, reset], {"a": 0}, 0)
    assert marks.is_window_zero == [0, 1, 0]


def test_unsure_link_is_never_sure() -> None:
    """Of two exchanges that fit, nobody knows which was the span's."""
    flows = [replace(FLOW, confidence=0.5), replace(FLOW, from_ns=3_000, to_ns=4_000)]
    found, _ = exchange_marks(flows, [], {"a": 0}, 0)
    assert found.is_sure == [0, 1]


def test_caller_and_callee_share_the_packets_of_an_exchange() -> None:
    """The same packets twice looked like two exchanges."""
    callee = replace(FLOW, span_id="b")
    found, marks = exchange_marks([callee, FLOW], [SENT, BACK], {"a": 1, "b": 2}, 0)
    assert (found.row, found.same_as, found.packets) == ([1, 2], [-1, 1], [2, 0])
    assert len(marks.at_ns) == 2
    alone, _ = exchange_marks([callee, FLOW], [SENT, BACK], {"b": 2}, 0)
    assert (alone.row, alone.same_as, alone.packets) == ([2], [-1], [2]), "its caller is left out"


@pytest.mark.parametrize(
    ("flags", "names"),
    [(0x02, "SYN"), (0x12, "SYN ACK"), (0x18, "ACK PSH"), (0, "no flags"), (0x14, "ACK RST")],
)
def test_tcp_flags_are_named(flags: int, names: str) -> None:
    """An operator reads names, not numbers."""
    assert flag_names(flags) == names

"""What packets prove of a decision's waits, as its page says it."""

from __future__ import annotations

from dash import html

from attribution.core.segments import SEGMENTS
from dashboard.pages.decision.gaps import evidence_line
from dashboard.read.packet_rows import SpanEvidence


def test_wait_of_a_call_without_packets_is_told_with_what_the_others_prove() -> None:
    """A slow store to which nothing was linked looked as if packets had explained it."""
    of_network = SpanEvidence(
        "s1", "ingress", "network", 1_000_000, 400_000, 0, 0, 0, 0, 0, 0, 600_000, "", 0, "packets"
    )
    parts = dict.fromkeys(SEGMENTS, 0)
    parts["decision", "store"], parts["ingress", "network"] = 180_000_000, 1_000_000
    parts["egress", "compute"] = 7_000_000
    line = evidence_line([of_network], list(parts.values()), is_linked=True, is_settled=True)
    assert isinstance(line, html.Span)
    assert line.children == (
        "rtt 0.400 ms, unexplained 0.600 ms, in calls without packets 180.000 ms"
    )


def test_while_packets_may_still_come_no_wait_is_said_to_be_without() -> None:
    """The packets of one call are weighed before those of the next."""
    of_store = SpanEvidence("s1", "decision", "store", 5, 5, 0, 0, 0, 0, 0, 0, 0, "", 0, "packets")
    parts = [180_000_000] * len(SEGMENTS)
    line = evidence_line([of_store], parts, is_linked=True, is_settled=False)
    assert isinstance(line, html.Span)
    assert line.children == "rtt 0.000 ms"


def test_before_a_decision_is_attributed_nothing_is_said_to_be_without_packets() -> None:
    """Its waits are not known yet."""
    of_store = SpanEvidence("s1", "decision", "store", 5, 5, 0, 0, 0, 0, 0, 0, 0, "", 0, "packets")
    line = evidence_line([of_store], (), is_linked=True, is_settled=True)
    assert isinstance(line, html.Span)
    assert line.children == "rtt 0.000 ms"

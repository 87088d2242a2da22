"""The waterfall and the packet lane of one decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.pages.decision.waterfall import (
    packet_lane,
    sharers,
    waterfall,
)
from dashboard.read.decision.waterfall import stage_stamps
from dashboard.read.packet_rows import Packet, SpanFlow, by_exchange
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts, PathSpan

Evidence = tuple[DecisionFacts, list[PathSpan], list[SpanFlow], list[Packet]]
NONE = ("No packet was kept", "Wait for an alert.")


@pytest.fixture
def evidence(reader: Reader) -> Evidence:
    """Return one stored decision with spans, exchanges and packets, read back."""
    facts = reader.decision("d-12")
    assert facts is not None
    flows = reader.span_flows(facts)
    packets = reader.packets([f.flow_hash for f in flows], facts.ingress_ns, facts.end_ns)
    return facts, reader.path_spans(facts), flows, packets


def test_solid_bars_add_up_to_the_decision(evidence: Evidence) -> None:
    """The critical path covers the decision exactly: no gap, nothing twice."""
    facts, spans, _, _ = evidence
    figure = waterfall(facts, spans)
    solid = [trace for trace in figure["data"] if trace["marker"]["opacity"] == 1]
    pieces = sorted(
        (base, base + length)
        for trace in solid
        for base, length in zip(trace["base"], trace["x"], strict=True)
    )
    assert pieces[0][0] == pytest.approx(0)
    assert sum(end - start for start, end in pieces) == pytest.approx(111.0)
    assert [end for _, end in pieces[:-1]] == pytest.approx([start for start, _ in pieces[1:]])


def test_stage_stamps_are_lines_at_their_time(evidence: Evidence) -> None:
    """A line a millisecond off would blame the wrong stage."""
    facts, spans, _, _ = evidence
    lines = waterfall(facts, spans)["layout"]["shapes"]
    assert [line["x0"] for line in lines] == pytest.approx([0, 2, 14, 96])
    assert [name for name, _ in stage_stamps(facts)] == [
        "ingress", "transform", "decision", "egress",
    ]  # fmt: skip


def test_packets_lie_on_the_row_of_the_span_that_they_carried(evidence: Evidence) -> None:
    """A request's packet points to the server, its answer to the client, on the same time axis."""
    facts, spans, flows, packets = evidence
    figure = packet_lane(facts, spans, flows, packets, NONE)
    _, outgoing, incoming = figure["data"]
    assert figure["layout"]["yaxis"]["ticktext"] == [
        "GET identity :6379", "ZRANGE offers :6379", "POST /fulfil :8088",
    ]  # fmt: skip
    assert len(outgoing["x"]) == len(incoming["x"]) == 6
    assert outgoing["x"][0] == pytest.approx(2.2)
    assert [round(y) for y in outgoing["y"]] == [0, 0, 1, 1, 2, 2]
    spans_axis = waterfall(facts, spans)["layout"]
    assert figure["layout"]["xaxis"]["range"] == spans_axis["xaxis"]["range"]
    assert figure["layout"]["margin"]["l"] == spans_axis["margin"]["l"]


def test_caller_and_callee_of_one_exchange_share_a_row(evidence: Evidence) -> None:
    """They are its two ends: the same packets twice looked like two exchanges."""
    facts, spans, flows, packets = evidence
    callee = replace(flows[-1], span_id=spans[0].span_id)
    shared = by_exchange([callee, *flows])
    assert [len(own) for own in shared] == [2, 1, 1]
    assert sharers(shared[0], spans) == f"{spans[0].span_name} → POST /fulfil"
    figure = packet_lane(facts, spans, [*flows, callee], packets, NONE)
    assert len(figure["layout"]["yaxis"]["tickvals"]) == 3
    assert len(figure["data"][1]["x"]) == 6


def test_a_decision_without_packets_says_why(evidence: Evidence) -> None:
    """Not captured, not permitted and not sampled are different things to do."""
    facts, spans, _, _ = evidence
    figure = packet_lane(facts, spans, [], [], NONE)
    assert figure["data"] == []
    assert "No packet was kept" in figure["layout"]["annotations"][0]["text"]


def test_a_decision_without_spans_says_why(evidence: Evidence) -> None:
    """Just after a decision ends its spans are not assembled yet."""
    figure = waterfall(evidence[0], [])
    assert "not assembled yet" in figure["layout"]["annotations"][0]["text"]

"""The waterfall and the packet lane of one decision."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.pages.decision.waterfall import (
    dearest,
    flag_names,
    packet_lane,
    sharers,
    stage_stamps,
    tree_order,
    waterfall,
)
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


@pytest.mark.parametrize(
    ("flags", "names"),
    [(0x02, "SYN"), (0x12, "SYN ACK"), (0x18, "ACK PSH"), (0, "no flags"), (0x14, "ACK RST")],
)
def test_tcp_flags_are_named(flags: int, names: str) -> None:
    """An operator reads names, not numbers."""
    assert flag_names(flags) == names


@given(st.lists(st.integers(-1, 9), min_size=1, max_size=10))
def test_every_span_is_shown_once_whatever_its_parent(parents: list[int]) -> None:
    """Orphans and rings of parents come from real senders; no span may vanish."""
    spans = [
        PathSpan("t", str(place), str(parent), "s", "n", "Server", place, 1, 0, 0, 0, 0, "", "", [])
        for place, parent in enumerate(parents)
    ]
    shown = [span.span_id for _, span in tree_order(spans)]
    assert sorted(shown) == sorted(span.span_id for span in spans)


def test_of_many_spans_the_dearest_are_drawn_with_what_called_them(evidence: Evidence) -> None:
    """A figure of 10,000 rows is 260,000 pixels high; a ring of parents ends the way up."""
    _, spans, *_ = evidence
    one = spans[0]
    tops = [replace(one, span_id=f"t{at}", parent_span_id="", self_ns=0) for at in range(500)]
    deep = [
        replace(one, span_id=f"d{at}", parent_span_id=f"d{at - 1}" if at else "", self_ns=at)
        for at in range(300)
    ]
    call = replace(one, span_id="call", parent_span_id="t7", self_ns=1_000)
    ring = [
        replace(one, span_id=own, parent_span_id=other, self_ns=2_000)
        for own, other in (("r1", "r2"), ("r2", "r1"))
    ]
    drawn = [span.span_id for span in dearest([*tops, *deep, call, *ring], 200)]
    assert len(drawn) == 200
    assert {"call", "t7", "r1", "r2"} <= set(drawn), "the longest, and who called"
    assert {f"d{at}" for at in range(150)} <= set(drawn), "of a chain that is too long, its begin"
    assert dearest(spans, 200) == spans

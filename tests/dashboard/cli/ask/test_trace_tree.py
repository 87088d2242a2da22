"""A trace on a terminal: whatever a span is called, its line stays one line."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from attribution.core.segments import SEGMENTS
from dashboard.cli.ask.trace_tree import render_trace
from dashboard.read.decision.link_wording import EVIDENCE
from dashboard.read.packet_rows import SpanFlow
from dashboard.read.rows import Outcome


def span(name: str, start_ns: int = 0, duration_ns: int = 1_000_000) -> dict[str, Any]:
    """Return a span as `/api/v1/traces/ID` tells it."""
    return {
        "span_id": "1" * 16,
        "parent_span_id": "",
        "name": name,
        "service_name": "shop",
        "kind": "Server",
        "start_ns": start_ns,
        "duration_ns": duration_ns,
        "status": "Unset",
    }


def decision(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  of the answer
    """Return a decision that is not attributed yet, as `/api/v1/decisions/ID` tells it."""
    facts = {"decision_id": "d-1", "action": "offer", "region": "eu", "value_usd": None}
    return {
        "facts": {**facts, "is_error": 0},
        "attribution": None,
        **{name: [] for name in ("flows", "evidence", "spans", "outcomes")},
        **changes,
    }


def rendered(*spans: dict[str, Any], width: int | None, **more: Any) -> list[str]:  # noqa: ANN401  passed on
    """Return the lines; a width means a terminal of that width, None a pipe."""
    out = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=width is not None,
        color_system=None,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    render_trace(out, {"trace_id": "a" * 32, "spans": list(spans)}, **more)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5), st.integers(80, 200))
def test_no_line_of_the_tree_is_wider_than_the_terminal(names: list[str], width: int) -> None:
    """A line that wraps hides the tree and the time axis."""
    lines = rendered(*map(span, names), width=width)

    assert len(lines) == 2 + len(names)
    assert all(cell_len(line) <= width for line in lines[1:])


def test_name_in_a_pipe_is_whole_and_its_brackets_are_kept() -> None:
    """What cannot be found with grep is not there; `[red]` is a name here and no colour."""
    name = "[red]SELECT[/blue] " + "x" * 200

    assert name in rendered(span(name), width=None)[2]


def test_control_characters_of_a_name_are_spelled_out() -> None:
    """A sender must not steer the terminal of whoever reads its trace."""
    assert r"a\x1b[2J\nb" in rendered(span("a\x1b[2J\nb"), width=120)[2]


def test_decision_tells_its_parts_largest_first() -> None:
    """The question behind a trace is where the time went."""
    parts = dict.fromkeys(SEGMENTS, 0)
    parts["decision", "store"], parts["ingress", "compute"] = 3_000_000, 1_000_000
    split = {"total_ns": 4_000_000, "segments_ns": list(parts.values()), "flags": []}
    made = decision(attribution=split)

    assert (
        "decision d-1: offer eu, 4.000 ms = decision/store 3.000 ms, ingress/compute 1.000 ms"
        in rendered(span("POST"), width=None, decisions=[made])
    )


def test_packets_of_a_decision_say_what_links_them_and_what_they_prove() -> None:
    """Which of two exchanges is whose may not be known: then it is said."""
    parts = dict.fromkeys(EVIDENCE, 0)
    evidence = {f"{name}_ns": 0 for name in parts} | {"rtt_ns": 200_000, "think_ns": 3_000_000}
    odd = {**evidence, "finding": "outside_span", "outside_ns": 1_500_000, "method": "packets"}
    told = {**evidence, "finding": "", "outside_ns": 0, "method": "tcp_info", "think_ns": 0}
    links = [("header", 1.0), ("header", 1.0), ("hpack", 0.5), ("tuple+time", 0.9)]
    flows = [
        SpanFlow(f"s{at}", at, 0, 1, 9, None, method, sure, "c", 1, "s", 2, 0, 0)
        for at, (method, sure) in enumerate(links)
    ]
    flows.append(replace(flows[0], span_id="the caller's of the same exchange"))
    made = decision(flows=[asdict(flow) for flow in flows], evidence=[odd, told])
    line = rendered(span("root"), width=None, decisions=[made])[3]
    assert line == (
        "packets: 4 exchanges linked by 2 header, 1 hpack, 1 tuple+time; 1 of them one of a set; "
        "of network and store: rtt 0.200 ms, think 3.000 ms; without packets, by the kernel, at "
        "the least: rtt 0.200 ms; 1 span and packets disagree by 1.500 ms at most"
    )
    no_packets = {**made, "flows": [], "evidence": [told]}
    assert rendered(span("root"), width=None, decisions=[no_packets])[3] == (
        "packets: none are kept; without packets, by the kernel, at the least: rtt 0.200 ms"
    )
    nothing = {**no_packets, "evidence": []}
    assert "packets" not in "".join(rendered(span("root"), width=None, decisions=[nothing]))


def test_what_packets_tell_nothing_of_is_told_with_what_they_prove() -> None:
    """The parts of one short call looked like those of the whole wait, the slow store's too."""
    evidence = dict.fromkeys((f"{name}_ns" for name in EVIDENCE), 0)
    rtt = {**evidence, "rtt_ns": 1_000_000, "method": "packets", "finding": "", "outside_ns": 0}
    flow = SpanFlow("s", 1, 0, 1, 9, None, "tuple+time", 0.9, "c", 1, "s", 2, 0, 0)
    parts = dict.fromkeys(SEGMENTS, 0)
    parts["decision", "store"], parts["ingress", "network"] = 180_000_000, 1_000_000
    parts["ingress", "compute"] = 7_000_000
    split = {"total_ns": 188_000_000, "segments_ns": list(parts.values()), "flags": []}
    made = decision(flows=[asdict(flow)], evidence=[rtt], attribution=split)
    line = rendered(span("root"), width=None, decisions=[made])[3]
    assert line.endswith("of network and store: rtt 1.000 ms, in calls without packets 180.000 ms")


def test_spans_that_are_not_there_are_named_with_the_reason() -> None:
    """A hole in the tree looks like time of the parent, unless something says that it is one."""
    gap = {"what": "parent", "span_id": "ab", "reason": "lost before ingest", "detail": "no row"}
    lines = rendered(span("root"), width=None, decisions=[decision(missing=[gap] * 7)])

    assert lines[3:9] == [
        *["missing: parent ab, lost before ingest; no row"] * 5,
        "missing: 2 more",
    ]


def test_every_span_has_a_row_whoever_its_parents_are() -> None:
    """Two spans that are each other's parents hang below no root."""
    ring = [
        {**span(f"ring {own}"), "span_id": own * 16, "parent_span_id": of * 16}
        for own, of in ("23", "32")
    ]
    lines = rendered(span("root"), *ring, width=None)
    assert lines[0].startswith(f"trace {'a' * 32}: 3 spans, ")
    assert [line.split("  ")[0] for line in lines[2:]] == ["root", "ring 2", "ring 3"]


def test_of_calls_that_start_together_the_longest_is_first() -> None:
    """As on the page of the decision, so that both can be read side by side."""
    call = {"parent_span_id": "1" * 16}
    short = {**span("short", duration_ns=1), **call, "span_id": "2" * 16}
    long = {**span("long", duration_ns=9), **call, "span_id": "3" * 16}
    lines = rendered(span("root"), short, long, width=None)
    assert [line.split()[0] for line in lines[2:]] == ["root", "long", "short"]


def test_span_of_another_trace_has_a_row_and_is_counted_as_such() -> None:
    """A consumer belongs to a decision by a link, under a trace id of its own."""
    own = {
        "trace_id": "a" * 32, "span_id": "1" * 16, "parent_span_id": "", "span_name": "root",
        "service_name": "shop", "span_kind": "Server", "start_ns": 0, "duration_ns": 1_000_000,
    }  # fmt: skip
    other = {**own, "trace_id": "b" * 32, "span_id": "4" * 16, "parent_span_id": "1" * 16}
    made = decision(spans=[own, {**other, "span_name": "consume", "span_kind": "Consumer"}])
    lines = rendered(span("root"), width=None, decisions=[made, made])
    assert lines[0] == f"trace {'a' * 32}: 1 span and 1 of other traces, linked to it, 1.000 ms"
    assert [line.split()[0] for line in lines[-2:]] == ["root", "consume"]
    assert lines[-1].startswith("  consume")


def test_decision_says_what_its_page_says_of_flags_failure_and_worth() -> None:
    """Who has commands alone takes a split that was moved for measured, and an error for well."""
    split = {"total_ns": 0, "segments_ns": [0] * len(SEGMENTS), "flags": ["orphan", "cycle"]}
    sale = Outcome("o", "sale", 1, True, Decimal("49.9"), Decimal("12.3"), "USD", 1)
    told = {**asdict(sale), "revenue": "49.9", "margin": "12.3"}
    facts = {**decision()["facts"], "is_error": 1, "value_usd": "5.00"}
    made = decision(facts=facts, attribution=split, outcomes=[told])
    lines = rendered(span("root"), width=None, decisions=[made, {**made, "attribution": None}])
    assert lines[1:6] == [
        "decision d-1: offer eu, failed after 0.000 ms = 0.000 ms",
        "stated by the sender: $5.00; outcome: sold, $12.30 margin",
        "flags: orphan, cycle",
        "decision d-1: offer eu, failed, not attributed yet",
        "stated by the sender: $5.00; outcome: sold, $12.30 margin",
    ]


def test_a_failed_span_is_marked_and_its_message_told_in_a_pipe() -> None:
    """A colour was all that told it."""
    message = "Redis is gone\x1b[2J"
    lines = rendered(
        span("checkout") | {"status": "Error", "status_message": ""},
        span("GET stock") | {"span_id": "2" * 16, "status": "Error", "status_message": message},
        span("render") | {"span_id": "3" * 16},
        width=None,
    )
    assert "failed: GET stock of shop, Redis is gone\\x1b[2J" in lines
    marked = {line.split("  ")[0] for line in lines if "Server, failed" in line}
    assert marked == {"checkout", "GET stock"}


def test_of_many_failed_spans_the_first_are_told_and_the_rest_counted() -> None:
    """The tree stays in sight."""
    failed = [
        span("call", start_ns=place)
        | {"span_id": f"{place:016x}", "status": "Error", "status_message": f"no {place}"}
        for place in range(9)
    ]
    lines = [line for line in rendered(*failed, width=None) if line.startswith("failed: ")]
    assert lines == [f"failed: call of shop, no {place}" for place in range(5)] + [
        "failed: 4 more with a message"
    ]


def test_a_long_message_has_three_rows_of_a_terminal_and_is_whole_in_a_pipe() -> None:
    """A stack trace pushed the tree out of sight."""
    failed = span("call") | {"status": "Error", "status_message": "no stock " * 100}
    shown = "".join(rendered(failed, width=80))
    assert len(shown[shown.index("failed:") : shown.index("…")]) < 240
    assert "no stock " * 99 in "".join(rendered(failed, width=None))

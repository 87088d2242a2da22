"""Pure: one decision's spans and packets, drawn on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attribution.core.segments import CLASSES
from collector.core.clock import NS_PER_MS
from dashboard.pages.theme import (
    CLASS_COLOURS,
    REFERENCE,
    REQUEST,
    RESPONSE,
    Figure,
    frame,
    message,
    pattern,
)
from dashboard.read.decision.exchange_marks import flag_names
from dashboard.read.decision.tree import tree_order
from dashboard.read.decision.waterfall import stage_stamps
from dashboard.read.packet_rows import Packet, SpanFlow, by_exchange
from dashboard.read.rows import DecisionFacts, PathSpan
from dashboard.units import ms, shorten

# Both figures of a decision keep the same margins, so that their time axes line up.
_MARGIN = {"l": 148, "r": 14}
_LABEL_CHARS = 21
ROW_PX = 26
# A figure of more is taller than any screen, and slow to draw.
SPANS_DRAWN_MAX = 200
HEAD_PX = 88
LANE_PX = 32
LANE_HEAD_PX = 46
# Stage names nearer than this share of the width are set one above the other.
_CLOSE_SHARE = 0.28


def waterfall(facts: DecisionFacts, spans: Sequence[PathSpan]) -> Figure:
    """Draw each span as a light bar, and what of it lies on the critical path as a solid one."""
    if not spans:
        return message(
            "The spans of this decision are not assembled yet",
            "It is attributed some seconds after it ends; reload then. If it stays so, see Health.",
        )
    ordered = tree_order(spans)
    rows = len(ordered)
    data = [_bars(facts, ordered, kind, solid=solid) for kind in CLASSES for solid in (False, True)]
    layout = frame(
        f"waterfall {facts.decision_id}",
        height=rows * ROW_PX + HEAD_PX,
        barmode="overlay",
        bargap=0.25,
        margin={**_MARGIN, "t": 48, "b": 34},
        xaxis={**_time_axis(facts, spans), "title": {"text": "ms since ingress", "standoff": 4}},
        yaxis={
            "range": [rows - 0.4, -0.6],
            "tickvals": list(range(rows)),
            "ticktext": [_label(depth, span) for depth, span in ordered],
            "tickfont": {"size": 11},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        shapes=[_stamp_line(facts, at_ns) for _, at_ns in stage_stamps(facts)],
        annotations=_stamp_notes(facts),
        showlegend=False,
    )
    return {"data": [trace for trace in data if trace["x"]], "layout": layout}


def packet_lane(
    facts: DecisionFacts,
    spans: Sequence[PathSpan],
    flows: Sequence[SpanFlow],
    packets: Sequence[Packet],
    why_empty: tuple[str, str],
) -> Figure:
    """Draw the packets of each linked exchange, a row each; a caller and its callee share one.

    Triangles point the way the packet went: right to the server, left to the client. `why_empty` is
    the reason, and what to do, where no exchange is linked.
    """
    if not flows:
        return message(*why_empty)
    shared = by_exchange(flows)
    exchanges = [own[0] for own in shared]
    rows = len(exchanges)
    traces = [_exchange_lines(facts, exchanges)]
    for name, outgoing in (("to server", True), ("to client", False)):
        traces.append(_packet_marks(facts, exchanges, packets, name, outgoing=outgoing))
    layout = frame(
        f"packets {facts.decision_id}",
        height=rows * LANE_PX + LANE_HEAD_PX,
        margin={**_MARGIN, "t": 8, "b": 34},
        xaxis={**_time_axis(facts, spans), "title": {"text": "ms since ingress", "standoff": 4}},
        yaxis={
            "range": [rows - 0.5, -0.5],
            "tickvals": list(range(rows)),
            "ticktext": [
                shorten(f"{sharers(own, spans)} :{own[0].server_port}", _LABEL_CHARS)
                for own in shared
            ],
            "tickfont": {"size": 11},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        showlegend=False,
    )
    return {"data": traces, "layout": layout}


def sharers(own: Sequence[SpanFlow], spans: Sequence[PathSpan]) -> str:
    """Return the names of the spans of one exchange, who asked before who answered."""
    ids = {flow.span_id for flow in own}
    names = [span.span_name for _, span in tree_order(spans) if span.span_id in ids]
    return " \u2192 ".join(names) or own[0].span_id


def _time_axis(facts: DecisionFacts, spans: Sequence[PathSpan]) -> dict[str, Any]:
    first_ns = min([facts.ingress_ns, *(span.shown_ns for span in spans)])
    last_ns = max([facts.end_ns, *(span.shown_ns + span.duration_ns for span in spans)])
    room_ns = max(last_ns - first_ns, 1) * 0.015
    low = _since(facts, first_ns - room_ns)
    return {"range": [low, _since(facts, last_ns + room_ns)], "zeroline": False}


def _since(facts: DecisionFacts, at_ns: float) -> float:
    return (at_ns - facts.ingress_ns) / NS_PER_MS


def _bars(
    facts: DecisionFacts, ordered: Sequence[tuple[int, PathSpan]], kind: str, *, solid: bool
) -> Figure:
    pieces = []
    for row, (_, span) in enumerate(ordered):
        if span.latency_class != kind:
            continue
        whole = [(span.shown_ns, span.shown_ns + span.duration_ns)]
        pieces += [(row, span, *part) for part in (_drawn_sections(span) if solid else whole)]
    return {
        "type": "bar",
        "orientation": "h",
        "name": kind,
        "y": [row for row, *_ in pieces],
        "base": [_since(facts, start) for *_, start, _ in pieces],
        "x": [(end - start) / NS_PER_MS for *_, start, end in pieces],
        "width": 0.62 if solid else 0.4,
        "marker": {
            "color": CLASS_COLOURS[kind],
            "opacity": 1 if solid else 0.32,
            **({"pattern": pattern(kind)} if solid else {}),
        },
        "hovertext": [_hover(span, end - start, solid=solid) for _, span, start, end in pieces],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _drawn_sections(span: PathSpan) -> Sequence[tuple[int, int]]:
    """Return the sections of a span, of very many the longest: the others are below a pixel."""
    if len(span.sections) <= SPANS_DRAWN_MAX:
        return span.sections
    return sorted(span.sections, key=lambda part: part[0] - part[1])[:SPANS_DRAWN_MAX]


def _hover(span: PathSpan, piece_ns: int, *, solid: bool) -> str:
    lines = [
        f"<b>{span.span_name}</b> ({span.service_name}, {span.span_kind})",
        f"{span.stage}/{span.latency_class}",
        f"duration {ms(span.duration_ns, 3)}, on the path {ms(span.self_ns, 3)}",
    ]
    if solid:
        lines.append(f"this section {ms(piece_ns, 3)}")
        if len(span.sections) > SPANS_DRAWN_MAX:
            lines.append(f"the {SPANS_DRAWN_MAX} longest of its {len(span.sections):,} are drawn")
    if span.shift_ns:
        lines.append(f"shown {ms(span.shift_ns, 3)} later than sent: clocks differ")
    if span.clock_bound_ns:
        lines.append(f"its clock may be wrong by {ms(span.clock_bound_ns, 3)}")
    return "<br>".join(lines)


def _label(depth: int, span: PathSpan) -> str:
    return shorten("\u2007" * min(depth, 6) + span.span_name, _LABEL_CHARS)


def _stamp_line(facts: DecisionFacts, at_ns: int) -> dict[str, Any]:
    at = _since(facts, at_ns)
    line = {"color": REFERENCE, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _stamp_notes(facts: DecisionFacts) -> list[dict[str, Any]]:
    """Name the stages above their lines; a name that would cover the one before moves up."""
    notes: list[dict[str, Any]] = []
    close_ns = (facts.end_ns - facts.ingress_ns) * _CLOSE_SHARE
    before_ns, raised = 0, 0
    for name, at_ns in stage_stamps(facts):
        raised = (raised + 1) % 3 if at_ns - before_ns < close_ns else 0
        before_ns = at_ns
        notes.append(
            {
                "x": _since(facts, at_ns),
                "yref": "paper",
                "y": 1,
                "yshift": 13 * raised,
                "yanchor": "bottom",
                "xanchor": "left",
                "text": name,
                "showarrow": False,
                "font": {"size": 10},
            }
        )
    return notes


def _exchange_lines(facts: DecisionFacts, flows: Sequence[SpanFlow]) -> Figure:
    x: list[float | None] = []
    y: list[int | None] = []
    for row, flow in enumerate(flows):
        x += [_since(facts, flow.from_ns), _since(facts, flow.to_ns), None]
        y += [row, row, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "exchange",
        "x": x,
        "y": y,
        "line": {"color": REFERENCE, "width": 3},
        "hoverinfo": "skip",
    }


def _packet_marks(
    facts: DecisionFacts,
    flows: Sequence[SpanFlow],
    packets: Sequence[Packet],
    name: str,
    *,
    outgoing: bool,
) -> Figure:
    marks = [
        (row, packet)
        for row, flow in enumerate(flows)
        for packet in packets
        if packet.flow_hash == flow.flow_hash
        and flow.from_ns <= packet.ts_ns <= flow.to_ns
        and (packet.src_port == flow.client_port) == outgoing
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [_since(facts, packet.ts_ns) for _, packet in marks],
        "y": [row + (-0.16 if outgoing else 0.16) for row, _ in marks],
        "marker": {
            "symbol": "triangle-right" if outgoing else "triangle-left",
            "size": [11 if packet.payload_bytes else 7 for _, packet in marks],
            "color": REQUEST if outgoing else RESPONSE,
            "opacity": 1,
            "line": {"width": 1, "color": "rgba(0,0,0,.55)"},
        },
        "hovertext": [
            f"{flag_names(p.tcp_flags)}, {p.payload_bytes} B payload<br>"
            f"{p.src_address}:{p.src_port} → {p.dst_address}:{p.dst_port}<br>"
            f"seq {p.tcp_seq}, ack {p.tcp_ack}, window {p.tcp_window}, kept for {p.kept_for}"
            for _, p in marks
        ],
        "hovertemplate": "%{hovertext}<br>%{x:.3f} ms<extra></extra>",
    }

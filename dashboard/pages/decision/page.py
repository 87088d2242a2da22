"""I/O: one decision: where its time went, and which packets prove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dash import Dash, Input, Output, dcc, html

from attribution.core.segments import CLASSES, STAGES
from collector.core.clock import NS_PER_MINUTE, NS_PER_MS
from dashboard.health.items import HealthItem
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.decision.gaps import evidence_line, missing_line, revisions_line
from dashboard.pages.decision.spans import register_spans, span_note, span_rows, span_table
from dashboard.pages.decision.waterfall import (
    HEAD_PX,
    LANE_HEAD_PX,
    LANE_PX,
    ROW_PX,
    SPANS_DRAWN_MAX,
    packet_lane,
    sharers,
    waterfall,
)
from dashboard.pages.overview.heat import RECORDER
from dashboard.pages.parts import Component, chart, facts_list, legend, page, panel, table
from dashboard.pages.theme import message
from dashboard.read.decision.detail import Decision, read_decision
from dashboard.read.decision.link_wording import burst_line, is_one_of_a_set, linked_by
from dashboard.read.decision.tree import dearest
from dashboard.read.packet_rows import Packet, by_exchange
from dashboard.read.rows import Attribution, Outcome, PathSpan, TraceSpan
from dashboard.read.scope import parse_scope
from dashboard.units import UNKNOWN, count, ms, usd, utc_full

PATH = "/decision?id"
TITLE = "Decision"
IN_MENU = False  # it is reached from the list
OUTPUTS = (
    "decision-title.children",
    "decision-facts.children",
    "decision-waterfall.figure",
    "decision-waterfall-box.aria-label",
    "decision-waterfall-box.style",
    "decision-waterfall-note.children",
    "decision-packets.figure",
    "decision-packets-box.aria-label",
    "decision-packets-box.style",
    "decision-packets-table.children",
    "decision-packets-note.children",
    "decision-budget.children",
    "decision-budget-note.children",
    "decision-spans.rowData",
    "decision-spans-note.children",
    "decision-tick.max_intervals",
)
TICK = "decision-tick"
# A page that is opened while its decision is young is read again, at most so often.
TICKS_MAX = 24
# Outcomes may come days later; packets and the split are there after seconds.
_YOUNG_NS = 2 * NS_PER_MINUTE
# Kept packets of a connection this far outside of the decision are still read: its handshake.
_MARGIN_NS = 5 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class DecisionRead:
    """Everything that one reading of the page found about a decision that exists."""

    detail: Decision
    sent: list[TraceSpan]
    packets: list[Packet]
    is_settled: bool  # nothing more is waited for
    recorder: HealthItem | None


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    del query
    return page(
        "decision",
        TITLE,
        html.Div(id="decision-facts", className="panel facts-panel"),
        panel(
            "decision-waterfall",
            "Critical path",
            legend(*CLASSES),
            *chart("decision-waterfall", "Spans of the decision over time", 300, twin=False),
        ),
        panel(
            "decision-packets",
            "Packets on the wire",
            legend("request packets, to the server", "response packets, to the client"),
            *chart("decision-packets", "Packets of the decision over time", 190),
        ),
        panel(
            "decision-budget",
            "Latency budget",
            html.Div(id="decision-budget", className="scroll budget"),
        ),
        panel(
            "decision-spans",
            "Spans",
            *span_table("decision-spans"),
        ),
        dcc.Interval(
            id=TICK,
            interval=round(context.config.refresh_s * 1000),
            max_intervals=TICKS_MAX,
        ),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> dict[str, object]:
        wanted = parse_scope(query).decision_id
        found = read(context, wanted)
        return show(found) if found is not None else show_unknown(wanted)

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    context.reading(app, OUTPUTS, inputs, refresh, tick=TICK)
    register_spans(app, "decision-spans")
    in_browser(
        app,
        "sameTime",
        Output("decision-packets-box", "data-range"),
        Input("decision-waterfall", "relayoutData"),
    )


def read(context: PageContext, decision_id: str) -> DecisionRead | None:
    """Read one decision with all its evidence, None where nothing has that id."""
    reader = context.reader
    facts = reader.decision(decision_id)
    if facts is None:
        return None
    sent, now_ns = reader.trace_spans(facts.trace_id), context.clock.now_ns()
    detail = read_decision(reader, facts, reader.sent_spans(facts.trace_id), now_ns)
    packets = reader.packets(
        [flow.flow_hash for flow in detail.flows],
        facts.ingress_ns - _MARGIN_NS,
        facts.end_ns + _MARGIN_NS,
    )
    health = context.health.health()
    is_young = now_ns - facts.end_ns < _YOUNG_NS
    return DecisionRead(
        detail=detail,
        sent=sent,
        packets=packets,
        is_settled=not is_young or (detail.attribution is not None and bool(detail.evidence)),
        recorder=next((item for item in health if item.name == RECORDER), None),
    )


def show(found: DecisionRead) -> dict[str, object]:
    """Return what was read: a value for each of OUTPUTS."""
    detail = found.detail
    facts, spans = detail.facts, detail.spans
    lane = packet_lane(facts, spans, detail.flows, found.packets, why_no_packets(found.recorder))
    budget, check = _budget(detail.attribution)
    drawn = dearest(spans, SPANS_DRAWN_MAX)
    return {
        "decision-title.children": f"Decision {facts.decision_id}",
        "decision-facts.children": facts_list(_facts(found)),
        "decision-waterfall.figure": waterfall(facts, drawn),
        "decision-waterfall-box.aria-label": _path_summary(spans),
        "decision-waterfall-box.style": {"height": f"{max(300, len(drawn) * ROW_PX + HEAD_PX)}px"},
        "decision-waterfall-note.children": _waterfall_note(len(drawn), len(spans)),
        "decision-packets.figure": lane,
        "decision-packets-box.aria-label": f"{len(found.packets)} packets on the time axis above.",
        "decision-packets-box.style": {
            "height": f"{max(190, len(by_exchange(detail.flows)) * LANE_PX + LANE_HEAD_PX)}px"
        },
        "decision-packets-table.children": _exchange_table(found),
        "decision-packets-note.children": _packet_note(detail),
        "decision-budget.children": budget,
        "decision-budget-note.children": check,
        "decision-spans.rowData": span_rows(detail.spans, found.sent, facts.ingress_ns),
        "decision-spans-note.children": span_note(spans),
        "decision-tick.max_intervals": 0 if found.is_settled else TICKS_MAX,
    }


def show_unknown(decision_id: str) -> dict[str, object]:
    """Say that nothing has this id, and what may be done."""
    why = message(
        "No decision has this id",
        "Search the list of decisions for its trace id or outcome key.",
    )
    shown: dict[str, object] = dict.fromkeys(OUTPUTS, "")
    shown |= {
        "decision-title.children": f"Decision {decision_id or UNKNOWN}",
        "decision-facts.children": html.A("Search the list of decisions", href="/decision"),
        "decision-waterfall.figure": why,
        "decision-packets.figure": why,
        "decision-waterfall-box.style": {"height": "300px"},
        "decision-packets-box.style": {"height": "190px"},
        "decision-spans.rowData": [],
        "decision-tick.max_intervals": TICKS_MAX,
    }
    return shown


def why_no_packets(recorder: HealthItem | None) -> tuple[str, str]:
    """Return why a decision has no packets, and what to do about it."""
    if recorder is not None and recorder.status != "ok":
        return "No packets: the recorder is off", recorder.detail or "See Health for the reason."
    return (
        "No packet of this decision was kept",
        "Kept are a sample of connections (packet.sample_ratio)<br>"
        "and those of decisions that a firing alert names.",
    )


def _facts(found: DecisionRead) -> list[tuple[str, object]]:
    detail = found.detail
    facts, split = detail.facts, detail.attribution
    total_ns = split.total_ns if split else facts.end_ns - facts.ingress_ns
    value = UNKNOWN if facts.value_usd is None else f"{usd(facts.value_usd)} expected"
    named = [(name, value) for name, value in facts.dimensions.items() if name != "region"]
    listed: list[tuple[str, object]] = [
        ("latency", html.Span(ms(total_ns, 3), title=f"{total_ns:,} ns")),
        ("action", facts.action),
        ("region", facts.region or UNKNOWN),
        ("value", value),
        ("outcome", _outcome(detail.outcomes)),
        ("ingress", utc_full(facts.ingress_ns)),
        ("result", "error" if facts.is_error else "ok"),
        ("revision", split.revision if split else "not attributed yet"),
        ("flags", ", ".join(split.flags) or "none" if split else UNKNOWN),
        (
            "by the packets",
            evidence_line(
                detail.evidence,
                is_linked=bool(detail.flows),
                is_settled=found.is_settled,
            ),
        ),
        ("missing spans", missing_line(detail.missing)),
        ("trace", html.A(facts.trace_id, href=f"/api/v1/traces/{facts.trace_id}")),
    ]
    listed += [(name.replace("_", " "), value) for name, value in named if value]
    if facts.replaced:
        listed.append(("replaced as personal", facts.replaced.replace(",", ", ")))
    if detail.revisions:
        listed.append(("what changed", revisions_line(detail.revisions, detail.spans)))
    if facts.injected_delay_ns:
        listed.append(("injected delay", ms(facts.injected_delay_ns, 3)))
    return listed


def _outcome(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "none known yet"
    parts = []
    for outcome in outcomes:
        amount = outcome.margin if outcome.margin is not None else outcome.revenue
        basis = "margin" if outcome.margin is not None else "revenue"
        money = "" if amount is None else f" {_money(amount, outcome.currency)} {basis}"
        won = "converted" if outcome.converted else "not converted"
        parts.append(f"{outcome.kind}: {won}{money}")
    return "; ".join(parts)


def _money(amount: Decimal, currency: str) -> str:
    return usd(amount) if currency == "USD" else f"{amount:,.2f} {currency}"


def _path_summary(spans: Sequence[PathSpan]) -> str:
    on_path = [span for span in spans if span.self_ns]
    if not on_path:
        return "No span of this decision is assembled yet."
    longest = max(on_path, key=lambda span: span.self_ns)
    return (
        f"{len(spans)} spans, {len(on_path)} of them on the critical path; most of it is "
        f"{longest.span_name} with {ms(longest.self_ns, 3)}. The table of spans says the same."
    )


def _packet_note(detail: Decision) -> str:
    exchanges = [own[0] for own in by_exchange(detail.flows)]
    linked = linked_by([(each.method, each.confidence) for each in exchanges])
    told = (linked if detail.flows else "", burst_line(detail.bursts))
    return "; ".join(part for part in told if part)


def _exchange_table(found: DecisionRead) -> Component:
    detail = found.detail
    if not detail.flows:
        return " ".join(why_no_packets(found.recorder)).replace("<br>", " ")
    rows = [
        (
            sharers(own, detail.spans),
            f"{flow.client_address}:{flow.client_port} → {flow.server_address}:{flow.server_port}",
            ms(flow.from_ns - detail.facts.ingress_ns, 3),
            ms(flow.to_ns - detail.facts.ingress_ns, 3),
            UNKNOWN if flow.wire_ns is None else ms(flow.wire_ns, 3),
            count(flow.packets),
            count(flow.retransmissions),
            flow.method,
            f"{flow.confidence:.2f}" + (", a set" if is_one_of_a_set(flow.confidence) else ""),
        )
        for own in by_exchange(detail.flows)
        for flow in own[:1]
    ]
    headings = (
        "Span", "Connection", "From", "To", "Request to answer", "Packets", "Retransmits",
        "Linked by", "Confidence",
    )  # fmt: skip
    return table(headings, rows, numeric=(2, 3, 4, 5, 6, 8))


def _waterfall_note(drawn: int, spans: int) -> str:
    note = "solid: on the critical path · light: off it"
    if drawn == spans:
        return note
    return f"{note} · the {count(drawn)} of {count(spans)} spans that took longest; all are below"


def _budget(split: Attribution | None) -> tuple[Component, str]:
    if split is None:
        return "Not attributed yet: that happens some seconds after a decision ends.", ""
    width = len(CLASSES)
    parts = split.segments_ns
    largest = max(parts)

    def cell(ns: int) -> Component:
        mark = "largest" if ns == largest and ns else "zero" if not ns else ""
        return html.Span(ms(ns, 3), title=f"{ns:,} ns", className=mark)

    rows = [
        (stage, *map(cell, parts[at : at + width]), html.B(cell(sum(parts[at : at + width]))))
        for stage, at in zip(STAGES, range(0, len(parts), width), strict=True)
    ]
    sums = [sum(parts[place::width]) for place in range(width)]
    rows.append(("sum", *map(cell, sums), html.B(cell(sum(parts)))))
    exact = "=" if sum(parts) == split.total_ns else "≠"
    check = f"16 parts: {sum(parts):,} ns {exact} {split.total_ns:,} ns from ingress to egress"
    return table(("Stage", *CLASSES, "sum"), rows, numeric=range(1, width + 2)), check

"""I/O: one decision: where its time went, and which packets prove it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from dash import Dash, Input, Output, dcc, html

from attribution.core.segments import CLASSES, SEGMENTS, STAGES
from collector.core.times import NS_PER_MINUTE
from dashboard.health.items import HealthItem
from dashboard.pages.ahead import AHEAD_S
from dashboard.pages.charts.theme import ALARM, CLASS_COLOURS, REFERENCE, REQUEST, RESPONSE
from dashboard.pages.context import PageContext, in_browser
from dashboard.pages.decision.gaps import evidence_line, missing_line, revisions_line
from dashboard.pages.overview.heat import RECORDER
from dashboard.pages.parts import Cell, Component, facts_list, legend, page, panel, scrolled, table
from dashboard.pages.states import Reading, answering, state, state_outputs
from dashboard.read.decision.detail import Decision, read_shared
from dashboard.read.decision.link_wording import burst_line, linked_by
from dashboard.read.decision.outcome_wording import (
    lost_words,
    outcome_words,
    priced_words,
    stated_words,
    worth_words,
)
from dashboard.read.decision.waterfall import waterfall_version
from dashboard.read.decisions.listing import DecisionRow
from dashboard.read.packet_rows import by_exchange
from dashboard.read.rows import Attribution, exact_id
from dashboard.read.scope import parse_scope
from dashboard.units import UNKNOWN, Zone, ms

PATH = "/decision"
TITLE = "Decision"
IN_MENU = False  # it is reached from the list
READ = (
    "decision-title.children",
    "decision-said.children",
    "decision-facts.children",
    "decision-known.data",
    "decision-packets-note.children",
    "decision-budget.children",
    "decision-budget-note.children",
    "decision-tick.max_intervals",
)
OUTPUTS = (*READ, *state_outputs("decision"))
TICK = "decision-tick"
# A page that is opened while its decision is young is read again, at most so often.
TICKS_MAX = 24
# Outcomes may come days later; packets and the split are there after seconds.
_YOUNG_NS = 2 * NS_PER_MINUTE
# What the waterfall is drawn in; `dashboard/web/assets/waterfall` has the rest from the scheme.
_COLOURS = {
    "classes": CLASS_COLOURS,
    "request": REQUEST,
    "response": RESPONSE,
    "alarm": ALARM,
    "reference": REFERENCE,
}


@dataclass(frozen=True, slots=True)
class DecisionRead:
    """Everything that one reading of the page found about a decision that exists."""

    name: str  # by which it was asked for
    detail: Decision
    money: DecisionRow | None  # None until its second is summed
    target_ns: int
    is_settled: bool  # nothing more is waited for
    recorder: HealthItem | None


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    del query
    return page(
        "decision",
        TITLE,
        html.Div(id="decision-said", className="decision-said"),
        state("decision"),
        panel(
            "decision-waterfall",
            "Critical path",
            legend(
                *CLASSES,
                "request packets",
                "response packets",
                "sent again",
                "normal or clock error",
            ),
            html.Div(
                id="decision-waterfall",
                className="waterfall",
                **{"data-colours": json.dumps(_COLOURS)},
            ),
            html.Div(id="decision-packets-note", className="note"),
            note="solid: on the critical path · light: off it",
        ),
        panel(
            "decision-budget",
            "Latency budget",
            html.Div(
                scrolled("decision-budget", "Latency budget by stage and class"),
                className="budget",
            ),
        ),
        html.Div(id="decision-facts", className="panel facts-panel"),
        dcc.Store(id="decision-known"),
        dcc.Interval(
            id=TICK,
            interval=round(context.config.refresh_s * 1000),
            max_intervals=TICKS_MAX,
        ),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        scope = parse_scope(query)
        decision_id = scope.decision_id
        decision = read(context, decision_id)
        if decision is None:
            return Reading(show_unknown(decision_id))
        return Reading(show(decision, scope.zone), missing(decision.detail))

    def ahead(query: str | None) -> dict[str, object]:
        decision_id, now_ns = parse_scope(query).decision_id, context.clock.now_ns()
        if decision_id:  # else it is led to the list
            read_shared(context.reader, context.shared, decision_id, now_ns, AHEAD_S)
        return {}

    inputs = [Input("url", "search"), Input(TICK, "n_intervals")]
    answering(app, context, "decision", READ, inputs, refresh, tick=TICK)
    # Its waterfall asks for the same.
    context.first.add(PATH, ["url.search"], ahead, is_long=False)
    # It reads /api/v1/waterfall itself, at once, and again where the page then knows more.
    in_browser(
        app,
        "waterfall",
        Output("decision-waterfall-note", "children"),
        Input("url", "search"),
        Input("decision-known", "data"),
    )


def read(context: PageContext, decision_id: str) -> DecisionRead | None:
    """Read one decision with all its evidence, None where nothing has that id."""
    now_ns = context.clock.now_ns()
    detail_and_sent = read_shared(context.reader, context.shared, decision_id, now_ns)
    if detail_and_sent is None:
        return None
    detail, _ = detail_and_sent
    health = context.items()
    is_young = now_ns - detail.facts.end_ns < _YOUNG_NS
    facts = detail.facts
    money = context.decisions.row_of(facts.decision_id, facts.ingress_ns)
    return DecisionRead(
        name=decision_id,
        detail=detail,
        money=money,
        target_ns=context.reference.target_ns(detail.facts.action),
        is_settled=not is_young or (money is not None and bool(detail.evidence)),
        recorder=next((item for item in health if item.name == RECORDER), None),
    )


def show(decision: DecisionRead, zone: Zone) -> dict[str, object]:
    """Return what was read: a value for each of OUTPUTS."""
    detail = decision.detail
    budget, check = _budget(detail.attribution)
    return {
        "decision-title.children": headline(detail, decision.target_ns),
        "decision-said.children": _sentence(decision),
        "decision-facts.children": facts_list(_facts(decision, zone)),
        "decision-known.data": {
            "id": decision.name,
            "version": waterfall_version(detail),
        },
        "decision-packets-note.children": _packet_note(detail, decision.recorder),
        "decision-budget.children": budget,
        "decision-budget-note.children": check,
        "decision-tick.max_intervals": 0 if decision.is_settled else TICKS_MAX,
    }


def missing(detail: Decision) -> str:
    """Return what is not here yet of a decision, "" where all of it is."""
    return "" if detail.attribution else "it is not attributed yet, which takes some seconds"


def show_unknown(decision_id: str) -> dict[str, object]:
    """Say that nothing has this id, and what may be done."""
    values: dict[str, object] = dict.fromkeys(READ, "")
    values |= {
        "decision-title.children": "No decision has this id",
        "decision-said.children": [
            f"{decision_id or UNKNOWN} is the id of no decision that is stored. Search ",
            html.A("the list of decisions", href="/decisions"),
            " for its trace id or outcome key.",
        ],
        "decision-known.data": None,
        "decision-tick.max_intervals": TICKS_MAX,
    }
    return values


def headline(detail: Decision, target_ns: int) -> str:
    """Return how long it took, whether that is late, and where the time went."""
    facts, split = detail.facts, detail.attribution
    total_ns = split.total_ns if split else facts.end_ns - facts.ingress_ns
    over_ns = total_ns - target_ns
    text = "Failed after " if facts.is_error else ""
    text += f"{ms(total_ns)}, "
    text += f"{ms(over_ns)} over target" if over_ns > 0 else "on target"
    if split is None or not any(split.segments_ns):
        return text + ": not attributed yet" if split is None else text
    worst = max(range(len(SEGMENTS)), key=split.segments_ns.__getitem__)
    return f"{text}: {'/'.join(SEGMENTS[worst])} took {ms(split.segments_ns[worst])}"


def why_no_packets(recorder: HealthItem | None) -> str:
    """Return why a decision has no packets, and what to do about it."""
    if recorder is not None and recorder.status != "ok":
        return f"No packets: the recorder is off. {recorder.detail or 'See Health for the reason.'}"
    return (
        "No packet of this decision was kept: kept are a sample of connections "
        "(packet.sample_ratio) and those of decisions that a firing alert names."
    )


def _sentence(decision: DecisionRead) -> list[Component]:
    facts, money = decision.detail.facts, decision.money
    outcome = outcome_words(decision.detail.outcomes)
    parts = [facts.action, facts.region, priced_words(money), f"outcome: {outcome}"]
    if money is None or not money.is_stated:
        parts.append(stated_words(facts.value_usd))
    name = html.Span(f"decision {facts.decision_id}", className="note")
    return [" · ".join(part for part in parts if part) + " · ", name, *_exports(decision.detail)]


def _exports(detail: Decision) -> list[Component]:
    """Return links to what a responder sends on: the decision, and its packets if there are any."""
    facts = detail.facts
    name = quote(exact_id(facts.decision_id, facts.ingress_ns), safe="@")
    links = [("Export JSON", f"/api/v1/decisions/{name}")]
    if detail.flows:
        links.append(("Export packets", f"/api/v1/packets/{quote(facts.decision_id, safe='')}"))
    return [
        html.A(text, href=href, download="", className="note export", style={"marginLeft": 12})
        for text, href in links
    ]


def _facts(decision: DecisionRead, zone: Zone) -> list[tuple[str, object]]:
    detail = decision.detail
    facts, split = detail.facts, detail.attribution
    total_ns = split.total_ns if split else facts.end_ns - facts.ingress_ns
    named = [(name, value) for name, value in facts.dimensions.items() if name != "region"]
    facts_of: list[tuple[str, object]] = [
        ("latency", html.Span(ms(total_ns, 3), title=f"{total_ns:,} ns")),
        ("action", facts.action),
        ("region", facts.region or UNKNOWN),
        ("lost", lost_words(decision.money)),
        ("worth", worth_words(decision.money)),
        ("outcome", outcome_words(detail.outcomes)),
        ("ingress", zone.full(facts.ingress_ns)),
        ("result", "error" if facts.is_error else "ok"),
        ("revision", split.revision if split else "not attributed yet"),
        ("flags", ", ".join(split.flags) or "none" if split else UNKNOWN),
        (
            "by the packets",
            evidence_line(
                detail.evidence,
                split.segments_ns if split else (),
                is_linked=bool(detail.flows),
                is_settled=decision.is_settled,
            ),
        ),
        ("missing spans", missing_line(detail.missing)),
        ("trace", html.A(facts.trace_id, href=f"/api/v1/traces/{facts.trace_id}")),
    ]
    facts_of += [(name.replace("_", " "), value) for name, value in named if value]
    if facts.replaced:
        facts_of.append(("replaced as personal", facts.replaced.replace(",", ", ")))
    if detail.revisions:
        facts_of.append(("what changed", revisions_line(detail.revisions, detail.spans)))
    if facts.injected_delay_ns:
        facts_of.append(("injected delay", ms(facts.injected_delay_ns, 3)))
    return facts_of


def _packet_note(detail: Decision, recorder: HealthItem | None) -> str:
    exchanges = [flows[0] for flows in by_exchange(detail.flows)]
    linked = linked_by([(each.method, each.confidence) for each in exchanges])
    parts = (linked if detail.flows else why_no_packets(recorder), burst_line(detail.bursts))
    return "; ".join(part for part in parts if part)


def _budget(split: Attribution | None) -> tuple[Component, str]:
    if split is None:
        return "Not attributed yet: that happens some seconds after a decision ends.", ""
    width = len(CLASSES)
    parts = split.segments_ns
    largest = max(parts)

    def cell(ns: int, *, strong: bool = False) -> Cell:
        is_largest = ns == largest and bool(ns) and not strong
        mark = "largest" if is_largest else "zero" if not ns else ""
        return Cell(ms(ns, 3), f"{ns:,} ns", mark, strong)

    def line(name: str, row: Sequence[int]) -> tuple[str | Cell, ...]:
        return (name, *map(cell, row), cell(sum(row), strong=True))

    rows = [
        line(stage, parts[begin : begin + width])
        for stage, begin in zip(STAGES, range(0, len(parts), width), strict=True)
    ]
    rows.append(line("sum", [sum(parts[place::width]) for place in range(width)]))
    exact = "=" if sum(parts) == split.total_ns else "≠"
    check = f"16 parts: {sum(parts):,} ns {exact} {split.total_ns:,} ns from ingress to egress"
    return table(("Stage", *CLASSES, "sum"), rows, numeric=range(1, width + 2)), check

"""I/O: whether the figures can be trusted: seals, clocks, losses, and who did what."""

from __future__ import annotations

from typing import Any, Final

from dash import Dash, Input, dcc, html

from collector.core.times import NS_PER_DAY
from dashboard.pages.answers.proofs import (
    acts_lines,
    answer_sentence,
    audit_facts,
    clock_words,
    clocks_lines,
    counts_lines,
    findings_lines,
    losses_lines,
    lost_of,
    unsigned_is_bad,
    withdrawn_words,
)
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component, grid, page, panel
from dashboard.pages.scope.tools import register_scope, scope_outputs, scope_tools, scope_view
from dashboard.pages.states import (
    SHARED_LONG_S,
    SHARED_S,
    Reading,
    answering,
    sentence,
    state,
    state_outputs,
    unbroken,
)
from dashboard.read.network.reader import clocks
from dashboard.read.scope import Scope, parse_scope
from dashboard.read.sealed.verdicts import FINDINGS_MAX
from dashboard.units import count

PATH = "/trust"
NAME = "trust"
TITLE = "Trust"
IN_MENU = True
TICK = "trust-tick"
ACTS_MAX: Final = 50
# The whole chain is checked: every act that ever was.
_SLOW_MS: Final = 60_000
_VERDICTS: Final[list[dict[str, Any]]] = [
    {"field": "verdict", "headerName": "They are", "minWidth": 190, "flex": 2,
     "cellRenderer": "TagAndLine", "cellRendererParams": {"tag": "verdict", "second": "means"}},
    {"field": "events", "headerName": "Events", "width": 116, "cellRenderer": "TwoLines",
     "cellRendererParams": {"first": "events", "second": "share"}},
    {"field": "last", "headerName": "Last (UTC)", "width": 172},
]  # fmt: skip
_FINDINGS: Final[list[dict[str, Any]]] = [
    {"field": "verdict", "headerName": "Verdict", "width": 110, "cellRenderer": "Tag"},
    {"field": "what", "headerName": "What is wrong", "minWidth": 170, "flex": 3,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "numbers"},
     "tooltipField": "what"},
    {"field": "by", "headerName": "Sealed by", "minWidth": 140, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "by", "second": "key"}},
    {"field": "at", "headerName": "Came (UTC)", "width": 172},
]  # fmt: skip
_CLOCKS: Final[list[dict[str, Any]]] = [
    {"field": "state", "headerName": "State", "width": 124, "cellRenderer": "Tag"},
    {"field": "pair", "headerName": "Hosts", "minWidth": 140, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "pair", "second": "by"}},
    {"field": "offset", "headerName": "Apart", "minWidth": 150, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "offset", "second": "bound"}},
    {"field": "drift", "headerName": "Drift", "width": 104, "type": "rightAligned"},
    {"field": "excluded", "headerName": "Times left out", "width": 120, "type": "rightAligned",
     "headerTooltip": "One-way times that are no longer than the error of the offset"},
]  # fmt: skip
_LOSSES: Final[list[dict[str, Any]]] = [
    {"field": "where", "headerName": "Where", "width": 140},
    {"field": "what", "headerName": "What", "minWidth": 160, "flex": 1, "wrapText": True},
    {"field": "why", "headerName": "And now", "minWidth": 180, "flex": 2, "wrapText": True,
     "tooltipField": "why"},
]  # fmt: skip
_ACTS: Final[list[dict[str, Any]]] = [
    {"field": "at", "headerName": "At (UTC)", "width": 172},
    {"field": "action", "headerName": "Act", "minWidth": 150, "flex": 1},
    {"field": "actor", "headerName": "By", "minWidth": 100, "flex": 1},
    {"field": "detail", "headerName": "What", "minWidth": 200, "flex": 3,
     "tooltipField": "detail"},
]  # fmt: skip
PROOF = (
    *scope_outputs(NAME),
    "trust-said.children",
    "trust-seals.rowData",
    "trust-seals-note.children",
    "trust-findings.rowData",
    "trust-findings-note.children",
    "trust-clocks.rowData",
    "trust-clocks-note.children",
    "trust-losses.rowData",
)
AUDIT = ("trust-audit.children", "trust-acts.rowData", "trust-broken.data")
OUTPUTS = (*PROOF, *AUDIT, *state_outputs(NAME), *state_outputs("trust-audit"))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    return page(
        NAME,
        TITLE,
        sentence(NAME),
        state(NAME),
        html.Div(_panels(), className="panels"),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        dcc.Interval(id="trust-slow-tick", interval=_SLOW_MS),
        dcc.Store(id="trust-broken"),
        tools=scope_tools(NAME, parse_scope(query), narrows=False),
    )


def _panels() -> list[Component]:
    two_lines = {"rowHeight": 50}
    unsealed = (
        "No sealed decision came in this range. A key ring in provenance.keys_path and an "
        "instrument that seals make decisions provable."
    )
    well = "Nothing came otherwise than it was sealed."
    alone = "One host alone is seen, so there is no other clock to hold it against."
    lost = "Nothing was lost or rejected."
    return [
        panel(
            "trust-seals",
            "Sealed decisions",
            grid("trust-seals", _VERDICTS, 190, unsealed, label="Seals", options=two_lines),
            wide="span-5",
        ),
        panel(
            "trust-findings",
            "Not as it was sealed",
            grid("trust-findings", _FINDINGS, 190, well, label="Findings", options=two_lines),
            wide="span-7",
        ),
        panel(
            "trust-losses",
            "What was lost",
            grid("trust-losses", _LOSSES, 190, lost, label="Losses", options=two_lines),
            note="refused, quarantined or given up; the stages are on Health",
            wide="span-5",
        ),
        panel(
            "trust-clocks",
            "Clocks",
            grid("trust-clocks", _CLOCKS, 190, alone, label="Pairs of clocks", options=two_lines),
            wide="span-7",
        ),
        panel(
            "trust-audit",
            "Who did what",
            html.Div("…", id="trust-audit", className="answer-facts"),
            state("trust-audit"),
            grid("trust-acts", _ACTS, 260, "Nobody has done anything yet.", label="Acts"),
            note=f"the last {ACTS_MAX} acts, at any time; the chain is checked whole",
            wide="span-12",
        ),
    ]


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None, broken: str | None) -> Reading:
        return read(context, parse_scope(query), broken)

    def refresh_audit(_ticks: int | None) -> Reading:
        return read_audit(context)

    inputs = [
        Input("url", "search"),
        Input(TICK, "n_intervals"),
        Input("trust-broken", "data"),
    ]
    # A new page asks for it when the audit has answered, whose `trust-broken` it needs.
    answering(app, context, NAME, PROOF, inputs, refresh, tick=TICK, keep_s=SHARED_S)
    slow = [Input("trust-slow-tick", "n_intervals")]
    answering(
        app,
        context,
        "trust-audit",
        AUDIT,
        slow,
        refresh_audit,
        is_long=True,
        keep_s=SHARED_LONG_S,
        path=PATH,
    )
    register_scope(app, NAME, TICK, context.clock)


def read(context: PageContext, scope: Scope, broken: str | None) -> Reading:
    """Read what the figures rest on: a value for each of PROOF.

    `broken` is what the last reading of the audit found, None before the first.
    """
    reader, now_ns = context.reader, context.clock.now_ns()
    view = scope.range_at(now_ns)
    verdicts = context.sources.verdicts.verdicts(view.from_ns, view.to_ns)
    pairs = clocks(reader, view)
    items = context.items()
    lost, is_required = lost_of(items), unsigned_is_bad(items)
    findings = len(verdicts.findings)
    return Reading(
        {
            **scope_view(NAME, scope, [], [], view.to_ns, context.attributed(now_ns)),
            "trust-said.children": unbroken(
                answer_sentence(verdicts, pairs, lost, broken, is_required=is_required)
            ),
            "trust-seals.rowData": counts_lines(verdicts.counts, is_required=is_required),
            "trust-seals-note.children": withdrawn_words(verdicts) or "by when they arrived",
            "trust-findings.rowData": findings_lines(verdicts.findings),
            "trust-findings-note.children": (
                f"the newest {count(FINDINGS_MAX)}" if findings == FINDINGS_MAX else ""
            ),
            "trust-clocks.rowData": clocks_lines(pairs),
            "trust-clocks-note.children": clock_words(context.evidence(view)),
            "trust-losses.rowData": losses_lines(
                lost, reader.rejected(max(0, now_ns - NS_PER_DAY))
            ),
        }
    )


def read_audit(context: PageContext) -> Reading:
    """Check the chain of the audit: a value for each of AUDIT."""
    audit, rows = context.sources.audit(ACTS_MAX)
    broken = "" if audit.broken_seq is None else f"row {audit.broken_seq}, {audit.reason}"
    return Reading(
        {
            "trust-audit.children": audit_facts(audit, context.sources.holds()),
            "trust-acts.rowData": acts_lines(rows),
            "trust-broken.data": broken,
        }
    )

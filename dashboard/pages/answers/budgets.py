"""I/O: whether what was promised is kept: every latency budget, and what a decision costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from dash import Dash, Input, dcc, html

from attribution.books.unit_cost import UnitCost
from attribution.core.selection import Selection
from attribution.core.slo import Promise, Verdict
from attribution.whatif.answers import BudgetStanding
from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component, facts_list, grid, page, panel
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
from dashboard.read.scope import Scope, format_scope, parse_scope
from dashboard.units import UNKNOWN, count, percent, span_of_time

PATH = "/budgets"
NAME = "budgets"
TITLE = "Budgets"
IN_MENU = True
TICK = "budgets-tick"
_ROW_PX: Final = 50
_SET: Final = """\
[[attribution.budgets]]        # in millworth.toml
name = "checkout"
action = "offer"               # empty: every decision
p50_ms = 80
p95_ms = 150
"""
_COLUMNS: Final[list[dict[str, Any]]] = [
    {"field": "verdict", "headerName": "Verdict", "width": 92, "cellRenderer": "Tag"},
    {"field": "latency", "headerName": "Measured, and promised", "minWidth": 172, "flex": 2,
     "cellRenderer": "Latency"},
    {"field": "budget", "headerName": "Budget", "minWidth": 132, "flex": 2,
     "cellRenderer": "LinkAndLine", "cellRendererParams": {"second": "of"}},
    {"field": "over", "headerName": "Over the promise", "minWidth": 190, "flex": 2,
     "cellRenderer": "TwoLines", "cellRendererParams": {"first": "over", "second": "interval"}},
    {"field": "n", "headerName": "Decisions", "width": 104, "type": "rightAligned"},
    {"field": "reference", "headerName": "Reference path", "width": 124, "type": "rightAligned",
     "headerTooltip": "What the reference decision path itself took there in its last day"},
]  # fmt: skip
KEPT = (
    *scope_outputs(NAME),
    "budgets-said.children",
    "budgets-list.rowData",
    "budgets-set.hidden",
)
COST = ("budgets-cost.children",)
OUTPUTS = (*KEPT, *COST, *state_outputs("budgets-list"), *state_outputs("budgets-cost"))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    promises = sum(
        (each.p50_ms is not None) + (each.p95_ms is not None)
        for each in context.sources.attribution.budgets
    )
    listing = grid(
        "budgets-list",
        _COLUMNS,
        # As high as its rows, which the settings tell before any reading does.
        _ROW_PX * min(max(promises, 2), 8) + 40,
        "No budget is set for this scope: clear the filters, or add one as shown.",
        label="Promises of latency budgets",
        options={"rowHeight": _ROW_PX},
    )
    window = span_of_time(context.sources.attribution.budget_window_s * NS_PER_S)
    how = html.Div(
        [
            html.P("A budget promises a latency; half of the decisions, and 19 of 20, keep it:"),
            html.Pre(_SET),
        ],
        id="budgets-set",
        hidden=True,
    )
    return page(
        NAME,
        TITLE,
        sentence(NAME),
        panel(
            "budgets-list",
            "Latency budgets",
            listing,
            state("budgets-list"),
            how,
            note=f"each judged over the {window} before the end of the range, however long that is",
        ),
        panel(
            "budgets-cost",
            "What a decision costs",
            html.Div("…", id="budgets-cost", className="answer-facts"),
            state("budgets-cost"),
            note="all actions and regions, by the bills of the range",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=scope_tools(NAME, parse_scope(query)),
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(query: str | None, _ticks: int | None) -> Reading:
        return read(context, parse_scope(query))

    def refresh_cost(query: str | None) -> Reading:
        return read_cost(context, parse_scope(query))

    search = Input("url", "search")
    inputs = [search, Input(TICK, "n_intervals")]
    answering(
        app,
        context,
        "budgets-list",
        KEPT,
        inputs,
        refresh,
        tick=TICK,
        keep_s=SHARED_S,
        path=PATH,
    )
    # Bills come once a day: the page that is opened asks for them.
    answering(
        app,
        context,
        "budgets-cost",
        COST,
        [search],
        refresh_cost,
        is_long=True,
        keep_s=SHARED_LONG_S,
        path=PATH,
    )
    register_scope(app, NAME, TICK, context.clock)


def read(context: PageContext, scope: Scope) -> Reading:
    """Read how every budget stands: a value for each of KEPT."""
    now_ns = context.clock.now_ns()
    view = scope.range_at(now_ns)
    actions, regions = context.scopes(view.to_ns)
    budgets = context.sources.analyst.budgets(view.to_ns)
    in_scope = [budget for budget in budgets if _is_of(budget, scope)]
    attributed = context.attributed(now_ns)
    offered: dict[str, list[str]] = {}
    if scope.filter("channel"):
        # Of a day, as actions and regions are: a budget is of more than the range of the page.
        day = replace(view, from_ns=max(0, view.to_ns - NS_PER_DAY))
        offered = context.offered(day).by_dimension
    return Reading(
        {
            **scope_view(NAME, scope, actions, regions, view.to_ns, attributed, offered),
            "budgets-said.children": unbroken(answer_sentence(budgets, in_scope)),
            "budgets-list.rowData": lines(in_scope, scope, view.to_ns),
            "budgets-set.hidden": bool(budgets),
        }
    )


def read_cost(context: PageContext, scope: Scope) -> Reading:
    """Read what a decision cost: a value for each of COST."""
    view = scope.range_at(context.clock.now_ns())
    unit_cost = context.sources.unit_cost(Selection(view.from_ns, view.to_ns))
    partial = ""
    if unit_cost.effective is not None and unit_cost.covered_ratio < 1:
        partial = f"bills cover {percent(unit_cost.covered_ratio)} of the range"
    return Reading(
        {
            "budgets-cost.children": cost_facts(unit_cost),
        },
        partial,
    )


def answer_sentence(budgets: Sequence[BudgetStanding], in_scope: Sequence[BudgetStanding]) -> str:
    """Return the answer of the page in a sentence."""
    if not budgets:
        return "No latency budget is set: nothing is promised, so nothing can be missed."
    if not in_scope:
        return "No latency budget is of this action and region."
    number = "The latency budget" if len(in_scope) == 1 else f"All {len(in_scope)} latency budgets"
    missed = [each for each in in_scope if each.verdict is Verdict.MISSED]
    if missed:
        worst, broken = max(((each, _broken(each)) for each in missed), key=lambda pair: pair[1][0])
        share = "the" if len(in_scope) == 1 else f"{len(missed)} of {len(in_scope)}"
        verb = "is" if len(missed) == 1 else "are"
        words = f"{share} latency budget{'' if len(in_scope) == 1 else 's'} {verb} missed"
        return f"{words[0].upper()}{words[1:]}: {worst.name} {_measured(broken[1])}"
    unclear = sum(each.verdict is Verdict.UNCLEAR for each in in_scope)
    silent = sum(each.verdict is Verdict.NO_DATA for each in in_scope)
    if silent == len(in_scope):
        return "Nothing can be judged: no decision came in the windows of the budgets."
    if unclear or silent:
        parts = [f"{unclear} cannot be told from chance yet"] if unclear else []
        parts += [f"{silent} had no decision"] if silent else []
        return f"No latency budget is missed, but {' and '.join(parts)} (of {len(in_scope)})."
    return f"{number} {'is' if len(in_scope) == 1 else 'are'} kept."


def lines(budgets: Sequence[BudgetStanding], scope: Scope, to_ns: int) -> list[dict[str, object]]:
    """Return one row a promise, the worst first."""
    order = list(Verdict)  # met, missed, unclear, no decisions
    order = [Verdict.MISSED, *(verdict for verdict in order if verdict is not Verdict.MISSED)]
    pairs = [(budget, promise) for budget in budgets for promise in budget.promises]
    pairs.sort(key=lambda pair: (order.index(pair[1].verdict), -_ratio(pair[1])))
    longest = max([1e-9, *(max(p.target_ms, p.measured_ms or 0) for _, p in pairs)])
    return [_line(budget, promise, scope, to_ns, longest) for budget, promise in pairs]


def _line(
    budget: BudgetStanding, promise: Promise, scope: Scope, to_ns: int, longest: float
) -> dict[str, object]:
    quantile = f"p{promise.quantile * 100:.0f}"
    measured_ms = promise.measured_ms
    reference_ms = budget.reference_p50_ms if promise.quantile == 0.5 else budget.reference_p95_ms
    return {
        "id": f"{budget.name} {quantile}",
        "verdict": str(promise.verdict),
        "latency": f"{quantile} {_number(measured_ms)} of {promise.target_ms:g} ms",
        "isLate": promise.verdict is Verdict.MISSED,
        "bar": round((measured_ms or 0) / longest * 100, 1),
        "tick": round(promise.target_ms / longest * 100, 1),
        "budget": budget.name,
        "of": scope_words(budget),
        "href": "/decisions" + format_scope(_behind(budget, promise, scope, to_ns)),
        **_over(promise),
        "n": count(budget.decisions),
        "reference": UNKNOWN if reference_ms is None else f"{reference_ms:,.1f} ms",
    }


def scope_words(budget: BudgetStanding) -> str:
    """Return which decisions, and which part of their time, a budget is of."""
    parts = (budget.action, budget.region, budget.channel)
    words = [word for word in parts if word] or ["all decisions"]
    return " / ".join(words) + ("" if budget.segment == "all" else f" · time in {budget.segment}")


def _behind(budget: BudgetStanding, promise: Promise, scope: Scope, to_ns: int) -> Scope:
    """Return the list of the decisions over a promise, over the window that it is judged by."""
    is_whole = budget.segment == "all"
    filters = [("channel", budget.channel)] if budget.channel else []
    # How long a segment took is no filter: the list has those that were longest in it.
    filters += (
        [("sort", "slowest")] if is_whole else [("segment", budget.segment), ("sort", "segment")]
    )
    return replace(
        scope,
        window=f"{budget.window_s}s",
        until_ns=to_ns if scope.until_ns is not None else None,
        action=budget.action,
        region=budget.region,
        low_ms=promise.target_ms if is_whole else None,
        high_ms=None,
        filters=tuple(filters),
    )


def _over(promise: Promise) -> dict[str, object]:
    low, high = promise.over_ratio_low, promise.over_ratio_high
    if promise.over_ratio is None or low is None or high is None:
        return {"over": UNKNOWN, "interval": "no decision in its window"}
    allowed = f"{(1 - promise.quantile) * 100:.0f} % allowed"
    return {
        "over": f"{percent(promise.over_ratio)}, {allowed}",
        "interval": f"95 %: {low * 100:.1f} to {high * 100:.1f} %",
    }


def cost_facts(unit_cost: UnitCost) -> Component:
    """Return what a decision cost, beside its target; without a bill, how to bring one."""
    target = f"{unit_cost.target:f} {unit_cost.currency} a decision"
    if unit_cost.per_decision is None:
        why = (
            "a line has no exchange rate" if unit_cost.unconverted else "no bill covers this range"
        )
        return html.P(
            [f"Unknown: {why}. The target is {target}. ", html.Code("millworth import costs FILE"),
             " brings bills in FOCUS."]
        )  # fmt: skip
    verdict = {True: "met", False: "missed", None: UNKNOWN}[unit_cost.is_met]
    shares = [
        (f"of it {name}", _usd(each, unit_cost.currency))
        for name, each in unit_cost.per_decision_by_class.items()
    ]
    return facts_list(
        [
            ("A decision", f"{_usd(unit_cost.per_decision, unit_cost.currency)} ({verdict})"),
            ("Target", target),
            ("Decisions billed", count(unit_cost.decisions)),
            ("Not billed yet", count(unit_cost.decisions_unbilled)),
            *shares,
        ]
    )


def _is_of(budget: BudgetStanding, scope: Scope) -> bool:
    """Return whether a budget has to do with the scope; one of any action has to with each."""
    return all(
        not chosen or of_budget in ("", chosen)
        for of_budget, chosen in (
            (budget.action, scope.action),
            (budget.region, scope.region),
            (budget.channel, scope.filter("channel")),
        )
    )


def _broken(budget: BudgetStanding) -> tuple[float, Promise]:
    broken = [each for each in budget.promises if each.verdict is Verdict.MISSED]
    worst = max(broken, key=_ratio)
    return _ratio(worst), worst


def _ratio(promise: Promise) -> float:
    return (promise.measured_ms or 0.0) / promise.target_ms


def _measured(promise: Promise) -> str:
    quantile = f"p{promise.quantile * 100:.0f}"
    return f"took {_ms(promise.measured_ms)} at {quantile}, {promise.target_ms:g} ms are promised."


def _ms(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f} ms"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}"


def _usd(value: Decimal | None, currency: str) -> str:
    return UNKNOWN if value is None else f"{value:f} {currency}"

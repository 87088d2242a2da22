"""I/O: whether the service itself is well: one verdict, the pipeline, and what is not well."""

from __future__ import annotations

from dash import Dash, Input, State, dcc, html

from collector.core.times import NS_PER_DAY
from collector.store.cursors import (
    COLLECT,
    DELAYED_CURSOR,
    LATE_CURSOR,
    LATE_UNTIL_CURSOR,
    OBSERVED_DELAYED_CURSOR,
    OUTCOMES_CURSOR,
    OUTCOMES_UNTIL_CURSOR,
)
from dashboard.pages.answers.pipeline import (
    boxes,
    items_table,
    rejected_table,
    signals_table,
    sizes_table,
    verdict,
    wrong_list,
)
from dashboard.pages.context import PageContext
from dashboard.pages.overview import start
from dashboard.pages.parts import Component, page, panel, scrolled
from dashboard.pages.states import (
    Reading,
    answering,
    sentence,
    state,
    state_outputs,
    unbroken,
)
from dashboard.read.scope import parse_scope
from dashboard.units import Zone, size

PATH = "/health"
NAME = "health"
TITLE = "Health"
IN_MENU = True
TICK = "health-tick"
REJECTED_WINDOW_NS = NS_PER_DAY
# Of those of late data, and of collectors, a stage says how far it is; the others are of what was
# told, not done.
_NOT_BEHIND = (
    LATE_CURSOR,
    LATE_UNTIL_CURSOR,
    OUTCOMES_CURSOR,
    OUTCOMES_UNTIL_CURSOR,
    DELAYED_CURSOR,
    OBSERVED_DELAYED_CURSOR,
)

# From memory, so that it answers while the store does not.
SERVICE = (
    "health-said.children",
    "health-flow.children",
    "health-wrong.children",
    "health-signals.children",
    "health-asof.children",
)
STORE = (
    "health-start.hidden",
    "health-start-said.children",
    "health-start-code.children",
    "health-items.children",
    "health-rejected-box.hidden",
    "health-rejected.children",
    "health-tables.children",
    "health-tables-note.children",
)
OUTPUTS = (*SERVICE, *STORE, *state_outputs(NAME), *state_outputs("health-store"))


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    del query
    return page(
        NAME,
        TITLE,
        sentence(NAME),
        state(NAME),
        html.Div(
            panel(
                "health-start",
                "Send your first trace",
                html.Div("", id="health-start-said"),
                html.Pre("", id="health-start-code"),
            ),
            id="health-start",
            hidden=True,
        ),
        panel(
            "health-flow",
            "From the sender to the alert",
            html.Div(boxes(None), id="health-flow"),
            note="how far behind each stage is, and what it lost since the service started",
        ),
        panel(
            "health-wrong",
            "What is not well",
            html.Div("…", id="health-wrong", className="answer-facts"),
        ),
        html.Div(
            panel(
                "health-rejected",
                "Rejected in 24 hours",
                scrolled("health-rejected", "Rejected in 24 hours, as a table"),
                note="quarantined: kept with its bytes, but not counted",
            ),
            id="health-rejected-box",
            hidden=True,
        ),
        state("health-store"),
        _folded("Every figure", "health-items", "Service"),
        _folded("Traces, logs and metrics", "health-signals", "Signals"),
        _folded("Tables", "health-tables", "Store"),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        # A store that hangs shall not stop what is known without it.
        dcc.Interval(id="health-store-tick", interval=round(context.config.refresh_s * 1000)),
        tools=[html.Span("", id="health-asof", className="note")],
    )


def _folded(words: str, box_id: str, title: str) -> Component:
    """Return a panel that is closed: what is well is there for whoever looks for it."""
    return html.Details(
        [
            html.Summary([f"{title}: {words.lower()}"]),
            panel(box_id, title, scrolled(box_id, f"{title}, as a table")),
        ],
        className="twin",
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(_ticks: int | None, query: str | None) -> Reading:
        return read_service(context, parse_scope(query).zone)

    def refresh_store(_ticks: int | None, query: str | None) -> Reading:
        return read_store(context, parse_scope(query).zone)

    inputs = [Input(TICK, "n_intervals"), State("url", "search")]
    answering(app, context, NAME, SERVICE, inputs, refresh, tick=TICK)
    tick = "health-store-tick"
    of_store = [Input(tick, "n_intervals"), State("url", "search")]
    answering(app, context, "health-store", STORE, of_store, refresh_store, tick=tick)


def read_service(context: PageContext, zone: Zone) -> Reading:
    """Read what the service knows of itself: a value for each of SERVICE."""
    items = context.health.health()
    return Reading(
        {
            "health-said.children": unbroken(verdict(items)),
            "health-flow.children": boxes(items),
            "health-wrong.children": wrong_list(items),
            "health-signals.children": signals_table(items),
            "health-asof.children": f"as of {zone.at(context.clock.now_ns())}",
        }
    )


def read_store(context: PageContext, zone: Zone) -> Reading:
    """Read what the store holds: a value for each of STORE."""
    now_ns, reader = context.clock.now_ns(), context.reader
    cursors = {
        job: at_ns
        for job, at_ns in reader.job_cursors().items()
        if job not in _NOT_BEHIND and not job.startswith(COLLECT)
    }
    rejected = reader.rejected(max(0, now_ns - REJECTED_WINDOW_NS))
    tables = reader.table_sizes()
    first = start.show(start.read(context))
    return Reading(
        {
            **{name.replace("overview", NAME): value for name, value in first.items()},
            "health-items.children": items_table(context.health.health(), cursors, now_ns, zone),
            "health-rejected-box.hidden": not rejected,
            "health-rejected.children": rejected_table(rejected, zone, now_ns),
            "health-tables.children": sizes_table(tables),
            "health-tables-note.children": size(sum(row.bytes_on_disk for row in tables)),
        }
    )

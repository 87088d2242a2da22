"""I/O: whether the service itself is well: what it took, kept, refused, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence

from dash import Dash, Input, dcc, html

from collector.core.clock import NS_PER_DAY
from collector.store.cursors import LATE_CURSOR, LATE_UNTIL_CURSOR
from dashboard.health.items import HealthItem
from dashboard.pages.context import PageContext
from dashboard.pages.parts import Component, grid, page, panel
from dashboard.read.rows import Rejected, TableSize
from dashboard.units import UNKNOWN, count, size, span_of_time, utc_clock, utc_iso

PATH = "/health"
TITLE = "Health"
IN_MENU = True
TICK = "health-tick"
REJECTED_WINDOW_NS = NS_PER_DAY

_ITEM_COLUMNS = [
    {"field": "status", "headerName": "Status", "width": 88, "cellRenderer": "Tag"},
    {
        "field": "name",
        "headerName": "Figure",
        "minWidth": 150,
        "flex": 1,
        "wrapText": True,
        "autoHeight": True,
    },
    {"field": "value", "headerName": "Value", "width": 130, "type": "rightAligned"},
    {
        "field": "detail",
        "headerName": "What to do",
        "minWidth": 180,
        "flex": 3,
        "tooltipField": "detail",
        "wrapText": True,
        "autoHeight": True,
    },
]
_STAGE_COLUMNS = [
    {"field": "status", "headerName": "Status", "width": 88, "cellRenderer": "Tag"},
    {"field": "stage", "headerName": "Stage", "width": 116},
    {"field": "behind", "headerName": "Behind", "width": 110, "type": "rightAligned"},
    {
        "field": "detail",
        "headerName": "Lost, and what to do",
        "minWidth": 200,
        "flex": 1,
        "tooltipField": "detail",
        "wrapText": True,
        "autoHeight": True,
    },
]
_SIGNAL_COLUMNS = [
    {"field": "signal", "headerName": "Signal", "minWidth": 82, "flex": 1},
    {"field": "last_request", "headerName": "Last", "width": 104, "type": "rightAligned"},
    {"field": "watermark", "headerName": "Watermark", "width": 112, "type": "rightAligned"},
    {"field": "queue", "headerName": "Queue", "width": 90, "type": "rightAligned"},
    {"field": "segment_age", "headerName": "Segment", "width": 96, "type": "rightAligned"},
    {"field": "unstored_age", "headerName": "Unstored", "width": 98, "type": "rightAligned"},
]
_REJECTED_COLUMNS = [
    {"field": "reason", "headerName": "Reason", "minWidth": 170, "flex": 1},
    {"field": "signal", "headerName": "Signal", "width": 88},
    {"field": "rows", "headerName": "Rows", "width": 76, "type": "rightAligned"},
    {"field": "last", "headerName": "Last (UTC)", "width": 100},
    {
        "field": "example",
        "headerName": "Last example",
        "minWidth": 240,
        "flex": 3,
        "tooltipField": "example",
        "wrapText": True,
        "autoHeight": True,
    },
]
_TABLE_COLUMNS = [
    {"field": "table", "headerName": "Table", "minWidth": 160, "flex": 2},
    {
        "field": "rows",
        "headerName": "Rows",
        "headerTooltip": "Of otel_*: at least once. A retry may be a second row where it came to "
        "another collector, or after ten minutes; docs/reference/store.md",
        "width": 120,
        "type": "rightAligned",
    },
    {"field": "size", "headerName": "On disk", "width": 110, "type": "rightAligned"},
    {"field": "parts", "headerName": "Parts", "width": 84, "type": "rightAligned"},
]
OUTPUTS = (
    "health-stages.rowData",
    "health-signals.rowData",
    "health-items.rowData",
    "health-items-note.children",
    "health-rejected.rowData",
    "health-tables.rowData",
    "health-tables-note.children",
    "health-asof.children",
)


def layout(query: str, context: PageContext) -> Component:
    """Return the page as it stands before the first reading."""
    del query
    items = grid(
        "health-items", _ITEM_COLUMNS, None, "The service reports nothing.", label="Service"
    )
    stages = grid(
        "health-stages", _STAGE_COLUMNS, None, "The service reports nothing.", label="Stages"
    )
    signals = grid(
        "health-signals", _SIGNAL_COLUMNS, None, "The service reports nothing.", label="Signals"
    )
    rejected = grid(
        "health-rejected",
        _REJECTED_COLUMNS,
        300,
        "Nothing was rejected in 24 hours.",
        label="Rejected",
    )
    tables = grid("health-tables", _TABLE_COLUMNS, 300, "The store is empty.", label="Store")
    return page(
        "health",
        TITLE,
        html.Div(
            [
                panel(
                    "health-stages",
                    "From the sender to the alert",
                    stages,
                    note="losses since the start",
                    wide="span-5",
                ),
                panel(
                    "health-signals",
                    "Signals",
                    signals,
                    note="the watermark is event time: what is older is final",
                    wide="span-7",
                ),
            ],
            className="panels",
        ),
        panel("health-items", "Service", items),
        html.Div(
            [
                panel(
                    "health-rejected",
                    "Rejected in 24 hours",
                    rejected,
                    note="acknowledged, kept with its bytes, in no figure",
                    wide="span-7",
                ),
                panel("health-tables", "Store", tables, wide="span-5"),
            ],
            className="panels",
        ),
        dcc.Interval(id=TICK, interval=round(context.config.refresh_s * 1000)),
        tools=[html.Span("", id="health-asof", className="note")],
    )


def register(app: Dash, context: PageContext) -> None:
    """Attach this page's callbacks to `app`."""

    def refresh(_ticks: int | None) -> dict[str, object]:
        return read(context)

    context.reading(app, OUTPUTS, [Input(TICK, "n_intervals")], refresh, tick=TICK)


def read(context: PageContext) -> dict[str, object]:
    """Read what the page shows: a value for each of OUTPUTS."""
    now_ns = context.clock.now_ns()
    reader = context.reader
    items = context.health.health()
    cursors = reader.job_cursors()
    tables = reader.table_sizes()
    wrong = sum(item.status != "ok" for item in items)
    return {
        "health-stages.rowData": [stage_line(item) for item in items if _stage_of(item)],
        "health-signals.rowData": signal_lines(items),
        "health-items.rowData": [
            *(item_line(item) for item in by_urgency(items) if not _is_of_the_flow(item)),
            *(
                cursor_line(job, cursor_ns, now_ns)
                for job, cursor_ns in cursors.items()
                if job not in (LATE_CURSOR, LATE_UNTIL_CURSOR)  # of these the stage is shown
            ),
        ],
        "health-items-note.children": _items_note(wrong),
        "health-rejected.rowData": [
            rejected_line(row) for row in reader.rejected(max(0, now_ns - REJECTED_WINDOW_NS))
        ],
        "health-tables.rowData": [table_line(row) for row in tables],
        "health-tables-note.children": size(sum(row.bytes_on_disk for row in tables)),
        "health-asof.children": f"as of {utc_clock(now_ns)} UTC",
    }


def by_urgency(items: Sequence[HealthItem]) -> list[HealthItem]:
    """Return the worst first; what is equally well stays in the order of the flow."""
    order = ("bad", "warn", "ok")
    return sorted(items, key=lambda item: order.index(item.status))


def item_line(item: HealthItem) -> dict[str, object]:
    """Return one row of the service's figures."""
    return {
        "id": item.name,
        "status": item.status,
        "name": item.name,
        "value": _value(item),
        "detail": item.detail,
    }


def stage_line(item: HealthItem) -> dict[str, object]:
    """Return one row of the way that data take."""
    return {
        "id": item.name,
        "status": item.status,
        "stage": _stage_of(item),
        "behind": "never" if item.name == "stage.received" and item.value is None else _value(item),
        "detail": item.detail,
    }


def signal_lines(items: Sequence[HealthItem]) -> list[dict[str, object]]:
    """Return one row a signal, of its figures."""
    rows: dict[str, dict[str, object]] = {}
    for item in items:
        kind, *rest = item.name.split(".")
        if kind == "signal":
            signal, figure = rest
            row = rows.setdefault(signal, {"id": signal, "signal": signal})
            row[figure] = _value(item)
    return list(rows.values())


def _stage_of(item: HealthItem) -> str:
    return item.name.removeprefix("stage.") if item.name.startswith("stage.") else ""


def _is_of_the_flow(item: HealthItem) -> bool:
    return item.name.startswith(("stage.", "signal."))


def cursor_line(job: str, cursor_ns: int, now_ns: int) -> dict[str, object]:
    """Return one row for how far a job has read; it stands still while nothing arrives."""
    return {
        "id": f"{job}.cursor",
        "status": "ok",
        "name": f"{job}.cursor",
        "value": f"{span_of_time(now_ns - cursor_ns)} ago",
        "detail": f"has read all that was received before {utc_iso(cursor_ns)} UTC",
    }


def rejected_line(row: Rejected) -> dict[str, object]:
    """Return one row of what was rejected."""
    return {
        "id": row.reason_code,
        "reason": row.reason_code,
        "signal": row.signal,
        "rows": count(row.rows),
        "last": utc_clock(row.last_ns),
        "example": f"{row.item_id}: {row.detail}",
    }


def table_line(row: TableSize) -> dict[str, object]:
    """Return one row of the store's tables."""
    return {
        "id": row.table,
        "table": row.table,
        "rows": count(row.rows),
        "size": size(row.bytes_on_disk),
        "parts": count(row.parts),
    }


def _items_note(wrong: int) -> str:
    if not wrong:
        return "all is well"
    return "1 needs a look" if wrong == 1 else f"{wrong} need a look"


def _value(item: HealthItem) -> str:
    if item.value is None:
        return UNKNOWN
    if isinstance(item.value, str):
        return item.value
    if item.unit == "bytes":
        return size(item.value)
    number = f"{item.value:,.1f}" if isinstance(item.value, float) else f"{item.value:,}"
    return f"{number} {item.unit}".strip()

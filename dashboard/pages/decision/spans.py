"""Pure: the spans of one decision as a table that may have ten thousand rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dash import Dash, Input, Output, State, html

from collector.core.clock import NS_PER_MS
from dashboard.pages.context import in_browser
from dashboard.pages.parts import Component, grid
from dashboard.read.decision.tree import tree_order
from dashboard.read.rows import PathSpan, TraceSpan
from dashboard.units import count

_HEIGHT_PX: Final = 420
# Deeper ones stand no further to the right: a chain of a thousand would leave the column.
_DEPTH_MAX: Final = 12
_CHOOSE: Final = "Choose a span to see what it carried."
_COLUMNS: Final = [
    {"field": "span", "headerName": "Span", "minWidth": 200, "flex": 2, "cellRenderer": "Indented"},
    {"field": "service", "headerName": "Service", "width": 130},
    {"field": "kind", "headerName": "Kind", "width": 92},
    {"field": "segment", "headerName": "Segment", "minWidth": 140, "flex": 1},
    *(
        {
            "field": field,
            "headerName": name,
            "width": 116,
            "type": "rightAligned",
            "valueFormatter": {
                "function": "params.value === null ? 'off' : d3.format(',.3f')(params.value)"
            },
        }
        for field, name in (
            ("start_ms", "Start ms"),
            ("duration_ms", "Duration ms"),
            ("path_ms", "On path ms"),
        )
    ),
]


def span_table(table_id: str) -> list[Component]:
    """Return the table, of which only the rows in sight are drawn, and the chosen span's place."""
    return [
        grid(
            table_id,
            _COLUMNS,
            _HEIGHT_PX,
            "No span of this decision is assembled yet.",
            label="Spans of the decision",
            options={
                "rowSelection": {
                    "mode": "singleRow",
                    "checkboxes": False,
                    "enableClickSelection": True,
                }
            },
        ),
        html.Div(_CHOOSE, id=f"{table_id}-facts", className="span-facts"),
    ]


def register_spans(app: Dash, table_id: str) -> None:
    """Show in the browser what the chosen span carried."""
    in_browser(
        app,
        "spanFacts",
        Output(f"{table_id}-facts", "children"),
        Input(table_id, "selectedRows"),
        State(f"{table_id}-facts", "children"),
    )


def span_note(spans: Sequence[PathSpan]) -> str:
    """Return how many there are."""
    return f"{count(len(spans))} spans, in the order of the tree" if spans else ""


def span_rows(
    spans: Sequence[PathSpan], stored: Sequence[TraceSpan], ingress_ns: int
) -> list[dict[str, object]]:
    """Return a row a span, parents before children; what it carried goes with it."""
    sent = {span.span_id: span for span in stored}
    return [
        {
            "id": span.span_id,
            "span": span.span_name,
            "depth": min(depth, _DEPTH_MAX),
            "service": span.service_name,
            "kind": span.span_kind,
            "segment": f"{span.stage}/{span.latency_class}",
            "start_ms": (span.shown_ns - ingress_ns) / NS_PER_MS,
            "duration_ms": span.duration_ns / NS_PER_MS,
            "path_ms": span.self_ns / NS_PER_MS if span.self_ns else None,
            "carried": _carried(sent.get(span.span_id)),
        }
        for depth, span in tree_order(spans)
    ]


def _carried(span: TraceSpan | None) -> list[tuple[str, str]] | None:
    """Return what a span carried, name and value; None where the span is not stored."""
    if span is None:
        return None
    listed = sorted(span.attributes.items())
    listed += [
        (f"event {event.name}", ", ".join(f"{k}={v}" for k, v in sorted(event.attributes.items())))
        for event in span.events
    ]
    listed += [("link", f"{link.trace_id} {link.span_id}") for link in span.links]
    if span.status != "Unset":
        listed.append(("status", f"{span.status} {span.status_message}".strip()))
    return listed

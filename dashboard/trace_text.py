"""Pure: one trace as text for a terminal: a tree of spans with bars on one time axis."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 40


def render_trace(out: Console, found: dict[str, Any]) -> None:
    """Print the answer of `/api/v1/traces/ID`."""
    spans = found["spans"]
    first_ns = min(span["start_ns"] for span in spans)
    last_ns = max(span["start_ns"] + span["duration_ns"] for span in spans)
    out.print(f"trace {found['trace_id']}: {len(spans)} spans, {_ms(last_ns - first_ns)}")
    for decision in found.get("decisions", []):
        out.print(f"decision {decision}")
    table = Table(box=None, pad_edge=False)
    for heading in ("span", "service", "kind", "start", "duration", ""):
        table.add_column(heading, justify="right" if heading in ("start", "duration") else "left")
    for depth, span in _tree(spans):
        table.add_row(
            "  " * depth + span["name"],
            span["service_name"],
            span["kind"],
            _ms(span["start_ns"] - first_ns),
            _ms(span["duration_ns"]),
            _bar(span, first_ns, max(last_ns - first_ns, 1)),
        )
    out.print(table)


def _tree(spans: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Order spans parents first, children by start; an orphan stands at the top."""
    ids = {span["span_id"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span["start_ns"], span["span_id"])):
        parent = span["parent_span_id"]
        children[parent if parent in ids and parent != span["span_id"] else ""].append(span)
    ordered: list[tuple[int, dict[str, Any]]] = []
    waiting = [(0, span) for span in reversed(children[""])]
    while waiting:
        depth, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, child) for child in reversed(children.pop(span["span_id"], []))]
    return ordered


def _bar(span: dict[str, Any], first_ns: int, total_ns: int) -> Text:
    left = (span["start_ns"] - first_ns) * BAR_WIDTH // total_ns
    width = max(1, round(span["duration_ns"] * BAR_WIDTH / total_ns))
    return Text(" " * left + "█" * width, style="red" if span["status"] == "Error" else "cyan")


def _ms(ns: int) -> str:
    return f"{ns / 1e6:,.3f} ms"

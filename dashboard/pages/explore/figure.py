"""Pure: cells of latency over time as a heatmap: how many, how many late, or the dollars lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from attribution.core.money import currency
from collector.core.times import NS_PER_MS
from dashboard.pages.charts.figures import (
    BUCKETS_PER_OCTAVE,
    bucket_position,
    bucket_ticks,
    heat_columns,
)
from dashboard.pages.charts.theme import (
    ALARM,
    REFERENCE,
    Figure,
    frame,
    message,
    target_line,
    target_name,
)
from dashboard.read.decisions.brush import Brush
from dashboard.read.decisions.listing import HeatCell
from dashboard.read.rows import Range
from dashboard.units import UNKNOWN, Axis, count, counted, usd, utc_iso

# As the address has them, and as the switch names them.
MODES: Final = {"": "Count", "dollars": "Money lost", "late": "Late"}
_UNITS: Final = {"": "decisions", "late": "late"}
_Grid = list[list[Any]]


def heatmap(
    cells: Sequence[HeatCell],
    mode: str,
    view: Range,
    step_ns: int,
    target_ns: int,
    brush: Brush,
    axis: Axis,
    *,
    is_empty: bool = False,
) -> Figure:
    """Draw what each cell holds; a cell of unknown value is grey, and not a zero.

    Of a store without a decision (`is_empty`) it says how to begin.
    """
    if is_empty:
        return message("No decision is here yet", "The Overview says how to send the first one.")
    if not cells:
        return message(
            "No decision in this range",
            "Widen the range, remove a filter above, or look at Health for what arrives.",
        )
    target = bucket_position(target_ns)
    low = min(min(cell.bucket for cell in cells), int(target)) - 1
    high = max(max(cell.bucket for cell in cells), int(target)) + 2
    layout = frame(
        # Another box or range is drawn anew, whatever was zoomed before.
        f"explore {view.from_ns} {view.to_ns} {brush}",
        margin={"l": 52, "r": 8, "t": 10, "b": 36},
        # What is dragged over is read from here.
        meta={
            "until": utc_iso(view.to_ns) + "Z",
            "buckets_per_octave": BUCKETS_PER_OCTAVE,
            "offset_ms": axis.offset_ns // NS_PER_MS,
        },
        dragmode="zoom",
        xaxis={"type": "date", "range": [axis.iso(view.from_ns), axis.iso(view.to_ns)]},
        yaxis={**bucket_ticks(low, high), "title": {"text": "decision ms"}},
        shapes=[target_line(target), *_box(brush, view, low, high, axis)],
        annotations=[target_name(target, target_ns)],
    )
    known = [cell for cell in cells if mode != "dollars" or cell.loss_usd is not None]
    unknown = [cell for cell in cells if mode == "dollars" and cell.loss_usd is None]
    data = [_trace(known, mode, step_ns, axis)] if known else []
    if unknown:
        data.append(_grey(unknown, step_ns, axis))
    return {"data": data, "layout": layout}


def amount(cell: HeatCell, mode: str) -> float:
    """Return what the colour of a cell says."""
    if mode == "dollars":
        return float(cell.loss_usd or 0)
    return cell.late if mode == "late" else cell.decisions


def cell_words(cell: HeatCell, mode: str) -> str:
    """Return a cell in words."""
    decisions = counted(cell.decisions, "decision")
    if mode == "late":
        return f"{count(cell.late)} late of {decisions}"
    if mode == "dollars":
        if cell.loss_usd is None:
            return f"{decisions}, what they lost is {UNKNOWN}"
        lost = f"{usd(cell.loss_usd)} lost" if cell.loss_usd else "nothing lost"
        some = f", {count(cell.unvalued)} of unknown value" if cell.unvalued else ""
        return f"{decisions}, {lost}{some}"
    return decisions


def _trace(cells: Sequence[HeatCell], mode: str, step_ns: int, axis: Axis) -> Figure:
    amounts = [amount(cell, mode) for cell in cells]
    most = max(amounts)
    # A decade under the least that is shown, so that what is nothing is darker than the least.
    least = min((each for each in amounts if each > 0), default=1.0)
    low, high = math.log10(least) - 0.5, max(math.log10(most), math.log10(least)) if most else 0.0
    powers = range(math.ceil(low), math.floor(high) + 1)
    money = mode == "dollars"
    colours = [math.log10(each) if each > 0 else low for each in amounts]
    return {
        **_shared(cells, colours, [cell_words(cell, mode) for cell in cells], step_ns, axis),
        "colorscale": "Cividis",
        "zmin": low,
        "zmax": max(high, low + 0.5),
        "colorbar": {
            "title": {"text": _UNITS.get(mode, f"{currency()} lost"), "side": "right"},
            "tickvals": list(powers),
            "ticktext": [usd(10.0**power) if money else f"{10**power:,}" for power in powers],
            "thickness": 10,
            "outlinewidth": 0,
        },
    }


def _grey(cells: Sequence[HeatCell], step_ns: int, axis: Axis) -> Figure:
    texts = [cell_words(cell, "dollars") for cell in cells]
    return {
        **_shared(cells, [1.0] * len(cells), texts, step_ns, axis),
        "colorscale": [[0, REFERENCE], [1, REFERENCE]],
        "opacity": 0.5,
        "showscale": False,
    }


def _shared(
    cells: Sequence[HeatCell],
    colours: Sequence[float],
    texts: Sequence[str],
    step_ns: int,
    axis: Axis,
) -> Figure:
    """Return a trace over the columns and buckets that its cells span."""
    columns = heat_columns([cell.column_ns for cell in cells], step_ns)
    first = columns[0]
    low = min(cell.bucket for cell in cells)
    buckets = range(low, max(cell.bucket for cell in cells) + 1)
    z: _Grid = [[None] * len(columns) for _ in buckets]
    words: _Grid = [[""] * len(columns) for _ in buckets]
    for cell, colour, text in zip(cells, colours, texts, strict=True):
        row, column = cell.bucket - low, (cell.column_ns - first) // step_ns
        z[row][column], words[row][column] = round(colour, 3), text
    return {
        "type": "heatmap",
        "x": [axis.iso(column + step_ns // 2) for column in columns],
        "y": [bucket + 0.5 for bucket in buckets],
        "z": z,
        "text": words,
        "hovertemplate": f"%{{text}}<br>{axis.pointed(columns[0], columns[-1])}<extra></extra>",
        "hoverongaps": False,
    }


def _box(brush: Brush, view: Range, low: int, high: int, axis: Axis) -> list[Figure]:
    """Return what is brushed as an outline; what it leaves open reaches to the edge."""
    if brush.is_empty:
        return []
    least, most = (
        edge if ms is None else min(max(bucket_position(ms * NS_PER_MS), low), high)
        for ms, edge in ((brush.low_ms, low), (brush.high_ms, high))
    )
    return [
        {
            "type": "rect",
            "x0": axis.iso(view.from_ns if brush.from_ns is None else brush.from_ns),
            "x1": axis.iso(view.to_ns if brush.to_ns is None else brush.to_ns),
            "y0": least,
            "y1": most,
            "line": {"color": ALARM, "width": 3},
            "fillcolor": ALARM,
            "opacity": 0.25,
        }
    ]

"""Pure: rows in, plotly figures out, as dicts: a third of the bytes of plotly's own objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from attribution.core.segments import CLASSES, SEGMENTS, STAGES
from collector.core.times import NS_PER_MINUTE, NS_PER_MS
from dashboard.pages.charts.theme import (
    ALARM,
    CLASS_COLOURS,
    REFERENCE,
    Figure,
    frame,
    message,
    pattern,
    target_line,
    target_name,
)
from dashboard.read.rows import Cell, Range, SegmentMeans
from dashboard.units import Axis, ms, signed_ms

BUCKETS_PER_OCTAVE = 8
# Of a quantile as it is shown: half a bucket, and what three digits leave out.
QUANTILE_ERROR = "±5 %"
_TICKS_MS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    40,
    80,
    160,
    320,
    640,
    1280,
    2560,
    5120,
    10_240,
    30_720,
)
# An excess under this is noise of a mean, and no segment is said to stand out.
STANDS_OUT_NS = NS_PER_MS


def bucket_position(ns: float) -> float:
    """Return where a latency lies on the axis of buckets: `floor` of it is its bucket."""
    return BUCKETS_PER_OCTAVE * math.log2(ns) if ns >= 1 else 0.0


def quantile_ns(cells: Sequence[Cell], share: float) -> float | None:
    """Return a quantile of the latencies, None without any.

    It is the middle of its bucket, whose ends are 4.4 % from it at most, wherever in the bucket the
    latencies bunch.
    """
    by_bucket: dict[int, int] = {}
    for cell in cells:
        by_bucket[cell.bucket] = by_bucket.get(cell.bucket, 0) + cell.decisions
    wanted = share * sum(by_bucket.values())
    passed = 0
    for bucket, decisions in sorted(by_bucket.items()):
        passed += decisions
        if decisions and passed >= wanted:
            return math.exp2((bucket + 0.5) / BUCKETS_PER_OCTAVE)
    return None


def quantile_text(ns: float) -> str:
    """Return a quantile to three digits, `161 ms` or `4.21 ms`: within QUANTILE_ERROR of it."""
    digits = 2 - math.floor(math.log10(ns / NS_PER_MS))
    return ms(ns, max(0, digits))


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time that a figure marks, and what it was."""

    from_ns: int
    to_ns: int
    what: str


def heatmap(
    cells: Sequence[Cell],
    view: Range,
    step_ns: int,
    reference_ns: int,
    axis: Axis,
    *,
    drawn_from_ns: int | None = None,
    frozen: str = "",
    bands: Sequence[Band] = (),
) -> Figure:
    """Draw how many decisions took how long, from `drawn_from_ns` where that is given.

    A range that stands still is told from another one of the same length by `frozen`.

    The y axis counts buckets and is labelled in milliseconds: on a logarithmic axis plotly takes
    the reference line's value for an exponent, and draws slower.
    """
    if not cells:
        return message(
            "No decision in this window",
            "Widen the window, clear the filters, or look at Health for what arrives.",
        )
    from_ns = view.from_ns if drawn_from_ns is None else drawn_from_ns
    reference = bucket_position(reference_ns)
    low = min(min(cell.bucket for cell in cells), int(reference)) - 1
    high = max(max(cell.bucket for cell in cells), int(reference)) + 2
    layout = frame(
        f"heatmap {view.action} {view.region} {view.to_ns - view.from_ns} {frozen}",
        margin={"l": 52, "r": 8, "t": 10, "b": 44},
        # What a click needs to tell which decisions a cell is of.
        meta={
            "step_ns": step_ns,
            "buckets_per_octave": BUCKETS_PER_OCTAVE,
            "offset_ms": axis.offset_ns // NS_PER_MS,
            # As texts, for a browser's numbers end at 2**53.
            "range_ns": [*map(str, counted_ns(view, step_ns, is_frozen=bool(frozen)))],
        },
        xaxis={"type": "date", "range": [axis.iso(from_ns), axis.iso(view.to_ns)]},
        # What is dragged over is a range of time, whatever the latency.
        yaxis={**bucket_ticks(low, high), "title": {"text": "decision ms"}, "fixedrange": True},
        shapes=[
            target_line(reference),
            *(_band(each, axis) for each in bands),
        ],
        annotations=[target_name(reference, reference_ns)],
    )
    return {"data": [_heat_trace(cells, step_ns, low, high, axis)], "layout": layout}


def counted_ns(view: Range, step_ns: int, *, is_frozen: bool) -> tuple[int, int]:
    """Return what the cells of a range are of: from, and to.

    Columns of minutes are of those that begin in the range; of now nothing is later.
    """
    edge_ns = NS_PER_MINUTE if step_ns >= NS_PER_MINUTE else 1
    from_ns, to_ns = (-(-at_ns // edge_ns) * edge_ns for at_ns in (view.from_ns, view.to_ns))
    return from_ns, to_ns if is_frozen else view.to_ns


def _band(band: Band, axis: Axis) -> Figure:
    """Return a band over the whole height, faint enough for the cells under it."""
    return {
        "type": "rect",
        "name": band.what,
        "x0": axis.iso(band.from_ns),
        "x1": axis.iso(band.to_ns),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": ALARM,
        "opacity": 0.14,
        "line": {"width": 1, "color": ALARM},
    }


def bucket_ticks(low: int, high: int) -> Figure:
    """Return the axis of buckets from `low` to `high`, labelled in milliseconds."""
    ticks = [t for t in _TICKS_MS if low <= bucket_position(t * NS_PER_MS) <= high]
    return {
        "range": [low, high],
        "tickvals": [bucket_position(t * NS_PER_MS) for t in ticks],
        "ticktext": [f"{t:g}" for t in ticks],
    }


def heat_columns(columns_ns: Sequence[int], step_ns: int) -> list[int]:
    """Return where each column of a heatmap begins, those without a cell between included.

    There are two at least: plotly draws a column without a neighbour a millisecond wide.
    """
    first, last = min(columns_ns), max(columns_ns)
    return list(range(first, max(last, first + step_ns) + 1, step_ns))


def _heat_trace(cells: Sequence[Cell], step_ns: int, low: int, high: int, axis: Axis) -> Figure:
    columns = heat_columns([cell.column_ns for cell in cells], step_ns)
    first = columns[0]
    counts = [[0] * len(columns) for _ in range(low, high)]
    for cell in cells:
        counts[cell.bucket - low][(cell.column_ns - first) // step_ns] += cell.decisions
    most = max(max(row) for row in counts)
    powers = range(int(math.log10(most)) + 1)
    return {
        "type": "heatmap",
        "x": [axis.iso(column + step_ns // 2) for column in columns],
        "y": [bucket + 0.5 for bucket in range(low, high)],
        "z": [[math.log10(n) if n else None for n in row] for row in counts],
        "text": [[f"{n:,}" if n else "" for n in row] for row in counts],
        "hovertemplate": "%{text} decisions<br>"
        f"{axis.pointed(columns[0], columns[-1])}<extra></extra>",
        "hoverongaps": False,
        "colorscale": "Cividis",
        "zmin": -0.3,
        "zmax": max(math.log10(most), 0.3),
        "colorbar": {
            "title": {"text": "decisions", "side": "right"},
            "tickvals": list(powers),
            "ticktext": [f"{10**power:,}" for power in powers],
            "thickness": 10,
            "outlinewidth": 0,
        },
    }


def worst_segment(observed: SegmentMeans, reference: SegmentMeans) -> int | None:
    """Return the place, 0 to 15, of the segment that exceeds its reference most, None if none."""
    excess = _excess(observed, reference)
    place = max(range(len(excess)), key=excess.__getitem__)
    return place if excess[place] >= STANDS_OUT_NS else None


def decision_path(
    observed: SegmentMeans | None, reference: SegmentMeans | None, blamed: tuple[str, str] | None
) -> Figure:
    """Draw the four stages, and for each of their classes what is against what should be.

    A pair of bars a segment: grey is the reference, the class's colour is what was observed. The
    segment with the largest excess is outlined; `blamed` is the one that the top alert names.
    """
    if observed is None:
        return message(
            "No attributed decision in this window",
            "Decisions are attributed some seconds after they end. Widen the window.",
        )
    # Without a reference the observed bars still stand; nothing is said to be in excess.
    base = reference or observed
    worst = worst_segment(observed, base)
    data = _path_bars(observed, reference, worst) + _path_nodes(observed, reference, worst)
    notes = _path_notes(observed, base, worst, blamed)
    layout = frame(
        "path",
        barmode="overlay",
        margin={"l": 46, "r": 8, "t": 8, "b": 54},
        xaxis={
            "range": [-0.8, len(STAGES) * 5 - 1.2],
            "tickvals": [_place(place) for place in range(len(SEGMENTS))],
            "ticktext": [kind for _, kind in SEGMENTS],
            "tickangle": -90,
            "tickfont": {"size": 10},
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        yaxis={
            "domain": [0, 0.56],
            "title": {"text": "mean ms"},
            "rangemode": "tozero",
            "fixedrange": True,
        },
        yaxis2={"domain": [0.62, 1], "range": [-1.6, 1], "visible": False, "fixedrange": True},
        showlegend=False,
        annotations=notes,
    )
    return {"data": data, "layout": layout}


def _place(segment: int) -> float:
    return (segment // len(CLASSES)) * 5 + segment % len(CLASSES)


def _excess(observed: SegmentMeans, reference: SegmentMeans) -> list[float]:
    pairs = zip(observed.segments_ns, reference.segments_ns, strict=True)
    return [actual - expected for actual, expected in pairs]


def _path_bars(
    observed: SegmentMeans, reference: SegmentMeans | None, worst: int | None
) -> list[Figure]:
    traces: list[Figure] = []
    places = range(len(SEGMENTS))
    if reference is not None:
        traces.append(
            {
                "type": "bar",
                "name": "reference",
                "x": [_place(place) - 0.21 for place in places],
                "y": [ns / NS_PER_MS for ns in reference.segments_ns],
                "width": 0.38,
                "marker": {"color": REFERENCE, "opacity": 0.65},
                "text": ["/".join(segment) for segment in SEGMENTS],
                "textposition": "none",
                "hovertemplate": "%{text}<br>reference %{y:.2f} ms<extra></extra>",
            }
        )
    for offset, kind in enumerate(CLASSES):
        mine = [place for place in places if place % len(CLASSES) == offset]
        traces.append(
            {
                "type": "bar",
                "name": kind,
                "x": [_place(place) + 0.21 for place in mine],
                "y": [observed.segments_ns[place] / NS_PER_MS for place in mine],
                "width": 0.38,
                "marker": {
                    "color": CLASS_COLOURS[kind],
                    "pattern": pattern(kind),
                    "line": {
                        "color": ALARM,
                        "width": [3 if place == worst else 0 for place in mine],
                    },
                },
                "text": ["/".join(SEGMENTS[place]) for place in mine],
                "textposition": "none",
                "hovertemplate": "%{text}<br>observed %{y:.2f} ms<extra></extra>",
            }
        )
    return traces


def _path_nodes(
    observed: SegmentMeans, reference: SegmentMeans | None, worst: int | None
) -> list[Figure]:
    labels = []
    for stage in range(len(STAGES)):
        part = slice(stage * len(CLASSES), (stage + 1) * len(CLASSES))
        label = f"<b>{STAGES[stage]}</b><br>{ms(sum(observed.segments_ns[part]))}"
        if reference is not None:
            label += f"<br>ref {ms(sum(reference.segments_ns[part]))}"
        labels.append(label)
    hot = None if worst is None else worst // len(CLASSES)
    return [
        {
            "type": "scatter",
            "mode": "lines+markers+text",
            "yaxis": "y2",
            "x": [stage * 5 + 1.5 for stage in range(len(STAGES))],
            "y": [0.55] * len(STAGES),
            "text": labels,
            "textposition": "bottom center",
            "textfont": {"size": 11},
            "hoverinfo": "skip",
            "line": {"color": REFERENCE, "width": 2},
            "marker": {
                "size": 15,
                "color": [ALARM if stage == hot else "#56B4E9" for stage in range(len(STAGES))],
                "symbol": ["diamond" if stage == hot else "circle" for stage in range(len(STAGES))],
                "opacity": 1,
            },
        }
    ]


def _path_notes(
    observed: SegmentMeans,
    reference: SegmentMeans,
    worst: int | None,
    blamed: tuple[str, str] | None,
) -> list[dict[str, Any]]:
    excess = _excess(observed, reference)
    texts: dict[int, str] = {}
    if worst is not None:
        texts[worst] = f"<b>{signed_ms(excess[worst])}</b>"
    if blamed in SEGMENTS:
        place = SEGMENTS.index(blamed)
        texts[place] = "<b>blamed</b><br>" + texts.get(place, signed_ms(excess[place]))
    arrows = [
        {
            "x": right * 5 + 1.1,
            "y": 0.55,
            "ax": left * 5 + 1.9,
            "ay": 0.55,
            "xref": "x",
            "yref": "y2",
            "axref": "x",
            "ayref": "y2",
            "showarrow": True,
            "arrowhead": 2,
            "arrowwidth": 2,
            "arrowcolor": REFERENCE,
            "text": "",
        }
        for left, right in pairwise(range(len(STAGES)))
    ]
    marks = [
        {
            "x": _place(place),
            "y": max(observed.segments_ns[place], reference.segments_ns[place]) / NS_PER_MS,
            "text": text,
            "showarrow": False,
            "yanchor": "bottom",
            "yshift": 3,
            "align": "center",
            # Two that stand side by side turn away from each other.
            "xanchor": "center" if len(texts) == 1 else "right" if place == min(texts) else "left",
        }
        for place, text in texts.items()
    ]
    return arrows + marks

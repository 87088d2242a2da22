"""Pure: the colours and the frame that every figure shares.

A figure says nothing of light or dark: its paper is transparent, and `assets/millworth.css` colours
text, axes and grid, so that the theme changes without a redraw.
"""

from __future__ import annotations

import textwrap
from typing import Any

from collector.core.times import NS_PER_MS

Figure = dict[str, Any]

# Okabe and Ito's palette: told apart with every common kind of colour blindness. A pattern says the
# same again, for print and for grey screens.
CLASS_COLOURS = {
    "network": "#0072B2",
    "compute": "#E69F00",
    "store": "#009E73",
    "untraced": "#8A8A8A",
}
CLASS_PATTERNS = {"network": "", "compute": "/", "store": "x", "untraced": "."}
ALARM = "#D55E00"
REFERENCE = "#9AA0A6"
REQUEST = "#CC79A7"
RESPONSE = "#56B4E9"

_FONT = "Inter, system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def frame(revision: str, **layout: object) -> Figure:
    """Return the layout of a figure.

    Args:
        revision: while it stays the same, a zoom survives a refresh.
        layout: what this figure adds or overrides.
    """
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 12},
        "margin": {"l": 56, "r": 12, "t": 28, "b": 36},
        "autosize": True,
        "uirevision": revision,
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
        },
        **layout,
    }


_HINT_CHARACTERS = 42


def message(title: str, hint: str = "") -> Figure:
    """Return an empty figure that says why it is empty and what to do."""
    # Plotly folds nothing, and cuts what is wider than the figure, which a telephone's is soon.
    text = "<br>".join([f"<b>{title}</b>", *textwrap.wrap(hint, _HINT_CHARACTERS)])
    hidden = {"visible": False, "fixedrange": True}
    note = {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "align": "center",
        "font": {"size": 13},
    }
    return {
        "data": [],
        "layout": frame("message", xaxis=hidden, yaxis=hidden, annotations=[note]),
    }


def pattern(kind: str) -> Figure:
    """Return the hatching of a class, over its colour."""
    return {
        "shape": CLASS_PATTERNS[kind],
        "fillmode": "overlay",
        "fgcolor": "#ffffff",
        "fgopacity": 0.5,
        "size": 6,
        "solidity": 0.2,
    }


def target_line(target: float) -> Figure:
    """Return the target as a line over the whole of a figure, at its place on the axis."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": target,
        "y1": target,
        "line": {"color": ALARM, "width": 2, "dash": "dash"},
    }


def target_name(target: float, target_ns: int) -> Figure:
    """Return what stands on that line."""
    return {
        "text": f"target {target_ns / NS_PER_MS:g} ms",
        "xref": "paper",
        "x": 0,
        "y": target,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "bgcolor": "rgba(127,127,127,.18)",
    }

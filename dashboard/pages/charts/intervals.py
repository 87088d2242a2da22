"""Pure: an amount with its interval as a bar, on a scale of powers of ten."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from dash import html

from dashboard.units import usd

# Under a cent an hour nobody acts: the scale begins there.
_LEAST_USD: Final = 0.01


def bar_places(value: Decimal, low: Decimal, high: Decimal) -> tuple[float, float, float]:
    """Return where low, high and the value lie, in percent of the width.

    The scale is the powers of ten around the interval, so that equal ratios are equal lengths.
    """
    ends = [math.log10(max(float(each), _LEAST_USD)) for each in (low, high, value)]
    begin, end = math.floor(min(ends)), math.ceil(max(ends))
    width = max(end - begin, 1)
    low_at, high_at, at = (round((each - begin) / width * 100, 1) for each in ends)
    return low_at, high_at, at


def interval_text(low: Decimal, high: Decimal) -> str:
    """Return the interval in words: `90 %: $339 to $3,847`."""
    return f"90 %: {usd(low)} to {usd(high)}"


def interval_bar(value: Decimal, low: Decimal, high: Decimal) -> Any:  # noqa: ANN401  a component
    """Return the bar, with the interval in words for whoever does not see it."""
    low_at, high_at, at = bar_places(value, low, high)
    return html.Div(
        [
            html.Span(
                className="interval-range",
                style={"left": f"{low_at}%", "width": f"{high_at - low_at:.1f}%"},
            ),
            html.Span(className="interval-at", style={"left": f"{at}%"}),
        ],
        className="interval",
        role="img",
        **{"aria-label": interval_text(low, high)},
    )

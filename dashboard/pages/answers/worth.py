"""Pure: a model of what latency is worth, as a page says it: sentence, lines, and a curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from attribution.core.money import amount, mark
from attribution.vram.document import Document
from dashboard.pages.charts.intervals import bar_places
from dashboard.pages.charts.theme import REFERENCE, RESPONSE, Figure, frame, message
from dashboard.pages.explore.ranked import narrowed
from dashboard.pages.parts import Component, table
from dashboard.read.scope import Scope, format_scope
from dashboard.units import count, counted, percent, shorten, usd

_NAME_MAX: Final = 60
_NAMED_MAX: Final = 3  # that are worth as much as the first
LESS_MS: Final = (1, 5, 10, 20, 50)  # of the shifts that a model has
# What a list of decisions has a filter for; of an offer type it has none.
_FILTERS: Final = ("action", "region", "channel", "cohort")


def answer_sentence(model: Document, *, is_assumed: bool) -> str:
    """Return the answer in a sentence: whose next millisecond is worth most, if any stands out."""
    groups = model["groups"]
    if not groups:
        return (
            "What a millisecond is worth is unknown: no decision of the range has a known value. "
            "Widen it, clear the filters, or send outcomes."
        )
    top = groups[0]
    per_ms = top["marginal_usd_per_ms_hour"]
    by = str(model["lineage"]["dimension"]).replace("_", " ")
    rate = ", by an assumed rate" if is_assumed else ""
    worth = f"is worth {usd(per_ms['median'])} an hour (90 %: {ends(per_ms)}{rate})."
    if len(groups) == 1:
        return f"The next millisecond faster {worth}"
    name = _name(top["name"])
    alike = [each for each in groups[1:] if not _stands_out(top, each)]
    if not alike:
        return f"Make {by} {name} faster first: its next millisecond {worth}"
    its = f"The next millisecond of {name} {worth}"
    if len(alike) == len(groups) - 1:
        return f"No {by} stands out: which of the {len(groups)} comes first, chance explains. {its}"
    others = ", ".join(_name(each["name"]) for each in alike[:_NAMED_MAX])
    more = f" or {len(alike) - _NAMED_MAX} others" if len(alike) > _NAMED_MAX else ""
    return f"Make {by} {name} or {others}{more} faster first: which, chance explains. {its}"


def _stands_out(top: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether the next millisecond of one group is worth more than another's for sure.

    By one rate they differ as what they earn does, whose errors are their own; of two rates all
    of both is uncertain. The interval of the difference is by those of both.

    Source: the square-and-add limits of Zou and Donner (2008).
    """
    by_one_rate = top["loss_per_100ms"] == other["loss_per_100ms"]
    name = "erv_usd_per_s" if by_one_rate else "marginal_usd_per_ms_hour"
    more, less = top[name], other[name]
    apart = more["median"] - less["median"]
    return bool(apart > math.hypot(more["median"] - more["low"], less["high"] - less["median"]))


def groups_lines(told: Document, scope: Scope, *, is_assumed: bool) -> list[dict[str, object]]:
    """Return one row a group, the dearest first."""
    dimension, prior = told["lineage"]["dimension"], told["lineage"]["slope"]
    rows = []
    for each in told["groups"]:
        per_ms, gain = each["marginal_usd_per_ms_hour"], each["gain_10ms_usd_per_hour"]
        earns = {end: value * 3600 for end, value in each["erv_usd_per_s"].items()}
        own = each["slope_basis"]
        rows.append(
            {
                "id": each["name"],
                "per_ms": f"{usd(per_ms['median'])} / h",
                "interval": f"90 %: {ends(per_ms)}",
                "bar": bar_places(*(Decimal(per_ms[end]) for end in ("median", "low", "high"))),
                "group": _name(each["name"]),
                "n": counted(each["decisions"], "decision"),
                "href": _listed(scope, dimension, each["name"]),
                "gain": f"{usd(gain['median'])} / h",
                "gain_of": f"90 %: {ends(gain)}",
                "earns": f"{usd(earns['median'])} / h, n {count(each['known'])}",
                "earns_of": f"90 %: {ends(earns)}",
                "rests": "assumed rate" if is_assumed and own == prior else "own data",
                "loses": f"{percent(each['loss_per_100ms']['median'])} lost by 100 ms",
                "basis": own,
            }
        )
    return rows


def weights_lines(told: Document, scope: Scope) -> list[dict[str, object]]:
    """Return one row a segment, the heaviest first."""
    rows = []
    for each in told["weights"]:
        gain = {
            "low": each["gain_low_usd_per_hour"],
            "high": each["gain_high_usd_per_hour"],
        }
        filters = (("segment", each["segment"]), ("sort", "segment"))
        listed = replace(scope, filters=filters, low_ms=None, high_ms=None)
        rows.append(
            {
                "id": each["segment"],
                "segment": each["segment"],
                "href": "/decisions" + format_scope(listed),
                "floor": f"could be {each['floor_ms']:,.1f} ms",
                "weight": percent(each["weight"]),
                "gain": f"{usd(each['gain_usd_per_hour'])} / h",
                "interval": f"90 %: {ends(gain)}",
                "time": percent(each["time_share"]),
            }
        )
    return rows


def curve_figure(group: Mapping[str, Any] | None, frozen: str) -> Figure:
    """Draw what a group earns more or less where it takes longer, with its 90 % interval."""
    if group is None:
        return message("No group of known value")
    points = group["curve"]
    shifts = [point["shift_ms"] for point in points]
    change = {
        end: [point["change_usd_per_hour"][end] for point in points]
        for end in ("median", "low", "high")
    }
    band = {
        "type": "scatter",
        "mode": "lines",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return {
        "data": [
            {**band, "x": shifts, "y": change["low"]},
            {**band, "x": shifts, "y": change["high"], "fill": "tonexty",
             "fillcolor": "rgba(86,180,233,.28)"},
            {"type": "scatter", "mode": "lines+markers", "x": shifts, "y": change["median"],
             "line": {"color": RESPONSE, "width": 2}, "showlegend": False,
             "hovertemplate": f"%{{x:+}} ms: {amount('%{y:,.2f}')} / h<extra></extra>"},
        ],
        "layout": frame(
            f"curve {group['name']} {frozen}",
            margin={"l": 62, "r": 8, "t": 10, "b": 44},
            xaxis={"title": {"text": "ms slower (left: faster)"}, "zeroline": True,
                   "zerolinecolor": REFERENCE, "fixedrange": True},
            yaxis={"title": {"text": f"{mark()} / h"}, "zeroline": True, "zerolinecolor": REFERENCE,
                   "fixedrange": True},
        ),
    }  # fmt: skip


def less_words(group: Mapping[str, Any] | None, prior: str, *, is_assumed: bool) -> dict[str, str]:
    """Return by milliseconds less what a group would earn more, in a sentence with its interval."""
    if group is None:
        return {"": "Not known: no group has a known value."}
    rate = ", by an assumed rate" if is_assumed and group["slope_basis"] == prior else ""
    changes = {point["shift_ms"]: point["change_usd_per_hour"] for point in group["curve"]}
    return {
        f"{less}": f"{less} ms less of {_name(group['name'])}: {usd(changes[-less]['median'])} / h "
        f"more (90 %: {ends(changes[-less])}{rate})"
        for less in LESS_MS
        if -less in changes
    } | {"": "Not known so far: no arm of an experiment was so fast."}


def curve_table(group: Mapping[str, Any] | None) -> Component:
    """Return the curve as a table."""
    rows = [
        (
            f"{point['shift_ms']:+g} ms",
            f"{usd(point['change_usd_per_hour']['median'])} / h",
            ends(point["change_usd_per_hour"]),
        )
        for point in (group["curve"] if group else ())
        if point["shift_ms"]
    ]
    return table(("Latency", "Change", "90 %"), rows, numeric=(0, 1))


def ends(band: Mapping[str, float]) -> str:
    """Return both ends of an interval: `$7.62 to $87.23`."""
    return f"{usd(band['low'])} to {usd(band['high'])}"


def _listed(scope: Scope, dimension: str, name: str) -> str:
    """Return the list of the decisions of a group, "" where the list has no filter for it."""
    if dimension not in _FILTERS or not name:
        return ""
    kept = replace(scope, filters=(("sort", "lost"),), low_ms=None, high_ms=None)
    return "/decisions" + format_scope(narrowed(kept, dimension, name))


def _name(name: str) -> str:
    return shorten(name, _NAME_MAX) or "(empty)"

"""Pure: the figures on the cards of the overview: each a value, and a note that qualifies it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.health.items import HealthItem
from dashboard.pages.figures import quantile_ns
from dashboard.read.rows import Cell, Evidence, Revenue
from dashboard.units import UNKNOWN, count, ms, percent, span_of_time, usd

Note = Any  # text, or a Dash component


def latency_card(cells: Sequence[Cell], target_ns: int) -> tuple[str, str]:
    """Return the median latency, with its error, the tail and the target."""
    middle, tail = quantile_ns(cells, 0.5), quantile_ns(cells, 0.99)
    if middle is None or tail is None:
        return UNKNOWN, "no decision in this window"
    return ms(middle), f"±4 % · p99 {ms(tail)} · target {ms(target_ns, 0)}"


def within_card(revenue: Revenue) -> tuple[str, str]:
    """Return the share of decisions within their reference latency."""
    if not revenue.decisions:
        return UNKNOWN, "no decision in this window"
    share = 1 - revenue.late / revenue.decisions
    return percent(share), f"{count(revenue.late)} of {count(revenue.decisions)} late"


def velocity_card(revenue: Revenue) -> tuple[str, str]:
    """Return what was earned an hour, its basis, and over what time."""
    per_hour = revenue.per_hour
    if per_hour is None:
        return UNKNOWN, "no valued decision in this window"
    bases = " and ".join(revenue.bases)
    note = f"basis {bases} · over {span_of_time(revenue.length_ns)}"
    if revenue.unvalued:
        note += f" · {count(revenue.unvalued)} of unknown value"
    return f"{usd(revenue.earned_usd * per_hour)} / h", note


def risk_card(revenue: Revenue, prior_basis: str) -> tuple[str, Note]:
    """Return what lateness costs an hour, its interval, and whether the slope is a prior."""
    per_hour = revenue.per_hour
    if per_hour is None:
        return UNKNOWN, "no valued decision in this window"
    low, high = revenue.loss_low_usd * per_hour, revenue.loss_high_usd * per_hour
    interval = f"90 %: {usd(low)} to {usd(high)}"
    if "unknown" in revenue.slope_sources:
        why = "your own experiment contradicts the prior; see millworth vram slope"
        label = html.Span("failures alone, lateness unknown", className="badge", title=why)
        return f"{usd(revenue.loss_usd * per_hour)} / h", html.Span([interval, " ", label])
    if "prior" not in revenue.slope_sources:
        return f"{usd(revenue.loss_usd * per_hour)} / h", interval
    label = html.Span("article prior", className="badge", title=prior_basis)
    return f"{usd(revenue.loss_usd * per_hour)} / h", html.Span([interval, " ", label])


def evidence_card(evidence: Evidence, recorder: HealthItem | None) -> tuple[str, str]:
    """Return how many packets back the figures, and how far clocks were moved."""
    clocks = (
        f"{count(evidence.shifted_spans)} of {count(evidence.spans)} spans moved, at most "
        f"{ms(evidence.shift_max_ns, 3)}"
        if evidence.shifted_spans
        else "no clock had to be moved"
    )
    if recorder is not None and recorder.status != "ok":
        return "no packets", f"recorder off, see Health · {clocks}"
    return f"{count(evidence.packets)} packets", (
        f"{count(evidence.linked_decisions)} decisions linked · {clocks}"
    )


def warned(card: tuple[str, Note], contradiction: str) -> tuple[str, Note]:
    """Return a card of dollars with what contradicts them, where something does."""
    if not contradiction:
        return card
    label = html.Span("outcomes contradict their mode", className="badge", title=contradiction)
    return card[0], html.Span([card[1], " ", label])

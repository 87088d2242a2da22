"""Pure: the figures on the cards of the overview: each a value, and a note that qualifies it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dash import html

from collector.core.times import NS_PER_HOUR
from dashboard.health.items import LATE, OUTCOMES, SAMPLING, HealthItem, late_words
from dashboard.pages.charts.figures import QUANTILE_ERROR, quantile_ns, quantile_text
from dashboard.pages.charts.intervals import interval_bar, interval_text
from dashboard.read.alerts.counts import NO_ALERTS
from dashboard.read.alerts.listing import AtRisk
from dashboard.read.alerts.losses import Loss
from dashboard.read.rows import Cell, Evidence, Revenue
from dashboard.units import UNKNOWN, Zone, count, counted, ms, percent, span_of_time, usd

Note = Any  # text, or a Dash component


def now_card(at_risk: AtRisk, silence: str, past: str = "", unvalued: int = 0) -> tuple[str, Note]:
    """Return what the alerts that fire cost an hour, with the interval as a bar.

    Args:
        at_risk: the sum, and how many alerts there are.
        silence: `no decision since 19:56:05 UTC`, or why else nothing can be said to be well; ""
            while decisions come that are worth something.
        past: `at 05:53:00 UTC`, of a range that ended; "" of one that goes on to now.
        unvalued: decisions of the range of which nobody knows what they are worth: no alert with
            money can be about them.
    """
    when = f" {past}" if past else ""
    unpriced = f" · {count(at_risk.unpriced)} without money" if at_risk.unpriced else ""
    old = f" · {count(at_risk.old)} as of last change" if at_risk.old else ""
    rate, low, high = at_risk.usd_per_h, at_risk.low_usd_per_h, at_risk.high_usd_per_h
    if at_risk.alerts and rate is not None and low is not None and high is not None:
        note = [
            interval_bar(rate, low, high),
            f"{interval_text(low, high)}, {'last' if past else 'newest'} 5 min at most · "
            f"{at_risk.counts.text}{when}{old}{unpriced}",
        ]
        return f"{usd(rate)} / h", note
    fires = f"fired{when}" if past else "fires"
    if silence:
        counts = replace(at_risk.counts, unknown=0)
        unjudged = f"{counted(at_risk.counts.unknown, 'alert')} cannot be judged, "
        unpriced_words = (unjudged if at_risk.counts.unknown else "") + silence
        return UNKNOWN, unpriced_words + (
            f" · {counts.text}" if counts != NO_ALERTS else ""
        ) + unpriced
    if at_risk.unpriced or at_risk.silent:
        return UNKNOWN, f"no alert with money {fires} · {at_risk.counts.text}{unpriced}"
    words = [f"no live alert {fires}", *at_risk.counts.parts[1:]]
    if unvalued:
        words.append(f"without {counted(unvalued, 'decision')} of unknown value")
    return "nothing", " · ".join(words)


def lost_title(zone: Zone, now_ns: int, day_from_ns: int) -> str:
    """Return of which day a loss is: `Lost today`, or `Lost on 2026-11-26`."""
    day, today = zone.second(day_from_ns)[:10], zone.second(now_ns)[:10]
    return "Lost today" if day == today else f"Lost on {day}"


def lost_card(
    lost: Loss | None,
    span: tuple[int, int],
    zone: Zone,
    prior_basis: str,
) -> tuple[str, Note]:
    """Return what lateness and failures cost since the day of the zone began.

    With the interval as a bar, and how many decisions are in none of it. A prior among the slopes
    of that day is said to be one.
    """
    from_ns, to_ns = span
    end = zone.clock(to_ns)[:5]
    if end == "00:00" and to_ns - from_ns > NS_PER_HOUR:
        end = "24:00"
    over = f"{zone.clock(from_ns)[:5]} to {end} {zone.mark(to_ns)}"
    if lost is None or not lost.is_known:
        return UNKNOWN, f"no decision of known value, {over}"
    ends = (lost.loss_low_usd, lost.loss_high_usd)
    unvalued = f" · without {count(lost.unvalued)} of unknown value" if lost.unvalued else ""
    note: list[Note] = [
        interval_bar(lost.loss_usd, *ends),
        f"{interval_text(*ends)} · {over}{unvalued} ",
    ]
    return usd(lost.loss_usd), [*note, *_slope_badge(lost.slope_sources, prior_basis)]


def _slope_badge(sources: Collection[str], prior_basis: str) -> list[Note]:
    if "unknown" in sources:
        why = "your own experiment contradicts the prior; see millworth vram slope"
        words = "failures alone" if len(sources) == 1 else "in part failures alone"
        return [html.Span(f"{words}, lateness unknown", className="badge", title=why)]
    if "prior" in sources:
        return [html.Span("assumed rate", className="badge", title=prior_basis)]
    return []


def latency_card(cells: Sequence[Cell], target_ns: int, window: str) -> tuple[str, str]:
    """Return the median latency, with its error, the tail and the target."""
    middle, tail, last = (quantile_ns(cells, share) for share in (0.5, 0.95, 0.99))
    if middle is None or tail is None or last is None:
        return UNKNOWN, "no decision in this window"
    tails = f"p95 {quantile_text(tail)} · p99 {quantile_text(last)} · target {ms(target_ns, 0)}"
    return quantile_text(middle), f"{tails} · {QUANTILE_ERROR} · over {window}"


def late_card(revenue: Revenue, window: str) -> tuple[str, str]:
    """Return the share of decisions that took longer than their reference latency."""
    if not revenue.decisions:
        return UNKNOWN, "no decision in this window"
    share = revenue.late / revenue.decisions
    return percent(share), (
        f"{count(revenue.late)} of {count(revenue.decisions)} over their target in {window}"
    )


def velocity_card(revenue: Revenue, silence: str) -> tuple[str, str]:
    """Return what was earned an hour, its basis, over what time, and that it is over."""
    per_hour = revenue.per_hour
    if per_hour is None:
        return UNKNOWN, "no valued decision in this window"
    bases = " and ".join(revenue.bases)
    note = f"basis {bases} · over {span_of_time(revenue.length_ns)}"
    if revenue.unknown_amounts:
        note += f" · {counted(revenue.unknown_amounts, 'sale')} of unknown amount"
    if revenue.unvalued:
        note += f" · {count(revenue.unvalued)} of unknown value"
    note += f" · {silence}" if silence else ""
    # Where it takes two lines the second is `/ h`.
    return f"{usd(revenue.earned_usd * per_hour)} /\u00a0h", note


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
    return count(evidence.packets), (
        f"packets, of {counted(evidence.linked_decisions, 'decision')} · {clocks}"
    )


def warned(card: tuple[str, Note], warnings: Mapping[str, str]) -> tuple[str, Note]:
    """Return a card of dollars with what is wrong with them.

    Args:
        card: value and note.
        warnings: the whole of each by its short form.
    """
    if not warnings:
        return card
    labels = (html.Span(label, className="badge", title=why) for label, why in warnings.items())
    parts = card[1] if isinstance(card[1], list) else [card[1]]
    return card[0], html.Div([*parts, *(each for label in labels for each in (" ", label))])


def money_warnings(health: Mapping[str, HealthItem]) -> tuple[dict[str, str], dict[str, str]]:
    """Return why money is not all, and beside that what contradicts what was earned, or waits.

    Args:
        health: the figures of the service by their names.
    """
    sampled = [item for name, item in health.items() if name.startswith(SAMPLING)]
    part = {}
    if sampled:
        share = f": {sampled[0].value}" if len(sampled) == 1 else ""
        part[f"sampled{share}"] = "; ".join(item.detail for item in sampled)
    earned = dict(part)
    late = health.get(LATE)
    behind_s = late.value if late is not None and isinstance(late.value, float) else None
    if words := late_words(behind_s):
        earned["late data wait"] = words
    if OUTCOMES in health:
        earned["outcomes contradict their mode"] = health[OUTCOMES].detail
    return part, earned

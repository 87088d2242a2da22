"""I/O: channels: what it takes to get a visitor, apart from what the visitor then does.

What is paid for clicks is known the same day; what those who came buy is known within the horizon.
The two are told apart, and come together in one figure only: margin less what was paid. That is
known where every day that decided says what it cost, and where what was earned is margin, with the
amount of nearly every sale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from attribution.books.group_values import NOTHING, GroupValue, read_group_values
from attribution.books.spend import Spend, read_spend
from attribution.core.config import AttributionConfig
from attribution.core.money import rounded
from attribution.core.selection import CALIBRATION_ACTION, Selection
from attribution.revenue.earned_sql import is_known
from attribution.revenue.sums import BASES, EXPECTED, MARGIN
from collector.core.config import HorizonDays
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, utc_day
from collector.store.connect import Connections

HORIZONS: Sequence[HorizonDays] = (30, 90, 365)
OWNED, PAID = "owned", "paid"
_PER_CLICK = Decimal("0.0001")
_DAYS_NAMED = 10


@dataclass(frozen=True, slots=True)
class HorizonLine:
    """What the decisions of a channel did within so many days; None is unknown."""

    days: int
    is_own: bool  # the horizon that the channel's value is of
    is_kept: bool  # decisions are kept so long; else what comes later finds none
    final_from: str  # day on which the last of them has had so many days
    known: int  # decisions whose outcome is known, be the amount known or not
    sold: int  # ... that sold something, be it taken back since
    conversion: float | None  # of the known ones
    basis: str  # of what was earned: margin, revenue, ..., mixed; unknown
    unknown_amounts: int  # decisions that earned something, and it is not known how much
    # Each of these counts as the mean of its action and region; None where one has no mean.
    earned_usd: Decimal | None
    after_acquisition_usd: Decimal | None  # margin less what was paid
    why_unknown: str  # "" where that is known


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """One channel; None is unknown, and never nothing."""

    name: str
    kind: str  # paid, owned, "" where nobody says
    horizon_days: int
    decisions: int
    clicks: int | None
    cost_per_click: Decimal | None
    quality_score: Decimal | None
    acquisition_usd: Decimal | None
    acquisition_basis: str  # imported, owned; or why it is unknown
    acquisition_per_decision_usd: Decimal | None
    acquisition_per_sale_usd: Decimal | None  # within the channel's own horizon
    days: int  # on which it decided
    days_without_cost: int
    horizons: Sequence[HorizonLine]


@dataclass(frozen=True, slots=True)
class Channels:
    """Every channel that decided, was paid for, or is declared, by name; whole days, UTC."""

    currency: str
    from_ns: int
    to_ns: int
    channels: Sequence[ChannelLine]


def channels(
    config: AttributionConfig, store: Connections, window: Selection, kept_days: int
) -> Channels:
    """Return what channels cost and bring, over the whole days of a window.

    Args:
        config: which channels are paid and owned, and their horizons.
        store: read from.
        window: cut to whole days, since a cost is that of a day.
        kept_days: how long decisions are kept.
    """
    from_ns = -(-window.from_ns // NS_PER_DAY) * NS_PER_DAY
    to_ns = max(window.to_ns // NS_PER_DAY * NS_PER_DAY, from_ns)
    days = Selection(from_ns, to_ns)
    spent = read_spend(store, config, from_ns, to_ns)
    decided = _decided(store, days)
    values = {
        horizon: _by_channel(read_group_values(store, config.at_horizon(horizon), days, "channel"))
        for horizon in HORIZONS
    }
    names = sorted({*spent, *decided, *config.channels})
    return Channels(
        config.currency,
        from_ns,
        to_ns,
        [
            _line(
                config,
                name,
                spent.get(name, Spend()),
                decided.get(name, []),
                {each: values[each].get(name, []) for each in HORIZONS},
                (to_ns, kept_days),
            )
            for name in names
        ],
    )


def _line(
    config: AttributionConfig,
    name: str,
    spend: Spend,
    days: Sequence[int],
    values: Mapping[HorizonDays, Sequence[GroupValue]],
    until: tuple[int, int],
) -> ChannelLine:
    """Put together what a channel cost with what its decisions did."""
    kind, own_days = config.kind_of(name), config.horizon_days_of(name)
    acquisition, basis = _acquisition(kind, spend, days)
    lines = [
        _horizon(each, values[each], acquisition, is_own=each == own_days, until=until)
        for each in HORIZONS
    ]
    sold = next(each.sold for each in lines if each.is_own)
    decisions = sum(each.decisions for each in values[HORIZONS[0]])
    missing = spend.missing(days)
    clicks, cost = spend.clicks, spend.cost([])
    return ChannelLine(
        name=name,
        kind=kind,
        horizon_days=own_days,
        decisions=decisions,
        clicks=clicks,
        cost_per_click=_over(cost, clicks, _PER_CLICK),
        quality_score=spend.quality_score,
        acquisition_usd=None if acquisition is None else rounded(acquisition),
        acquisition_basis=basis,
        acquisition_per_decision_usd=_over(acquisition, decisions, _PER_CLICK),
        acquisition_per_sale_usd=_over(acquisition, sold, _PER_CLICK),
        days=len(days),
        days_without_cost=len(missing),
        horizons=lines,
    )


def _acquisition(kind: str, spend: Spend, days: Sequence[int]) -> tuple[Decimal | None, str]:
    """Return what was paid for the visitors of a channel, and what that rests on."""
    # A day of an owned channel that says nothing cost nothing: that is what owned means.
    needed = [] if kind == OWNED else days
    cost = spend.cost(needed)
    if cost is not None:
        return cost, "imported"
    if spend.unconverted:
        return None, f"no rate of {', '.join(spend.unconverted)}; millworth import rates"
    if not spend.days:
        if kind == OWNED:
            return Decimal(0), "owned: no visitor is bought"
        return None, "no cost was imported; millworth import channels"
    missing = [utc_day(each) for each in spend.missing(needed)]
    named = ", ".join(missing[:_DAYS_NAMED]) + (", ..." if len(missing) > _DAYS_NAMED else "")
    return None, f"days without a cost: {named}; millworth import channels"


def _horizon(
    days: int,
    values: Sequence[GroupValue],
    acquisition: Decimal | None,
    *,
    is_own: bool,
    until: tuple[int, int],
) -> HorizonLine:
    """Return what the decisions of a channel did within so many days."""
    # Where no outcome of it ever came it is not known that silence is none.
    has_outcomes = any(each.told for each in values)
    valued = [
        each
        for each in values
        if not math.isnan(each.earned_usd) and (has_outcomes or each.basis != NOTHING)
    ]
    # Nothing is nothing by any basis; a channel that earned that alone has no margin either.
    bases = sorted({each.basis for each in valued} - {NOTHING}) or [BASES[MARGIN]]
    basis = "unknown" if not valued else bases[0] if len(bases) == 1 else "mixed"
    by_outcome = [each for each in values if each.basis != BASES[EXPECTED]]
    earning, unknown = (
        sum(getattr(each, name) for each in by_outcome) for name in ("earning", "unknown")
    )
    # A sum that leaves out what was sold for an unknown amount is no sum of the channel.
    lacks_group = any(each.earning for each in values if math.isnan(each.earned_usd))
    earned = None
    if valued and not lacks_group:
        earned = sum((_exact(each.earned_usd) for each in valued), Decimal(0))
    answered = sum(each.answered for each in values) if has_outcomes else 0
    sold = sum(each.sold for each in values)
    if acquisition is None:
        why = "what was paid is unknown"
    elif basis != BASES[MARGIN]:
        why = f"what was earned is {basis}, not margin"
    elif lacks_group or not is_known(unknown, earning):
        why = f"the amount of {unknown:,} of {earning:,} decisions that earned something is unknown"
    else:
        why = ""
    to_ns, kept_days = until
    return HorizonLine(
        days=days,
        is_own=is_own,
        is_kept=days <= kept_days,
        final_from=utc_day(to_ns + days * NS_PER_DAY),
        known=answered,
        sold=sold,
        conversion=sold / answered if answered else None,
        basis=basis,
        unknown_amounts=unknown,
        earned_usd=None if earned is None else rounded(earned),
        after_acquisition_usd=(
            rounded(earned - acquisition)
            if not why and earned is not None and acquisition is not None
            else None
        ),
        why_unknown=why,
    )


def _over(amount: Decimal | None, count: int | None, places: Decimal) -> Decimal | None:
    return (amount / count).quantize(places) if amount is not None and count else None


def _exact(usd: float) -> Decimal:
    return Decimal(round(usd * 10**6)).scaleb(-6)


def _decided(store: Connections, days: Selection) -> dict[str, list[int]]:
    rows = (
        store.client()
        .query(
            sql("channel_decisions", __file__),
            parameters={
                "from_ns": days.from_ns,
                "to_ns": days.to_ns,
                "left_out": CALIBRATION_ACTION,
            },
        )
        .result_rows
    )
    return {str(name): list(days_ns) for name, days_ns in rows}


def _by_channel(values: Sequence[GroupValue]) -> dict[str, list[GroupValue]]:
    by_channel: dict[str, list[GroupValue]] = {}
    for each in values:
        by_channel.setdefault(each.name, []).append(each)
    return by_channel

"""Pure: the technical-debt ledger: what old things cost a year, and what it is worth to mend them.

    loss a year = incidents a year x hours of each x (USD an hour, or impact x ERV an hour)
                + drag in ms x what a millisecond is worth a year
                + days of delay a year x USD a day + what it costs to run

ERV is the Expected Revenue Velocity; it and the worth of a millisecond are those of the decisions
stored. What telemetry finds has evidence and, by itself, only the dollars that telemetry can say:
an item of which no part is known has no figure; one of which a part is not known is partial. Both
say what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from attribution.invest.npv import Option, Range, cents, product, values_at

_HOURS_A_YEAR = Decimal("8766")  # 365.25 days
_QUARTERS_A_YEAR = 4
_PRECISION = 40


@dataclass(frozen=True, slots=True)
class Worth:
    """What the stored decisions say that time is worth; None where their value is not known."""

    erv_usd_per_year: Range | None
    usd_per_ms_year: Range | None
    basis: str  # prior or estimate
    told: str  # in words


@dataclass(frozen=True, slots=True)
class Burden:
    """What an item costs; None is not said, not nothing."""

    incidents_per_year: Range | None = None
    hours_per_incident: Range | None = None
    usd_per_hour: Range | None = None
    impact: Range | None = None  # share of the ERV that an incident takes, instead
    drag_ms: Range | None = None  # of each decision
    delay_days_per_year: Range | None = None
    usd_per_delay_day: Range | None = None
    run_usd_per_year: Range | None = None
    fix_usd: Range | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is owed."""

    id: str  # kind/what, such as runtime/shop/cpython-3.8
    kind: str
    what: str
    found_by: str  # telemetry or file
    evidence: Mapping[str, object]
    burden: Burden = field(default_factory=Burden)
    bases: tuple[str, ...] = ()  # of the amounts in the burden
    missing: tuple[str, ...] = ()  # known to be missing, whatever the burden says


@dataclass(frozen=True, slots=True)
class Priced:
    """One item with its dollars; None is unknown."""

    item: Item
    loss_usd_per_year: Range | None  # of the parts that are known
    is_partial: bool  # a part of the loss is not known, and in no figure
    fix_usd: Range | None
    npv_usd: Decimal | None  # of mending it, at the medians
    npv_low_usd: Decimal | None  # the least loss, the dearest mending
    npv_high_usd: Decimal | None
    npv_per_fix_usd: Decimal | None
    bases: tuple[str, ...]
    missing: tuple[str, ...]


def price(item: Item, worth: Worth, rate: Decimal, quarters: int) -> Priced:
    """Return the dollars of an item, and what is missing for those that are unknown."""
    alone, shared, unknown, bases = _parts(item, worth)
    parts = [*alone, *shared]
    missing = [*item.missing, *unknown]
    loss = total(alone, shared) if parts else None
    if not missing and not parts:
        missing = ["what it costs: incidents, drag_ms, delay or run_usd_per_year in an entry"]
    is_partial = bool(missing) and loss is not None
    fix = item.burden.fix_usd
    npv = low = high = ratio = None
    if loss is not None and fix is not None:
        npv = _npv(item.id, loss.median, fix.median, rate, quarters)
        low = _npv(item.id, loss.low, fix.high, rate, quarters)
        high = _npv(item.id, loss.high, fix.low, rate, quarters)
        ratio = cents(npv / fix.median) if fix.median > 0 else None
    if fix is None:
        missing.append("fix_usd: what it takes to mend it")
    return Priced(
        item, loss, is_partial, fix, npv, low, high, ratio, tuple(sorted(bases)), tuple(missing)
    )


def ledger(items: Sequence[Item], worth: Worth, rate: Decimal, quarters: int) -> list[Priced]:
    """Return every item, first what brings the most for a dollar of mending, last the unknown."""
    priced = [price(item, worth, rate, quarters) for item in items]

    def place(item: Priced) -> tuple[bool, Decimal, bool, Decimal, str]:
        ratio, loss = item.npv_per_fix_usd, item.loss_usd_per_year
        return (
            ratio is None,
            -(ratio or Decimal(0)),
            loss is None,
            -(loss.median if loss else Decimal(0)),
            item.item.id,
        )

    return sorted(priced, key=place)


def in_all(priced: Sequence[Priced], worth: Worth) -> Range | None:
    """Return the loss of all items whose loss is known, None without one.

    What rests on the worth of time rests on one slope: it is low for all of them, or for none.
    """
    alone: list[Range] = []
    shared: list[Range] = []
    for each in priced:
        if each.loss_usd_per_year is not None:
            side = shared if worth.basis in each.bases else alone
            side.append(each.loss_usd_per_year)
    return total(alone, shared) if alone or shared else None


def total(alone: Sequence[Range], shared: Sequence[Range] = ()) -> Range:
    """Return the sum of amounts, to the cent.

    Args:
        alone: independent: the squares of their distances from the median add up.
        shared: of one uncertain quantity: their low ends come together, and so do the high ones.
    """
    with localcontext() as context:
        context.prec = _PRECISION
        low, middle, high = (
            sum((getattr(each, name) for each in shared), Decimal(0))
            for name in ("low", "median", "high")
        )
        parts = [*alone, Range(low, middle, high)]
        median = sum((each.median for each in parts), Decimal(0))
        below = sum(((each.median - each.low) ** 2 for each in parts), Decimal(0)).sqrt()
        above = sum(((each.high - each.median) ** 2 for each in parts), Decimal(0)).sqrt()
        return Range(cents(median - below), cents(median), cents(median + above))


def _parts(item: Item, worth: Worth) -> tuple[list[Range], list[Range], list[str], set[str]]:
    """Return the known parts of the loss, what is missing of others, and what they rest on.

    Parts that rest on the worth of time come by themselves, after those that do not.
    """
    burden, parts, shared, missing = item.burden, [], [], []
    bases = set(item.bases)
    incidents, hours = burden.incidents_per_year, burden.hours_per_incident
    if incidents is not None and hours is not None:
        if burden.usd_per_hour is not None:
            parts.append(product([incidents, hours, burden.usd_per_hour]))
        elif burden.impact is not None and worth.erv_usd_per_year is not None:
            erv = worth.erv_usd_per_year
            per_hour = Range(*(each / _HOURS_A_YEAR for each in (erv.low, erv.median, erv.high)))
            shared.append(product([incidents, hours, burden.impact, per_hour]))
            bases.add(worth.basis)
        elif burden.impact is not None:
            missing.append("the value of decisions, of which an incident takes a share")
        else:
            missing.append("usd_per_hour or impact: what an hour of an incident costs")
    if burden.drag_ms is not None:
        if worth.usd_per_ms_year is None:
            missing.append("the value of decisions, which a millisecond takes from")
        else:
            shared.append(product([burden.drag_ms, worth.usd_per_ms_year]))
            bases.add(worth.basis)
    if burden.delay_days_per_year is not None and burden.usd_per_delay_day is not None:
        parts.append(product([burden.delay_days_per_year, burden.usd_per_delay_day]))
    if burden.run_usd_per_year is not None:
        parts.append(burden.run_usd_per_year)
    return parts, shared, missing, bases


def _npv(name: str, loss: Decimal, fix: Decimal, rate: Decimal, quarters: int) -> Decimal:
    """Return the net present value of mending: the loss ends with the first quarter."""
    with localcontext() as context:
        context.prec = _PRECISION
        gain = loss / _QUARTERS_A_YEAR
    nothing = Range.exactly(Decimal(0))
    option = Option(name, nothing, nothing, nothing, quarters=quarters)
    return values_at(option, rate, fix, Decimal(0), gain).npv

"""I/O: what a decision of each channel, cohort, region, offer type or action is worth by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.books.compound import GroupSum
from attribution.core.config import AttributionConfig
from attribution.core.money import MICROS_PER_USD
from attribution.core.selection import AT_ONCE, RATE_S_MIN, Selection
from attribution.path.columns import Column, Table, ints
from attribution.path.spans import Bools, Ints
from attribution.read.parts import parts_of
from attribution.read.reader import asked
from attribution.revenue import earned_sql
from attribution.revenue.sums import (
    BASES,
    EXPECTED,
    MARGIN,
    REVENUE,
    UNKNOWN,
    Earned,
    Floats,
)
from attribution.sensitivity.job import read_book
from collector.core.times import NS_PER_S
from collector.store.connect import Connections

_SQL = earned_sql.statement("group_values", __file__)
_KEY = ("action", "region", "name")
# Fewer decisions contradict nothing, and so does a smaller share of outcomes.
_JUDGED_MIN = 100
_CONTRADICTING = 0.05
# So many sales tell how long they take, and so many younger decisions lack many of theirs.
_TIMED_MIN = 10
_YOUNG_MAX = 0.1
_NAMED = 3
# Of a value that is 0 whatever amounts one counts.
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class GroupValue:
    """The decisions of one group that are of one action and region."""

    action: str
    region: str
    name: str
    decisions: int
    first_ns: int  # when they began
    last_ns: int
    known: int  # ... of which it is known what they earned
    earned_usd: float  # by these, an unknown amount being the mean of the known ones
    value_usd: float  # of one, failed ones among them; NaN is unknown
    basis: str
    error: float  # relative, of the value: few large sales say little
    due: int  # decisions whose outcome should have come
    told: int  # ... and has
    unsold: int  # ... and says that nothing was earned
    sold: int = 0  # decisions that sold something, be it taken back since
    answered: int = 0  # decisions that sold something, or did not for certain
    earning: int = 0  # decisions that earned something, or should have
    unknown: int = 0  # ... and it is not known how much, by margin or revenue as the basis is;
    # where decisions state what they are worth none is needed
    largest_usd: float = 0.0  # of the amounts that are known, whatever its sign
    delay_s: int = 0  # how long after their decisions the sales came, in all

    @property
    def amounts(self) -> int:
        """Return how many amounts what was earned is the sum of."""
        return self.known if self.basis == BASES[EXPECTED] else self.earning


def summed(values: Sequence[GroupValue]) -> GroupSum:
    """Return what these are worth together: each has a known value."""
    usd = [each.decisions * each.value_usd for each in values]
    return GroupSum(
        decisions=sum(each.decisions for each in values),
        known=sum(each.known for each in values),
        earned_usd=sum(each.earned_usd for each in values),
        usd=sum(usd),
        error_usd=math.hypot(*(x * y.error for x, y in zip(usd, values, strict=True))),
        amounts=sum(each.amounts for each in values),
        largest_usd=max((each.largest_usd for each in values), default=0.0),
    )


def read_group_values(
    store: Connections,
    config: AttributionConfig,
    selection: Selection,
    dimension: str,
    now_ns: int | None = None,
    at_once: int = AT_ONCE,
) -> list[GroupValue]:
    """Return the value of every group that has a decision, by action, region and name.

    A group is worth what its own decisions of the selection earned, and nothing else: never the
    mean of the others, nor what was before; where decisions state it, it is less what they lost.
    One of which it is known that nothing was earned is worth 0, once anybody of the selection has
    earned something: until then it is not known that outcomes come at all. By `now_ns` it is told
    whose outcomes are due, and who is too young for any: by default all should have come. About
    `at_once` decisions are summed at a time.
    """
    parts = parts_of(store, selection.from_ns, selection.to_ns, at_once)
    lost = read_book(store, config).parameters(selection.from_ns, selection.to_ns)
    asked_of = asked(selection) | config.references() | lost | {"by": dimension}
    asked_of["due_ns"] = selection.to_ns if now_ns is None else max(config.due_ns(now_ns), 0)
    margin = _earned(store, config, asked_of, "margin", parts)
    known_counts, converted = ints(margin["known"]), ints(margin["converted"])
    revenue = margin.slice(0, 0)
    # By revenue is valued what earned something and has few margins: most have them, and then what
    # all of the window earned is not worked out a second time.
    if np.any((known_counts > 0) & (2 * ints(margin["amounts"]) < converted)):
        revenue = _earned(store, config, asked_of, "revenue", parts)
    none = np.zeros_like(known_counts)
    window = Earned(
        decisions=ints(margin["decisions"]),
        known=known_counts,
        kept_ppb=none,
        converted=converted,
        margins=ints(margin["amounts"]),
        margin_micros=_floats(margin["amount_micros"]),
        revenues=ints(revenue["amounts"]) if len(revenue) else none,
        revenue_micros=_floats(revenue["amount_micros"]) if len(revenue) else none,
    )
    stated = ints(margin["stated"])
    basis, mean = window.a_decision()
    basis = np.where((basis == UNKNOWN) & (stated > 0), EXPECTED, basis)
    is_nothing = (basis == UNKNOWN) & (known_counts > 0) & (converted == 0)
    is_nothing &= _has_outcomes(margin, config, now_ns)
    expected = _floats(margin["stated_micros"]) / np.maximum(stated, 1)
    micros = np.select(
        [basis == EXPECTED, is_nothing, basis == UNKNOWN], [expected, 0.0, math.nan], mean
    )
    counted = np.where(basis == EXPECTED, stated, known_counts)
    most = np.maximum(window.margins, window.revenues)
    group_values = (
        *(margin[name].to_pylist() for name in (*_KEY, "decisions", "first_ns", "last_ns")),
        counted.tolist(),
        (micros * counted / MICROS_PER_USD).tolist(),
        (micros / MICROS_PER_USD).tolist(),
        np.where(is_nothing, NOTHING, np.array(BASES)[basis]).tolist(),
        _errors(basis, window, margin, revenue).tolist(),
        *(margin[name].to_pylist() for name in ("due", "told", "unsold", "sold")),
        known_counts.tolist(),
        converted.tolist(),
        (converted - np.where(basis == MARGIN, window.margins, most)).tolist(),
        _by_basis(basis, margin, revenue, "largest").tolist(),
        margin["delay_s"].to_pylist(),
    )
    return [GroupValue(*row) for row in zip(*group_values, strict=True)]


def sums_by_name(values: Sequence[GroupValue]) -> dict[str, GroupSum]:
    """Return what the groups of known value are worth."""
    valued: dict[str, list[GroupValue]] = {}
    for each in values:
        if not math.isnan(each.value_usd):
            valued.setdefault(each.name, []).append(each)
    return {name: summed(group_values) for name, group_values in valued.items()}


def _errors(basis: Ints, window: Earned, margin: Table, revenue: Table) -> Floats:
    """Return the relative error of what each cell earned.

    Of a compound Poisson sum: how many sell, and for how much, are both drawn.
    """
    by = [basis == MARGIN, basis == REVENUE, basis == EXPECTED]
    squared = _by_basis(basis, margin, revenue, "squared")
    sums = [window.margin_micros, window.revenue_micros, _floats(margin["stated_micros"])]
    errors: Floats = (
        np.sqrt(squared) * MICROS_PER_USD / np.maximum(np.abs(np.select(by, sums, 0.0)), 1)
    )
    return errors


def _by_basis(basis: Ints, margin: Table, revenue: Table, what: str) -> Floats:
    """Return a column of each cell's amounts, of those that its value is by."""
    amounts, stated = margin[f"amount_{what}"], margin[f"stated_{what}"]
    by_revenue = revenue[f"amount_{what}"] if len(revenue) else amounts
    by = [basis == MARGIN, basis == REVENUE, basis == EXPECTED]
    chosen: Floats = np.select(by, [amounts, by_revenue, stated], 0.0)
    return chosen


def _floats(column: Column) -> Floats:
    return np.asarray(column.to_numpy(), np.float64)


def _has_outcomes(cells: Table, config: AttributionConfig, now_ns: int | None) -> Bools:
    """Return of which cells silence says something: outcomes come, and could be here.

    Where another cell of its group has earned something they are, and else once a decision of it
    is older than outcomes take (`outcome_delay_s`).
    """
    names, has_earned = np.array(cells["name"].to_pylist(), np.str_), ints(cells["converted"]) > 0
    has_outcomes = np.isin(names, names[has_earned])
    if now_ns is None:
        return has_outcomes | np.any(has_earned)
    is_old = ints(cells["first_ns"]) < now_ns - config.outcome_delay_s * NS_PER_S
    return has_outcomes | (is_old & np.any(has_earned))


def spread_s(values: Sequence[GroupValue]) -> float:
    """Return over how many seconds the decisions of a window are spread.

    From the second of the first to that of the last: the time before a service's first decision,
    and after its last one, says nothing of the rate at which it decides.
    """
    if not values:
        return float(RATE_S_MIN)
    first_ns = min(each.first_ns for each in values)
    last_ns = max(each.last_ns for each in values)
    return float(max(last_ns // NS_PER_S - first_ns // NS_PER_S + 1, RATE_S_MIN))


def _earned(
    store: Connections,
    config: AttributionConfig,
    asked_of: Mapping[str, object],
    outcome: str,
    parts: Sequence[tuple[int, int]],
) -> Table:
    parameters = {**asked_of, **earned_sql.parameters(outcome, config)}
    tables = [
        store.client().query_arrow(_SQL, parameters={**parameters, "from_ns": begin, "to_ns": end})
        for begin, end in parts
    ]
    return tables[0] if len(tables) == 1 else _added(tables)


def _added(parts: Iterable[Table]) -> Table:
    """Return the groups of parts of a window as those of all of it."""
    whole = pa.concat_tables(parts)
    how = {"first_ns": "min"} | dict.fromkeys(
        ("last_ns", "amount_largest", "stated_largest"), "max"
    )
    sums = [(name, how.get(name, "sum")) for name in whole.column_names if name not in _KEY]
    added = whole.group_by(list(_KEY), use_threads=False).aggregate(sums)
    columns = [*_KEY, *(f"{name}_{by}" for name, by in sums)]
    named = added.select(columns).rename_columns([*_KEY, *(name for name, _ in sums)])
    return named.sort_by([(name, "ascending") for name in _KEY])


def missing_amounts(values: Sequence[GroupValue]) -> list[str]:
    """Return in words whether an amount is missing of more than a few of what earned something.

    Where decisions state what they are worth no amount stands for another.
    """
    with_outcomes = [each for each in values if each.basis != BASES[EXPECTED]]
    earning, unknown = (
        sum(getattr(each, name) for each in with_outcomes) for name in ("earning", "unknown")
    )
    if earned_sql.is_known(unknown, earning):
        return []
    return [
        f"the amount of {unknown:,} of {earning:,} decisions that earned something is not known "
        "(none was sent, or there is no rate of its currency): each counts as the mean of its "
        "group, and where these are more than half, the group is of unknown value; "
        "`millworth reconcile` has those without revenue by day"
    ]


def mixed_bases(values: Sequence[GroupValue]) -> list[str]:
    """Return in words which groups are valued by which figure, where it is not the same of all.

    A margin is a part of a revenue: groups that sell the same are ranked apart by what is sent.
    """
    names: dict[str, set[str]] = {}
    for each in values:
        if each.basis not in (BASES[UNKNOWN], NOTHING):
            names.setdefault(each.basis, set()).add(each.name or "(none)")
    if len(names) < 2:
        return []
    parts = []
    for basis, of_basis in sorted(names.items()):
        named = sorted(of_basis)[:_NAMED]
        more = len(of_basis) - len(named)
        parts.append(f"{basis}: {', '.join([*named, f'{more:,} more'] if more else named)}")
    return [
        f"groups are valued by different figures ({'; '.join(parts)}), so that their money does "
        "not compare, and a sum of it is of neither; send the margin of all sales, or of none"
    ]


def still_to_come(values: Sequence[GroupValue], now_ns: int | None) -> list[str]:
    """Return in words of which groups outcomes take longer than many decisions are old.

    Decisions are taken as even in time. Where too few of any group sold something it is told of
    all of them.
    """
    if now_ns is None:
        return []
    by_name: dict[str, list[GroupValue]] = {}
    for each in values:
        by_name.setdefault(each.name, []).append(each)
    late = {
        name: values_of_name
        for name, values_of_name in by_name.items()
        if _are_young(values_of_name, now_ns)
    }
    if not late and not _are_young(values, now_ns):
        return []
    named = [
        f"{name or '(none)'} ({_delay_s(values_of_name) / 60:,.0f} min)"
        for name, values_of_name in sorted(
            late.items(), key=lambda item: (-_delay_s(item[1]), item[0])
        )
    ]
    more = [f"{len(named) - _NAMED:,} more groups"] if len(named) > _NAMED else []
    names = ", ".join([*named[:_NAMED], *more]) or f"all groups ({_delay_s(values) / 60:,.0f} min)"
    return [
        f"more than a tenth of the decisions are younger than sales take on average, of {names}: "
        "what they earn is told as far as their outcomes are here, and too low; ask again later, "
        "or of a window that ends before"
    ]


def _delay_s(values: Sequence[GroupValue]) -> float:
    """Return how long after their decisions sales came on average, s."""
    return sum(each.delay_s for each in values) / max(sum(each.sold for each in values), 1)


def _are_young(values: Sequence[GroupValue], now_ns: int) -> bool:
    if sum(each.sold for each in values) < _TIMED_MIN:
        return False
    first_ns = min(each.first_ns for each in values)
    last_ns = max(each.last_ns for each in values)
    young_ns = _delay_s(values) * NS_PER_S - (now_ns - last_ns)
    return young_ns > _YOUNG_MAX * max(last_ns - first_ns, NS_PER_S)


def contradictions(values: Sequence[GroupValue], config: AttributionConfig) -> list[str]:
    """Return in words where the outcomes that came are not complete in what they should be.

    Where the mode differs by channel nothing is said: groups may mix them.
    """
    due, with_outcomes, unsold = (
        sum(getattr(each, name) for each in values) for name in ("due", "told", "unsold")
    )
    outcomes = config.outcomes
    if config.other_channels or due < _JUDGED_MIN:
        return []
    if not outcomes.all_sent and unsold > _CONTRADICTING * with_outcomes:
        return [
            f"outcomes.complete is sales, and {unsold:,} of {with_outcomes:,} outcomes say that "
            "nothing was sold: if every decision gets one, say all; else values are too low by "
            "those that are still to come"
        ]
    if outcomes.all_sent and with_outcomes < (1 - _CONTRADICTING) * due:
        return [
            f"outcomes.complete is all, and {due - with_outcomes:,} of {due:,} decisions have "
            "no outcome yet: where those sold nothing, say sales; values are too high by as much"
        ]
    if outcomes.all_sent and not unsold:
        return [
            f"outcomes.complete is all, and every one of {with_outcomes:,} outcomes is a sale: if "
            "only sales are sent, say sales; values are too high by those that did not sell"
        ]
    return []

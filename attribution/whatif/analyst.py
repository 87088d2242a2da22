"""I/O: answers what-if and comparisons from what is stored; writes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from attribution.books.group_values import (
    NOTHING,
    GroupValue,
    read_group_values,
    spread_s,
    still_to_come,
)
from attribution.compact.rows import packed_of, trees_from_rows
from attribution.compact.trees import no_trees
from attribution.core.config import AttributionConfig, LatencyBudget
from attribution.core.money import MICROS_PER_USD
from attribution.core.selection import CALIBRATION_ACTION, Narrowed, Selection
from attribution.core.slo import promises, worst
from attribution.path.columns import Table, ints, ranked_codes
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.path.spans import Ints
from attribution.path.split import Attributed
from attribution.read.reader import Reader
from attribution.revenue.loss import Slope
from attribution.revenue.sums import BASES, UNKNOWN, Floats
from attribution.sensitivity.job import read_book
from attribution.sensitivity.versions import unmeasured
from attribution.whatif.answers import (
    BudgetStanding,
    CompareAnswer,
    WhatIfAnswer,
    compare_answer,
    what_if_answer,
)
from attribution.whatif.carriers import Dimension, carriers
from attribution.whatif.compare import Population, compare
from attribution.whatif.compared import compared_count, compared_rows, side_parts
from attribution.whatif.losses import Side, compared
from attribution.whatif.recovery import REFERENCE_REGION
from attribution.whatif.replay import Change
from attribution.whatif.what_if import Worth, what_if
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections

# Sixteen parts of a change are shared out in a second or two over so many decisions of ten spans.
REPLAYED_MAX = 5_000
COMPARED_MAX = 200_000
# By which two populations are told apart; each is a filter of the same name.
DIMENSIONS = ("action", "region", "channel", "cohort", "service")


class Analyst:
    """Asks the store, and the pure cores, on behalf of a person."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store, AttributesConfig())

    def what_if(
        self,
        selection: Selection,
        changes: Sequence[Change],
        by: str,
        now_ns: int | None = None,
        *,
        signed: bool = False,
        slope: Slope | None = None,
    ) -> WhatIfAnswer:
        """Return what these decisions would have taken, and been worth, under some changes.

        Args:
            selection: the decisions.
            changes: made together.
            by: how their shares are told apart.
            now_ns: the instant of the question; without it nothing is said of sales to come.
            signed: with a low end that is below 0 where the slope's is.
            slope: by default the one in force at the end of the selection.
        """
        count = self._reader.selected_extent(selection).decisions
        every = max(1, math.ceil(count / REPLAYED_MAX))
        rows = self._reader.selected_trees(selection, every)
        pairs = _pairs(rows)
        groups = read_group_values(self._store, self._config, selection, "action")
        earned, bases = _earned(groups, pairs)
        worth = Worth(earned, _codes(pairs), ints(rows["is_error"]) != 0)
        trees = trees_from_rows(rows) if len(rows) else no_trees()
        book = read_book(self._store, self._config)
        model = book.in_force(selection.to_ns)
        basis = book.basis(selection.to_ns, self._config.slope.basis)
        version = None if model is None else model.version
        refusal = book.refusal(selection.to_ns)
        if slope is not None:
            basis, version, refusal = "the slope of one experiment", None, ""
        elif signed:
            slope = book.signed(selection.to_ns)
        else:
            slope = book.slope(selection.to_ns)
        result = what_if(trees, changes, worth, slope, by)
        answer = what_if_answer(
            count, result, spread_s(groups), changes, bases, (basis, version), refusal
        )
        warnings = still_to_come(groups, now_ns)
        if version is not None and model is not None and answer.before and answer.after:
            means = answer.before.mean_ms, answer.after.mean_ms
            warnings += [each for each in [unmeasured(model.measured_ms, *means)] if each]
        return replace(answer, warnings=tuple(warnings))

    def compare(self, before: Narrowed, after: Narrowed, *, rest: bool = False) -> CompareAnswer:
        """Return where two populations differ, and what that costs.

        Args:
            before: what is compared with.
            after: what is explained.
            rest: `before` is without what lies in the time and the latency of `after`.
        """
        sides = [
            (side_parts(self._store, before), after if rest else None),
            (side_parts(self._store, after), None),
        ]
        every = [
            max(1, math.ceil(compared_count(self._store, *side) / COMPARED_MAX)) for side in sides
        ]
        book = read_book(self._store, self._config)
        tables = [
            compared_rows(
                self._store, *side, each,
                book.parameters(selection.from_ns, selection.to_ns) | self._config.references(),
            )
            for side, each, selection in zip(sides, every, (before.of, after.of), strict=True)
        ]  # fmt: skip
        dimensions = _dimensions(*tables)
        names, groups = _classes(dimensions)
        first, second = (
            Population(
                np.stack([ints(table[name]) for name in SEGMENT_COLUMNS], axis=1),
                group,
                ints(table["is_error"]) != 0,
            )
            for table, group in zip(tables, groups, strict=True)
        )
        # Where the sensitivity is unknown, nobody knows what a nanosecond more costs.
        unknown = bool(book.refusal(after.of.to_ns))
        beta = math.nan if unknown else book.slope(after.of.to_ns).median
        price = _values(tables[1], second.group, len(names)) * beta
        comparison = compare(first, second, price.tolist())
        both_sides = _sides(tables, groups)
        return compare_answer(
            (comparison, carriers(*both_sides, dimensions)),
            both_sides,
            spread_s(read_group_values(self._store, self._config, after.of, "action")),
            (every[0], every[1]),
            book.basis(after.of.to_ns, self._config.slope.basis),
            is_assumed=book.in_force(after.of.to_ns) is None and not unknown,
        )

    def budgets(self, now_ns: int) -> list[BudgetStanding]:
        """Return how every latency budget stands."""
        return [self._standing(budget, now_ns) for budget in self._config.budgets]

    def _standing(self, budget: LatencyBudget, now_ns: int) -> BudgetStanding:
        window_s = self._config.budget_window_s
        measured = self._reader.measured(budget, now_ns - window_s * NS_PER_S, now_ns)
        promised = promises(budget.p50_ms, budget.p95_ms, measured)
        of_reference = budget.model_copy(
            update={"action": CALIBRATION_ACTION, "region": REFERENCE_REGION, "channel": ""}
        )
        reference = self._reader.measured(of_reference, now_ns - NS_PER_DAY, now_ns)
        has_decisions = reference.decisions > 0
        return BudgetStanding(
            name=budget.name,
            action=budget.action,
            region=budget.region,
            channel=budget.channel,
            segment=budget.segment,
            window_s=window_s,
            decisions=measured.decisions,
            verdict=worst(promised),
            promises=promised,
            reference_p50_ms=reference.p50_ns / NS_PER_MS if has_decisions else None,
            reference_p95_ms=reference.p95_ns / NS_PER_MS if has_decisions else None,
        )


def replay_alone(attributed: Attributed | None, changes: Sequence[Change], by: str) -> WhatIfAnswer:
    """Replay decisions that are in no store, such as those of a file: without dollars."""
    trees, count = no_trees(), 0
    if attributed is not None:
        count = len(attributed.roots)
        trees = packed_of(attributed).trees
    none = Worth(np.full(count, math.nan), np.zeros(count, np.int64), np.zeros(count, np.bool_))
    done_again = what_if(trees, changes, none, Slope(0.0, 0.0, 0.0), by)
    return what_if_answer(count, done_again, spread_s([]), changes, [], ("", None))


def _earned(
    groups: Sequence[GroupValue], pairs: Sequence[tuple[str, str]]
) -> tuple[Floats, list[str]]:
    """Return what a decision of its class earned in the very selection that was read.

    NaN where it is unknown. What they earn together is what was earned, to the cent. With it come
    the bases.
    """
    mean = {(each.action, each.region): each.value_usd * MICROS_PER_USD for each in groups}
    values = [mean.get(pair, math.nan) for pair in pairs]
    bases = sorted({each.basis for each in groups} - {BASES[UNKNOWN], NOTHING})
    return np.array(values, np.float64), bases


def _pairs(table: Table) -> list[tuple[str, str]]:
    return list(zip(table["action"].to_pylist(), table["region"].to_pylist(), strict=True))


def _values(table: Table, group: Ints, groups: int) -> Floats:
    """Return what a decision of each group is worth on average, USD; NaN where nobody knows.

    As its losses are told: what those of a group earned so far would be next to nothing while most
    of its outcomes are on their way.
    """
    weights = ints(table["is_valued"]).astype(np.float64)
    worth = weights * table["value"].to_numpy()
    total, count = (np.bincount(group, weights=of, minlength=groups) for of in (worth, weights))
    mean: Floats = np.full(groups, math.nan)
    np.divide(total, count, out=mean, where=count > 0)
    np.maximum(mean, 0.0, out=mean)
    return mean


def _sides(tables: Sequence[Table], groups: Sequence[Ints]) -> tuple[Side, Side]:
    """Return both populations; `groups`: of which action and region each decision is."""
    lost = [table["loss"].to_numpy().astype(np.float64) for table in tables]
    valued = [ints(table["is_valued"]) != 0 for table in tables]
    first, second = (
        Side(ints(table["total_ns"]), ints(table["is_error"]) != 0, usd, is_compared)
        for table, usd, is_compared in zip(
            tables, lost, compared(lost, valued, groups), strict=True
        )
    )
    return first, second


def _dimensions(before: Table, after: Table) -> list[Dimension]:
    """Return by what the decisions of both sides are told apart, in the order of DIMENSIONS."""
    names = list(DIMENSIONS)
    together = pa.concat_tables([before.select(names), after.select(names)])
    dimensions = []
    for name in names:
        codes, values = ranked_codes(together[name])
        dimensions.append(Dimension(name, values, codes[: len(before)], codes[len(before) :]))
    return dimensions


def _classes(dimensions: Sequence[Dimension]) -> tuple[list[tuple[str, str]], list[Ints]]:
    """Return each pair of action and region, and by side of which pair each decision is."""
    action, region = dimensions[:2]
    names = [(one, other) for one in action.values for other in region.values]
    width = len(region.values)
    return names, [
        action.before * width + region.before,
        action.after * width + region.after,
    ]


def _codes(pairs: list[tuple[str, str]]) -> Ints:
    """Return a code for each pair, the same for the same one."""
    codes = {pair: index for index, pair in enumerate(dict.fromkeys(pairs))}
    return np.array([codes[pair] for pair in pairs], np.int64)

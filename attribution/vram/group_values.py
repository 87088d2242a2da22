"""I/O: what a decision of each channel, cohort, region, offer type or action is worth by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.path.columns import ints
from attribution.read.reader import asked
from attribution.revenue import earned
from attribution.revenue.loss import (
    BASES,
    EXPECTED,
    MARGIN,
    MICROS,
    REVENUE,
    UNKNOWN,
    Earned,
    class_values,
)
from collector.core.clock import NS_PER_S
from collector.store.connect import Connections

_SQL = earned.statement("group_values", __file__)


@dataclass(frozen=True, slots=True)
class GroupValue:
    """The decisions of one group that are of one action and region."""

    action: str
    region: str
    name: str
    selected: int  # decisions that a question is about
    value_usd: float  # of one, at the reference latency; NaN is unknown
    basis: str
    error: float  # relative, of the value times their number: few large sales say little


def read_group_values(
    store: Connections, config: AttributionConfig, selection: Selection, dimension: str
) -> list[GroupValue]:
    """Return the value of every group that has a decision, by action, region and name.

    A group is worth what its own decisions earned in the value window that ends with the
    selection, or in the whole selection where that is longer: never the mean of the others.
    """
    value_from_ns = min(selection.from_ns, selection.to_ns - config.value_window_s * NS_PER_S)
    value_from_ns = max(value_from_ns, 0)
    margin, revenue = (
        store.client().query_arrow(
            _SQL,
            parameters={
                **asked(selection),
                **earned.parameters(value_from_ns, outcome, config.currency, config.rate_days_max),
                "value_from_ns": value_from_ns,
                "by": dimension,
            },
        )
        for outcome in ("margin", "revenue")
    )
    window = Earned(
        decisions=ints(margin["decisions"]),
        matched=ints(margin["matched"]),
        converted=ints(margin["converted"]),
        margins=ints(margin["amounts"]),
        margin_micros=ints(margin["amount_micros"]),
        revenues=ints(revenue["amounts"]),
        revenue_micros=ints(revenue["amount_micros"]),
    )
    stated = ints(margin["stated"])
    basis, mean = class_values(window, stated)
    expected = ints(margin["stated_micros"]) / np.maximum(stated, 1)
    micros = np.select([basis == EXPECTED, basis == UNKNOWN], [expected, math.nan], mean)
    squared, earned_micros = (
        np.select([basis == MARGIN, basis == REVENUE, basis == EXPECTED], columns, 0.0)
        for columns in (
            [margin["amount_squared"], revenue["amount_squared"], margin["stated_squared"]],
            [window.margin_micros, window.revenue_micros, ints(margin["stated_micros"])],
        )
    )
    # Of a compound Poisson sum: how many sell, and for how much, are both drawn; and of a rate that
    # rests on fewer decisions than the value does.
    of_sum = squared * (MICROS / np.maximum(np.abs(earned_micros), 1)) ** 2
    of_rate = 1 / np.maximum(ints(margin["selected"]), 1) - 1 / window.decisions
    error = np.sqrt(of_sum + np.maximum(of_rate, 0.0))
    columns = [margin[name].to_pylist() for name in ("action", "region", "name", "selected")]
    return [
        GroupValue(action, region, name, selected, value / MICROS, BASES[code], own_error)
        for action, region, name, selected, value, code, own_error in zip(
            *columns, micros.tolist(), basis.tolist(), error.tolist(), strict=True
        )
    ]

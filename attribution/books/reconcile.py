"""I/O: matched, unmatched and ambiguous revenue by day, against what the books say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from attribution.core.config import AttributionConfig
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY
from collector.store.connect import Connections

Number = TypeVar("Number", int, Decimal)


@dataclass(frozen=True, slots=True)
class ReconciledDay:
    """One day, UTC; amounts in `attribution.currency`, refunds taken off."""

    day_ns: int
    matched: Decimal  # of outcomes that name one decision
    unmatched: Decimal  # ... none
    ambiguous: Decimal  # ... several
    matched_outcomes: int
    unmatched_outcomes: int
    ambiguous_outcomes: int
    unknown_outcomes: int  # of no known amount, or in a currency without a rate: in no sum
    ledger: Decimal | None  # None where no ledger has the day, or one of its amounts has no rate
    unconverted: int  # amounts of the ledger in a currency without a rate
    difference: Decimal | None  # ledger less all three; shown, and never spread
    nodes: Mapping[str, Decimal]  # of the matched, by revenue node
    node_outcomes: Mapping[str, int]
    in_no_node: Decimal  # the rest of the matched


def reconcile(
    config: AttributionConfig, store: Connections, from_ns: int, to_ns: int
) -> list[ReconciledDay]:
    """Return every day that has an outcome or a ledger's total, by day.

    Args:
        config: the currency, and how old a rate may be.
        store: read from.
        from_ns: start of the first day.
        to_ns: behind the last.
    """
    begin_ns = from_ns // NS_PER_DAY * NS_PER_DAY
    end_ns = -(-to_ns // NS_PER_DAY) * NS_PER_DAY
    rows = Reader(store, AttributesConfig()).reconciled(begin_ns, end_ns, config)
    days = []
    for row in rows:
        revenue, counts = (
            _by_name(config, row.pop(name)) for name in ("node_revenue", "node_outcomes")
        )
        counted = row["matched"] + row["unmatched"] + row["ambiguous"]
        ledger: Decimal | None = row["ledger"]
        difference = None if ledger is None else ledger - counted
        unnamed = revenue.pop("", Decimal(0))
        counts.pop("", None)
        days.append(
            ReconciledDay(
                **row,
                difference=difference,
                nodes=revenue,
                node_outcomes=counts,
                in_no_node=unnamed,
            )
        )
    return days


def _by_name(config: AttributionConfig, by_rule: Mapping[int, Number]) -> dict[str, Number]:
    """Return sums by the name of the node: several rules may share one. "" is none."""
    sums: dict[str, Number] = {}
    for rule, amount in by_rule.items():
        name = config.nodes[rule - 1].name if rule else ""
        sums[name] = sums[name] + amount if name in sums else amount
    return sums

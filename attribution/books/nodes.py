"""I/O: revenue nodes: which flows the revenue of the books came from, and what no node has.

Nodes and what is unmapped are the ledger to the cent. What is unmapped is told by why: matched with
a decision of no node, with none, with several, or in the books alone. Its share is that of amounts
without their signs, decision by decision, so that a refund too many and a sale too many do not hide
each other; of what is in the books alone it is the whole, since a sale may be booked a day later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from attribution.books.reconcile import ReconciledDay, reconcile
from attribution.core.config import NODE_DIMENSIONS, AttributionConfig
from attribution.core.selection import CALIBRATION_ACTION
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, utc_day
from collector.store.connect import Connections

_FLOWS_MAX = 20
_LEDGER, _OUTCOMES = "ledger", "outcomes"
_BOTH = "ledger, and outcomes of days without"


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One revenue node."""

    name: str
    revenue: Decimal  # of outcomes that happened in the window, refunds taken off
    outcomes: int
    decisions: int  # that began in the window
    share: float | None  # of the total


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What no node has, by why."""

    in_no_node: Decimal  # matched with a decision that no rule matches
    unmatched: Decimal
    ambiguous: Decimal
    not_in_outcomes: Decimal | None  # ledger less all outcomes; None without a ledger of any day
    revenue: Decimal  # all four
    share: float | None  # of all amounts, without their signs; None where there are none
    decisions: int  # of no node, in the window


@dataclass(frozen=True, slots=True)
class Flow:
    """Decisions of one flow that is in no node."""

    values: Mapping[str, str]  # action, channel, ...: those that are not empty
    decisions: int


@dataclass(frozen=True, slots=True)
class Nodes:
    """The revenue of whole days, UTC; nodes and unmapped sum to the total, to the cent."""

    currency: str
    from_ns: int
    to_ns: int
    nodes: Sequence[NodeLine]
    unmapped: Unmapped
    total: Decimal
    total_is: str  # ledger, outcomes, or of some days the one and of some the other
    days_without_ledger: Sequence[str]  # of those that have outcomes
    unknown_outcomes: int  # of no known amount: in no sum
    unmapped_flows: Sequence[Flow]  # those of the most decisions


def nodes(config: AttributionConfig, store: Connections, from_ns: int, to_ns: int) -> Nodes:
    """Return the revenue of the days that a time touches, by node.

    Args:
        config: the nodes, the currency, and how old a rate may be.
        store: read from.
        from_ns: in the first day.
        to_ns: behind the last.
    """
    begin_ns = from_ns // NS_PER_DAY * NS_PER_DAY
    end_ns = -(-to_ns // NS_PER_DAY) * NS_PER_DAY
    days = reconcile(config, store, from_ns, to_ns)
    size = Reader(store, AttributesConfig()).unmapped_size(begin_ns, end_ns, config)
    return summed(config, days, size, (begin_ns, end_ns), *_flows(config, store, begin_ns, end_ns))


def summed(
    config: AttributionConfig,
    days: Sequence[ReconciledDay],
    size: Decimal,
    window_ns: tuple[int, int],
    decisions: Mapping[str, int],
    flows: Sequence[Flow],
) -> Nodes:
    """Sum days by node.

    Args:
        config: the nodes, in the order in which they are shown, and the currency.
        days: that have an outcome or a ledger.
        size: of their outcomes that are in no node, without signs.
        window_ns: of whole days.
        decisions: of each node, "" for none.
        flows: the largest of no node.
    """
    without = [utc_day(each.day_ns) for each in days if each.ledger is None]
    parts = {
        name: _sum(getattr(each, name) for each in days)
        for name in ("in_no_node", "unmatched", "ambiguous")
    }
    differences = [each.difference for each in days if each.difference is not None]
    missing = _sum(differences) if differences else None
    unmapped = [*parts.values(), *([] if missing is None else [missing])]
    names = list(dict.fromkeys(each.name for each in config.nodes))
    revenue = {name: _sum(each.nodes.get(name, Decimal(0)) for each in days) for name in names}
    total = _sum([*unmapped, *revenue.values()])
    # Day by day: what one lacks in the ledger, and another has too much of, is twice unmapped.
    size += _sum(abs(each) for each in differences)
    return Nodes(
        currency=config.currency,
        from_ns=window_ns[0],
        to_ns=window_ns[1],
        nodes=[
            NodeLine(
                name,
                revenue[name],
                sum(each.node_outcomes.get(name, 0) for each in days),
                decisions.get(name, 0),
                _share(revenue[name], total),
            )
            for name in names
        ],
        unmapped=Unmapped(
            **parts,
            not_in_outcomes=missing,
            revenue=_sum(unmapped),
            share=_share(size, size + _sum(abs(each) for each in revenue.values())),
            decisions=decisions.get("", 0),
        ),
        total=total,
        total_is=_OUTCOMES if missing is None else _BOTH if without else _LEDGER,
        days_without_ledger=without,
        unknown_outcomes=sum(each.unknown_outcomes for each in days),
        unmapped_flows=flows,
    )


def _flows(
    config: AttributionConfig, store: Connections, from_ns: int, to_ns: int
) -> tuple[dict[str, int], list[Flow]]:
    """Return the decisions of each node, "" for none, and the largest flows of none."""
    parameters = {
        "from_ns": from_ns,
        "to_ns": to_ns,
        "left_out": CALIBRATION_ACTION,
        **config.node_rules(),
    }
    rows = store.client().query(sql("node_flows", __file__), parameters=parameters).result_rows
    decisions: dict[str, int] = {}
    flows = []
    for rule, *values, count in rows:
        name = config.nodes[rule - 1].name if rule else ""
        decisions[name] = decisions.get(name, 0) + count
        if not rule:
            given = {
                key: value for key, value in zip(NODE_DIMENSIONS, values, strict=True) if value
            }
            flows.append(Flow(given, count))
    return decisions, flows[:_FLOWS_MAX]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _share(amount: Decimal, total: Decimal) -> float | None:
    return float(amount / abs(total)) if total else None

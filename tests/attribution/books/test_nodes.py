from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attribution.books.nodes import Flow, Nodes, nodes, summed
from attribution.books.reconcile import ReconciledDay
from attribution.core.config import AttributionConfig, RevenueNode
from collector.core.times import NS_PER_DAY
from collector.imports.rates import LEDGER, RATES, import_dated
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)
from tests.support.examples import examples

DAY_NS = BASE_NS // NS_PER_DAY * NS_PER_DAY  # 2033-05-18
CONFIG = AttributionConfig(
    nodes=(
        RevenueNode(name="shop", action="offer", channel="web"),
        RevenueNode(name="prices", action="price"),
        RevenueNode(name="shop", action="offer", channel="app"),
        RevenueNode(name="never", action="offer", channel="web", route="r9"),
    )
)


def parts(found: Nodes) -> dict[str, str]:
    """Return every amount by its name."""
    unmapped = found.unmapped
    return {
        **{each.name: f"{each.revenue:.2f}" for each in found.nodes},
        **{
            name: "unknown" if amount is None else f"{amount:.2f}"
            for name in ("in_no_node", "unmatched", "ambiguous", "not_in_outcomes")
            for amount in [getattr(unmapped, name)]
        },
        "total": f"{found.total:.2f}",
    }


def ledger(store: Connections, text: str) -> None:
    """Import what the books say."""
    content = f"day,currency,amount\n{text}".encode()
    assert import_dated(store.client(), LEDGER, "l.csv", content, BASE_NS, "shop").refused == ()


def test_nodes_and_unmapped_are_the_ledger_by_hand(store: Connections) -> None:
    """A refund of a node's sale, euros at 1.25, a kiosk of no node, an order of two decisions."""
    put_spans(
        store,
        decision("w", 0, 50, decision__channel="web")
        + decision("a", 10, 50, decision__channel="app")
        + decision("p", 20, 50, decision__action="price", decision__channel="kiosk")
        + decision("k", 30, 50, decision__channel="kiosk", decision__route="r1")
        + decision("x", 40, 50, outcome__key="two", decision__channel="web")
        + decision("y", 50, 50, outcome__key="two", decision__channel="web"),
    )
    import_dated(
        store.client(), RATES, "r.csv", b"day,currency,rate\n2033-05-18,EUR,1.25\n", BASE_NS
    )
    put_outcomes(
        store,
        [
            outcome("w1", decision_id=trace_id("w"), revenue="100.10"),
            outcome("w2", decision_id=trace_id("w"), kind="refund", revenue="20.05", event_s=9),
            outcome("a1", decision_id=trace_id("a"), revenue="8", currency="EUR"),
            outcome("p1", decision_id=trace_id("p"), revenue="7.77"),
            outcome("k1", decision_id=trace_id("k"), revenue="5"),
            outcome("n1", decision_id="nobody", revenue="3.01"),
            outcome("t1", key="two", revenue="2"),
            outcome("g1", decision_id=trace_id("w"), revenue="9", currency="GBP"),
        ],
    )
    ledger(store, "2033-05-18,USD,120.00\n")
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + NS_PER_DAY)
    assert parts(found) == {
        "shop": "90.05", "prices": "7.77", "never": "0.00", "in_no_node": "5.00",
        "unmatched": "3.01", "ambiguous": "2.00", "not_in_outcomes": "12.17", "total": "120.00",
    }  # fmt: skip
    assert (found.total_is, found.unknown_outcomes) == ("ledger", 1)
    assert found.unmapped.share == pytest.approx(22.18 / 120)
    assert [(each.name, each.outcomes, each.decisions) for each in found.nodes] == [
        ("shop", 4, 4), ("prices", 1, 1), ("never", 0, 0),
    ]  # fmt: skip
    assert found.unmapped.decisions == 1
    assert found.unmapped_flows == [
        Flow({"action": "offer", "channel": "kiosk", "region": "eu", "route": "r1"}, 1)
    ]


def test_day_without_a_ledger_counts_by_its_outcomes_and_says_so(store: Connections) -> None:
    """What the books say of the other day is held against nothing but that day."""
    put_spans(store, decision("w", 0, 50, decision__channel="web"))
    put_outcomes(
        store,
        [
            outcome("w1", decision_id=trace_id("w"), revenue="10"),
            outcome("w2", decision_id=trace_id("w"), revenue="4", event_s=86_400),
        ],
    )
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + 2 * NS_PER_DAY)
    assert (found.total_is, str(found.total), found.unmapped.not_in_outcomes) == (
        "outcomes", "14.000000", None,
    )  # fmt: skip
    ledger(store, "2033-05-18,USD,11\n")
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + 2 * NS_PER_DAY)
    assert (found.total_is, found.days_without_ledger) == (
        "ledger, and outcomes of days without", ["2033-05-19"],
    )  # fmt: skip
    assert (parts(found)["total"], parts(found)["not_in_outcomes"]) == ("15.00", "1.00")


def test_what_cancels_is_not_hidden(store: Connections) -> None:
    """100 that nobody decided and 100 too many in the outcomes: the net is nothing.

    Nor is what one day lacks in the ledger by what another has too much of.
    """
    put_spans(store, decision("w", 0, 50, decision__channel="web"))
    sold = outcome("w1", decision_id=trace_id("w"), revenue="100")
    put_outcomes(store, [sold])
    ledger(store, "2033-05-18,USD,50\n2033-05-19,USD,50\n")
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + 2 * NS_PER_DAY)
    assert (str(found.unmapped.not_in_outcomes), found.unmapped.share) == ("0.000000", 0.5)
    put_outcomes(store, [outcome("n", decision_id="nobody", revenue="100")])
    ledger(store, "2033-05-18,USD,0\n2033-05-19,USD,50\n")
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + 2 * NS_PER_DAY)
    assert f"{found.unmapped.revenue:.2f}" == "-50.00"
    assert found.unmapped.share == pytest.approx((100 + 200 + 50) / 450)


def test_a_refund_too_many_hides_no_sale_too_many(store: Connections) -> None:
    """50 sold by nobody and 50 given back by another: as much is unmapped as the shop earned.

    What one decision sold and took back, by its id and by its key and on another day, is nothing
    that anybody misses; of what has no name each is by itself.
    """
    put_spans(
        store,
        decision("w", 0, 50, decision__channel="web")
        + decision("k", 10, 50, decision__channel="kiosk", outcome__key="order"),
    )
    put_outcomes(
        store,
        [
            outcome("w1", decision_id=trace_id("w"), revenue="100"),
            outcome("u1", decision_id="nobody", revenue="50"),
            outcome("u2", decision_id="other", revenue="50", event_s=-86_400),
            outcome("u3", decision_id="other", kind="refund", revenue="50"),
        ],
    )
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + NS_PER_DAY)
    assert (parts(found)["unmatched"], found.unmapped.share) == ("0.00", 0.5)
    # Over both days the refund has its sale.
    found = nodes(CONFIG, store, DAY_NS - NS_PER_DAY, DAY_NS + NS_PER_DAY)
    assert found.unmapped.share == pytest.approx(50 / 150)
    put_outcomes(
        store,
        [
            outcome("k1", decision_id=trace_id("k"), revenue="7"),
            outcome("k2", key="order", kind="refund", revenue="4", event_s=86_400),
            outcome("n1", revenue="5"),
            outcome("n2", kind="correction", revenue="-5"),
        ],
    )
    found = nodes(CONFIG, store, DAY_NS, DAY_NS + 2 * NS_PER_DAY)
    assert (parts(found)["in_no_node"], parts(found)["total"]) == ("3.00", "103.00")
    assert found.unmapped.share == pytest.approx((50 + 50 + 3 + 5 + 5) / (113 + 100))


def test_empty_store_and_no_node(store: Connections) -> None:
    """Nothing is nothing, and its share is unknown."""
    found = nodes(AttributionConfig(), store, DAY_NS, DAY_NS + NS_PER_DAY)
    assert (found.nodes, found.total, found.unmapped.share, found.total_is) == (
        [], Decimal(0), None, "outcomes",
    )  # fmt: skip


def test_node_of_no_flow_is_refused() -> None:
    """It would take everything that the others leave, and nothing were ever unmapped."""
    with pytest.raises(ValidationError, match="node 'rest' names no flow; give one of action"):
        RevenueNode(name="rest")


amounts = st.decimals(-(10**9), 10**9, places=6)


@st.composite
def some_days(draw: st.DrawFn) -> list[ReconciledDay]:
    """Draw days whose matched revenue is that of nodes and of none."""
    reconciled_days = []
    for index in range(draw(st.integers(0, 5))):
        own = draw(st.dictionaries(st.sampled_from(["shop", "prices"]), amounts))
        rest, unmatched, ambiguous = (draw(amounts) for _ in range(3))
        books = draw(st.none() | amounts)
        matched = sum(own.values(), rest)
        known = matched + unmatched + ambiguous
        reconciled_days.append(
            ReconciledDay(
                index * NS_PER_DAY, matched, unmatched, ambiguous, 0, 0, 0, 0, books, 0,
                None if books is None else books - known, own, {}, rest,
            )
        )  # fmt: skip
    return reconciled_days


@settings(max_examples=examples(200))
@given(some_days())
def test_nodes_and_unmapped_sum_to_the_ledger(days: Sequence[ReconciledDay]) -> None:
    """To the last digit: the ledger of the days that have one, and the outcomes of the others."""
    found = summed(CONFIG, days, Decimal(0), (0, 1), {}, [])
    whole = sum(
        (
            each.matched + each.unmatched + each.ambiguous if each.ledger is None else each.ledger
            for each in days
        ),
        Decimal(0),
    )
    mapped = sum((each.revenue for each in found.nodes), Decimal(0))
    assert mapped + found.unmapped.revenue == found.total == whole
    if days and all(each.ledger is not None for each in days):
        assert found.total_is == "ledger"


@pytest.mark.parametrize("seed", [1, 2])
def test_world_of_any_rules_sums_to_its_ledger(store: Connections, seed: int) -> None:
    """Through the store, in two currencies, with refunds, duplicates, keys of several and rates."""
    rng = random.Random(seed)
    channels, actions = ["web", "app", "", "日本"], ["offer", "price", "stock"]
    spans: list[Any] = []
    for index in range(60):
        key = rng.choice(["", f"k{rng.randrange(20)}"])
        more: dict[str, Any] = {"outcome__key": key} if key else {}
        spans += decision(f"d{index}", 10 * index, 5, decision__channel=rng.choice(channels),
                          decision__action=rng.choice(actions), **more)  # fmt: skip
    put_spans(store, spans + spans[:30])
    told = []
    for index in range(200):
        is_by_id = rng.random() < 0.5
        told.append(
            outcome(
                f"o{index % 180}",
                kind=rng.choice(["sale", "sale", "refund", "correction"]),
                revenue=rng.choice([None, f"{rng.randrange(10**8) / 10**6:.6f}"]),
                currency=rng.choice(["USD", "EUR"]),
                event_s=rng.randrange(2, 2 * 86_400),
                decision_id=trace_id(f"d{rng.randrange(70)}") if is_by_id else "",
                key="" if is_by_id else f"k{rng.randrange(25)}",
            )
        )
    put_outcomes(store, told)
    rates = b"day,currency,rate\n2033-05-18,EUR,1.083745\n"
    import_dated(store.client(), RATES, "r.csv", rates, BASE_NS)
    ledger(store, "".join(f"2033-05-{day},USD,{rng.randrange(10**9) / 100:.2f}\n"
                          for day in (18, 19, 20)))  # fmt: skip
    rules = AttributionConfig(
        nodes=tuple(
            RevenueNode(name=rng.choice("abc"), action=rng.choice(["", *actions[:2]]),
                        channel=rng.choice(channels[:2]))
            for _ in range(4)
        )
    )  # fmt: skip
    found = nodes(rules, store, DAY_NS, DAY_NS + 3 * NS_PER_DAY)
    books = sum(
        row[0] for row in store.client().query("SELECT amount FROM ledger_days FINAL").result_rows
    )
    assert found.total_is == "ledger"
    mapped = sum(each.revenue for each in found.nodes)
    assert mapped + found.unmapped.revenue == found.total == books
    counted = sum(each.decisions for each in found.nodes) + found.unmapped.decisions
    assert counted == 60

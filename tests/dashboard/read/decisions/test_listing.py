"""Lists of decisions over a real store: filters, orders over all of them, and exact sums."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from dashboard.read.decisions.filter import SORTS, DecisionFilter, Order
from dashboard.read.decisions.listing import DecisionList, DecisionRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range, Reference
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS, Seed, fail, seed_world

HOUR = Range(TODAY_NS - 3600 * NS_PER_S, TODAY_NS + NS_PER_S)
# To read the hour one decision at a time takes a minute, and says no more.
SOME = Range(TODAY_NS - 300 * NS_PER_S, TODAY_NS - 270 * NS_PER_S)
REFERENCE = Reference(80 * NS_PER_MS, {})


def lists(store: Connections) -> DecisionList:
    """Return lists over a store."""
    return DecisionList(Reader(store), AttributionConfig(), REFERENCE)


def ids(rows: Sequence[DecisionRow]) -> list[str]:
    """Return the ids of rows."""
    return [row.decision_id for row in rows]


@pytest.fixture(scope="module")
def many(shared_store: Connections) -> Connections:
    """Return the world with 200 decisions more, in seconds whose cells hold their loss.

    Its tests only read.
    """
    seed, rng = Seed(random.Random(0)), random.Random(1)
    for number in range(100, 300):
        at_ns = TODAY_NS - (400 - number) * NS_PER_S + rng.randrange(NS_PER_S)
        late_ms = rng.choice([0.0, 0.0, 30.0, 60.0, 600.0])
        seed.decision(at_ns, number, action=ACTIONS[number % 2], store_ms=late_ms)
    for number in range(100, 300):
        second_ns = (TODAY_NS - (400 - number) * NS_PER_S) // NS_PER_S * NS_PER_S
        seed.cell(second_ns, action=ACTIONS[number % 2], decisions=1, late=1, loss="0.10")
    for row in seed.tables["revenue_cells"]:
        row |= {"lost_share": 0.25, "lost_share_low": 0.1, "lost_share_high": 0.5}
    seed_world(shared_store.client())
    seed.insert(shared_store.client())
    return shared_store


def test_filter_holds_what_it_says(own_world: Connections) -> None:
    """Each by itself, and what was slow in a segment."""
    found, all_ = lists(own_world), DecisionFilter(HOUR)

    def held(criteria: DecisionFilter) -> set[str]:
        rows, _ = found.page(criteria, Order(), 100, stated=False)
        assert found.totals(criteria, stated=False).decisions == len(rows)
        return set(ids(rows))

    late = {f"d-{number}" for number in range(10, 15)}
    assert len(held(all_)) == 15
    assert held(replace(all_, late=True)) == late
    assert held(DecisionFilter(replace(HOUR, region=REGIONS[0]))) == late
    fail(own_world, "d-3", "d-11")
    assert held(replace(all_, failed=True)) == {"d-3", "d-11"}
    assert held(replace(all_, failed=True, late=True)) == {"d-11"}
    assert held(replace(all_, segment="store")) == late, "of the others compute is the longest"
    assert held(replace(all_, segment="decision/compute")) == held(all_) - late
    assert held(replace(all_, segment="network")) == set()
    low = replace(all_, low_ns=100 * NS_PER_MS, high_ns=113 * NS_PER_MS)
    assert held(low) == {"d-10", "d-11", "d-12", "d-13"}
    for name, value in (("channel", "web"), ("cohort", "returning"), ("service", "edge")):
        assert len(held(replace(all_, **{name: value}))) == 15  # type: ignore[arg-type]  # texts
        for odd in ("other", "' OR 1=1 --", "\\", "{region:String}"):
            assert held(replace(all_, **{name: odd})) == set()  # type: ignore[arg-type]  # texts


@pytest.mark.parametrize(
    ("priced_max", "of", "late_min"),
    [(1, SOME, 10), (7, HOUR, 60), (60, HOUR, 60), (214, HOUR, 60)],
)
def test_what_is_priced_in_parts_is_what_is_priced_at_once(
    many: Connections, priced_max: int, of: Range, late_min: int
) -> None:
    """A month of decisions was more than one statement may hold, and its page said so."""
    in_parts = DecisionList(Reader(many), AttributionConfig(), REFERENCE, priced_max=priced_max)
    at_once = lists(many)
    for criteria in (DecisionFilter(of), replace(DecisionFilter(of), late=True)):
        assert in_parts.cells(criteria, 10 * NS_PER_S, stated=False) == at_once.cells(
            criteria, 10 * NS_PER_S, stated=False
        )
        assert in_parts.totals(criteria, stated=False) == at_once.totals(criteria, stated=False)
        for ascending in (False, True):
            order = Order("lost", ascending)
            listed = [
                [row for rows in found.all_rows(criteria, order, 500) for row in rows]
                for found in (in_parts, at_once)
            ]
            assert listed[0] == listed[1]
            assert len(listed[0]) > late_min


def test_what_is_attributed_is_there_once_its_second_is_summed(store: Connections) -> None:
    """A run writes attributions, then cells: between the two the newest were of unknown value."""
    seed = Seed(random.Random(0))
    old, new = (TODAY_NS - seconds * NS_PER_S for seconds in (1_200, 5))
    seed.decision(old, 1)
    seed.decision(new, 2)
    seed.insert(store.client())
    store.client().command("TRUNCATE TABLE revenue_cells")
    found, criteria = lists(store), DecisionFilter(HOUR)

    def held() -> tuple[list[str], int, int]:
        return (
            ids(found.page(criteria, Order(), 9, stated=True)[0]),
            found.totals(criteria, stated=True).decisions,
            found.count(criteria),
        )

    # Of what is old nobody waits for a sum.
    assert held() == (["d-1"], 1, 1)
    summed = Seed(random.Random(0))
    summed.cell(new // NS_PER_S * NS_PER_S, decisions=1, late=0)
    summed.insert(store.client())
    assert held() == (["d-2", "d-1"], 2, 2)


def test_pages_and_parts_hold_what_the_sum_does_while_late_ones_are_not_summed(
    store: Connections,
) -> None:
    """Each page took up to its own cursor for summed: of eighty old decisions thirty were there."""
    seed = Seed(random.Random(0))
    for number in range(80):
        seed.decision(TODAY_NS - (1_200 + 30 * number) * NS_PER_S, number)
    seed.insert(store.client())
    store.client().command("TRUNCATE TABLE revenue_cells")
    in_parts = DecisionList(Reader(store), AttributionConfig(), REFERENCE, priced_max=20)
    for found in (lists(store), in_parts):
        assert found.totals(DecisionFilter(HOUR), stated=True).decisions == 80
        for sort in SORTS:
            for ascending in (False, True):
                order, listed = Order(sort, ascending), list[str]()
                after = order.cursor
                while True:
                    rows, after = found.page(
                        DecisionFilter(HOUR), replace(order, cursor=after), 10, stated=True
                    )
                    listed += ids(rows)
                    if after is None:
                        break
                assert sorted(listed) == sorted(f"d-{number}" for number in range(80)), sort


def test_row_has_all_that_a_page_shows(own_world: Connections) -> None:
    """Segment, target, packets, service, and dollars where the store has them."""
    rows, after = lists(own_world).page(DecisionFilter(HOUR), Order("latency"), 3, stated=False)
    assert ids(rows) == ["d-14", "d-13", "d-12"]
    assert after is not None
    assert (rows[2].packets, rows[1].packets) == (True, False)
    assert (rows[0].worst, rows[0].service_name, rows[0].target_ns) == (
        "decision/store",
        "edge",
        80 * NS_PER_MS,
    )
    # Their second has no cell: nobody knows, which is not zero.
    assert (rows[0].loss_usd, rows[0].value_usd, rows[0].converted) == (None, None, None)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("ascending", [False, True])
def test_pages_put_together_are_the_whole_order(
    many: Connections, sort: str, *, ascending: bool
) -> None:
    """Sorting the newest 200 put 54 ms on top of a window that held 160."""
    found, criteria, order = lists(many), DecisionFilter(HOUR), Order(sort, ascending)
    whole, none = found.page(criteria, order, 1_000, stated=False)
    assert (len(whole), none) == (215, None)
    paged: list[DecisionRow] = []
    while True:
        rows, after = found.page(criteria, order, 17, stated=False)
        paged += rows
        if after is None:
            break
        order = replace(order, cursor=after)
    assert paged == whole
    keys: dict[str, list[Decimal]] = {
        "time": [Decimal(row.ingress_ns) for row in whole],
        "latency": [Decimal(row.total_ns) for row in whole],
        "segment": [Decimal(row.worst_ns) for row in whole],
        "lost": [Decimal(-1) if row.loss_usd is None else row.loss_usd for row in whole],
        "value": [Decimal(-1) if row.value_usd is None else row.value_usd for row in whole],
    }
    assert keys[sort] == sorted(keys[sort], reverse=not ascending)


def test_sum_is_that_of_its_rows_and_of_its_cells(many: Connections) -> None:
    """Parts of a filter add up to the whole, to the cent."""
    found, criteria = lists(many), DecisionFilter(HOUR)
    totals = found.totals(criteria, stated=False)
    rows = [row for part in found.all_rows(criteria, Order(), 10_000) for row in part]
    assert len(rows) == totals.decisions == 215
    known = [row.loss_usd for row in rows if row.loss_usd is not None]
    assert totals.unvalued == len(rows) - len(known)
    assert totals.loss_usd is not None
    assert abs(sum(known, Decimal(0)) - totals.loss_usd) < Decimal("0.001")
    low, high = totals.loss_low_usd, totals.loss_high_usd
    assert low is not None
    assert high is not None
    assert low <= totals.loss_usd <= high
    parts = [
        found.totals(DecisionFilter(replace(HOUR, action=action)), stated=False).loss_usd
        for action in ACTIONS
    ]
    assert abs(sum((part for part in parts if part), Decimal(0)) - totals.loss_usd) < Decimal(
        "0.001"
    )
    nothing = found.totals(DecisionFilter(Range(0, 1)), stated=False)
    assert (nothing.decisions, nothing.loss_usd) == (0, None)


def test_stated_value_is_that_of_each_decision(own_world: Connections) -> None:
    """Where orders differ in size, the mean of their second says little about one."""
    seed = Seed(random.Random(0))
    second_ns = (TODAY_NS - 300 * NS_PER_S) // NS_PER_S * NS_PER_S
    for number, value in ((700, "1.00"), (701, "1000.00")):
        seed.decision(second_ns + number, number, store_ms=100)
        seed.tables["decisions"][-1]["value_usd"] = Decimal(value)
    seed.cell(second_ns, decisions=2, late=2, loss="100")
    seed.tables["revenue_cells"][-1]["basis"] = "expected"
    del seed.tables[
        "otel_traces_in"
    ]  # of which a view would make the same decisions without values
    seed.insert(own_world.client())
    found, criteria = lists(own_world), DecisionFilter(Range(second_ns, second_ns + NS_PER_S))
    offered = found.offered(criteria.view)
    assert (offered.channels, offered.services) == (["web"], ["edge"])
    assert found.stated(criteria.view)
    rows, _ = found.page(criteria, Order("lost"), 10, stated=True)
    assert [row.value_usd for row in rows] == [Decimal(1000), Decimal(1)]
    lost = [row.loss_usd for row in rows]
    assert lost[0] is not None
    assert lost[1] is not None
    assert lost[0] / lost[1] == pytest.approx(1000, rel=1e-3)


def test_failed_decision_lost_all_of_its_value(many: Connections) -> None:
    """However fast it failed."""
    rows, _ = lists(many).page(DecisionFilter(HOUR), Order("lost"), 1, stated=False)
    assert rows[0].loss_usd is not None
    assert rows[0].loss_usd > 0

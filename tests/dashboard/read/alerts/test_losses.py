"""What many ranges of many classes cost, against the sum of the seconds in each."""

from __future__ import annotations

import random
from decimal import Decimal

from alerts.state.subject import ALL, Subject
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.listing import row_of
from dashboard.read.alerts.losses import losses, lost_together, with_losses
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.alerts.builders import event
from tests.support.dashboard.seed import TODAY_NS, Seed

ACTIONS, REGIONS = ("offer", "price"), ("eu", "us", "ap")
BEGIN_NS = TODAY_NS - 600 * NS_PER_S


def put_cells(store: Connections, rng: random.Random) -> list[tuple[int, str, str, int]]:
    """Store five minutes of losses; return instant, action, region and cents of each."""
    seed, cells = Seed(rng), list[tuple[int, str, str, int]]()
    for second in range(300):
        for action in ACTIONS:
            region, cents = rng.choice(REGIONS), rng.randrange(500)
            at_ns = BEGIN_NS + second * NS_PER_S
            cells.append((at_ns, action, region, cents))
            seed.cell(at_ns, action=action, region=region, decisions=2, late=1, loss=f"{cents}e-2")
    seed.insert(store.client())
    return cells


def test_each_range_is_the_sum_of_its_seconds(store: Connections) -> None:
    """Overlapping, nested, empty, of one class or of all, and not at whole seconds."""
    rng = random.Random(7)
    cells = put_cells(store, rng)
    asked = []
    for _ in range(500):
        from_ns = BEGIN_NS + rng.randrange(-20, 320) * NS_PER_S + rng.choice([0, 1, 400_000_000])
        to_ns = from_ns + rng.choice([1, NS_PER_S, 10 * NS_PER_S, 299 * NS_PER_S])
        asked.append(Range(from_ns, to_ns, rng.choice(["", *ACTIONS]), rng.choice(["", *REGIONS])))
    for wanted, found in zip(asked, losses(Reader(store), asked), strict=True):
        inside = [
            (at_ns, cents)
            for at_ns, action, region, cents in cells
            if wanted.from_ns <= at_ns < wanted.to_ns
            and wanted.action in ("", action)
            and wanted.region in ("", region)
        ]
        if not inside:
            assert found is None
            continue
        assert found is not None
        assert found.decisions == 2 * len(inside)
        assert found.loss_usd == sum((Decimal(cents) for _, cents in inside), Decimal(0)) / 100
        assert found.loss_low_usd * 4 == found.loss_usd


def test_nothing_asked_is_nothing_read(store: Connections) -> None:
    """A page without an alert asks the store for no dollars."""
    assert losses(Reader(store), []) == []


def test_what_alerts_cost_together_is_of_each_decision_once(store: Connections) -> None:
    """Of alerts on one class and on all, one after another, at once, and open."""
    rng = random.Random(8)
    cells = put_cells(store, rng)
    for _ in range(20):
        alerts = []
        for number in range(rng.randrange(1, 6)):
            began_ns = BEGIN_NS + rng.randrange(300) * NS_PER_S
            over = rng.choice(["firing", "resolved"])
            fired = event(
                episode_id=str(number),
                action=rng.choice([ALL, *ACTIONS]),
                region=rng.choice([ALL, *REGIONS]),
                started_ns=began_ns,
                at_ns=began_ns + rng.randrange(60) * NS_PER_S,
                to_state=over,
                window_s=rng.choice([5, 60]),
            )
            alerts.append(row_of([fired]))
        priced, found = with_losses(Reader(store), alerts, BEGIN_NS + 250 * NS_PER_S)
        owned = [
            cents
            for at_ns, action, region, cents in cells
            if any(
                each.lost_usd is not None
                and each.subject.covers(Subject(action, region))
                and each.lost_from_ns <= at_ns
                and at_ns
                < (found.end_ns if each.state == "firing" else min(each.at_ns, found.end_ns))
                for each in priced
            )
        ]
        is_known = any(each.lost_usd is not None for each in priced)
        together = Decimal(sum(owned)) / 100 if is_known else None
        assert lost_together(priced, found) == together
    assert lost_together([], found) == 0

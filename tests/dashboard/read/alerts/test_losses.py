"""What many ranges of many classes cost, against the sum of the seconds in each."""

from __future__ import annotations

import random
from decimal import Decimal

from collector.core.clock import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.losses import losses
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.dashboard.seed import TODAY_NS, Seed

ACTIONS, REGIONS = ("offer", "price"), ("eu", "us", "ap")
BEGIN_NS = TODAY_NS - 600 * NS_PER_S


def test_each_range_is_the_sum_of_its_seconds(store: Connections) -> None:
    """Overlapping, nested, empty, of one class or of all, and not at whole seconds."""
    rng, seed = random.Random(7), Seed(random.Random(7))
    cells: list[tuple[int, str, str, int]] = []
    for second in range(300):
        for action in ACTIONS:
            region, cents = rng.choice(REGIONS), rng.randrange(500)
            at_ns = BEGIN_NS + second * NS_PER_S
            cells.append((at_ns, action, region, cents))
            seed.cell(at_ns, action=action, region=region, decisions=2, late=1, loss=f"{cents}e-2")
    seed.insert(store.client())
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

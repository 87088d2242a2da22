"""What is normal for a decision."""

from __future__ import annotations

import random

import pytest

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.decision.normal import DECISIONS_MIN, NormalTimes
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from tests.support.dashboard.seed import REGIONS, TODAY_NS, Seed

TARGET = Reference(80_000_000, {})


def normal_regions(store: Connections, here: int, there: int) -> tuple[str, int]:
    """Return of which region the normal is, and of how many, beside so many on target."""
    seed = Seed(random.Random(5))
    for number in range(here + there):
        region = REGIONS[0] if number < here else REGIONS[1]
        seed.decision(TODAY_NS - (50 - number) * NS_PER_S, number, region=region)
    seed.decision(TODAY_NS - NS_PER_S, 99, store_ms=60)
    seed.insert(store.client())
    reader = Reader(store)
    facts = reader.decision("d-99")
    assert facts is not None
    found = NormalTimes(reader, TARGET).normal_for(facts)
    return found.region, found.decisions


@pytest.mark.parametrize(
    ("here", "there", "region", "decisions"),
    [
        (DECISIONS_MIN, 0, REGIONS[0], DECISIONS_MIN),
        (DECISIONS_MIN - 1, 4, "", DECISIONS_MIN + 3),
        (3, 2, "", 0),
    ],
)
def test_normal_is_of_its_region_else_of_any_else_of_none(
    store: Connections, here: int, there: int, region: str, decisions: int
) -> None:
    """The mean of three says little, and would be drawn as what a stage should take."""
    assert normal_regions(store, here, there) == (region, decisions)

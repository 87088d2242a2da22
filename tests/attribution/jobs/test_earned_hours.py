"""What is kept of earlier hours is what the store holds."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Final

import numpy as np
import pyarrow as pa
import pytest

from attribution.jobs.earned_hours import EarnedHours
from attribution.read.reader import Reader
from attribution.revenue.sums import squares
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.attribution.rows_read import rows_read

SINCE_NS: Final = NOW_NS - 30 * NS_PER_HOUR
NOON_NS: Final = NOW_NS - NOW_NS % NS_PER_DAY - NS_PER_DAY // 2
REGIONS: Final = ("eu", "us")
SUMS: Final = (
    "SELECT region, sum(decisions), sum(known), sum(revenue_usd) FROM revenue_cells FINAL"
    " WHERE second_ns >= {from_ns:UInt64} AND second_ns < {to_ns:UInt64} GROUP BY region"
)


def put(store: Connections, seconds_ns: list[int], revision: int, decisions: int) -> None:
    """Write cells of these seconds, over those that are there."""
    rows = [
        {
            "second_ns": second_ns,
            "action": "offer",
            "region": region,
            "revision": revision,
            "decisions": decisions,
            "known": decisions // 2,
            "revenue_usd": 0,
        }
        for second_ns in seconds_ns
        for region in REGIONS
    ]
    table = pa.Table.from_pylist(rows)
    store.client().insert_arrow("revenue_cells", table)


def summed(earned: EarnedHours, from_ns: int, to_ns: int) -> Counter[tuple[str, str]]:
    """Return what `between` finds by region and column, zeros left out."""
    found = Counter[tuple[str, str]]()
    for row in earned.between(from_ns, to_ns).to_pylist():
        for name in ("decisions", "known"):
            found[row["region"], name] += row[name]
    return +found


def stored(store: Connections, from_ns: int, to_ns: int) -> Counter[tuple[str, str]]:
    """Return the same, of every cell."""
    rows = store.client().query(SUMS, parameters={"from_ns": from_ns, "to_ns": to_ns}).result_rows
    found = Counter[tuple[str, str]]()
    for region, decisions, known, _ in rows:
        found |= Counter({(region, "decisions"): decisions, (region, "known"): known})
    return +found


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_all_cells_whatever_is_written_between(
    store: Connections, seed: int
) -> None:
    """A window that moves, goes back, and is shorter than an hour, beside cells that change."""
    draw = random.Random(seed)
    earned = EarnedHours(Reader(store, AttributesConfig()))
    for revision in range(1, 25):
        if draw.random() < 0.6:
            first_ns = SINCE_NS + draw.randrange(30 * 3_600) * NS_PER_S
            step_ns = draw.choice((1, 7, 600)) * NS_PER_S
            seconds_ns = [first_ns + number * step_ns for number in range(draw.randrange(1, 30))]
            earned.forget(seconds_ns)
            put(store, seconds_ns, revision, draw.randrange(1, 9))
        from_ns = SINCE_NS + draw.randrange(30 * 3_600) * NS_PER_S
        hours = draw.choice((0, 0.5, 1, 3, 24))
        to_ns = from_ns + round(hours * 3_600) * NS_PER_S
        assert summed(earned, from_ns, to_ns) == stored(store, from_ns, to_ns), revision


def test_another_process_is_seen_within_two_dozen_questions(store: Connections) -> None:
    """An operator may recompute in a process of its own; nobody tells the one that keeps."""
    earned = EarnedHours(Reader(store, AttributesConfig()))
    window = NOON_NS - NS_PER_DAY, NOON_NS
    put(store, [NOON_NS - 5 * NS_PER_HOUR], 1, 3)
    assert summed(earned, *window) == stored(store, *window)
    put(store, [NOON_NS - 5 * NS_PER_HOUR, NOON_NS - 20 * NS_PER_HOUR], 2, 8)
    seen = [summed(earned, *window) == stored(store, *window) for _ in range(24)]
    assert seen[-1]


def test_a_day_is_read_once(store: Connections) -> None:
    """Every few seconds all cells of a day were read, a million of a busy store."""
    earned = EarnedHours(Reader(store, AttributesConfig()))
    store.client().command(
        "INSERT INTO revenue_cells (second_ns, action, region, revision, decisions)"
        " SELECT {from_ns:UInt64} + number * 1000000000, 'offer', 'eu', 1, 1 FROM numbers(86400)",
        parameters={"from_ns": NOON_NS - NS_PER_DAY},
    )
    _, at_first = rows_read(store, lambda: earned.between(NOON_NS - NS_PER_DAY, NOON_NS))
    found, later = rows_read(
        store, lambda: earned.between(NOON_NS - NS_PER_DAY + NS_PER_S, NOON_NS)
    )
    assert at_first >= 86_400
    assert later < 40_000
    assert sum(found["decisions"].to_pylist()) == 86_399


def test_squares_of_hours_are_those_of_the_cells(store: Connections) -> None:
    """Those that enter and leave a window are of cells, and what is left has to be nothing."""
    amounts = [0, 1_999, -1_999, 7_000_001, -50_000_000_000, 999_999_999_999_999_999, 12_345_678]
    rows = [
        {
            "second_ns": NOON_NS + at * NS_PER_S, "action": "offer", "region": "eu", "revision": 1,
            "decisions": 1, "margin_usd": Decimal(micros) / 10**6,
            "revenue_usd": Decimal(-micros) / 10**6,
        }
        for at, micros in enumerate(amounts)
    ]  # fmt: skip
    store.client().insert("revenue_cells", [[*row.values()] for row in rows], list(rows[0]))
    reader = Reader(store, AttributesConfig())
    [row] = EarnedHours(reader).between(NOON_NS, NOON_NS + NS_PER_HOUR).to_pylist()

    small, large = (sum(each.tolist()) for each in squares(np.array(amounts)))
    assert (row["margin_squares"], row["margin_large_squares"]) == (small, large)
    assert (row["revenue_squares"], row["revenue_large_squares"]) == (small, large)
    assert min(small, large) > 10**11

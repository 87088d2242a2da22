"""How many seconds are summed at a time, and which of them once more."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.match_ledger import Matches
from attribution.jobs.revenue_cells import CellWriter, Rewrite
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import job
from tests.support.attribution.stored import (
    BASE_NS,
    cells,
    decision,
    outcome,
    put_outcomes,
    put_spans,
)

HOUR = 3_600


def pieces(per_second: int, seconds: int = 6 * HOUR) -> list[int]:
    """Return how many seconds each piece of a rewrite sums."""
    due = [(1 + each) * NS_PER_S for each in range(seconds)]
    work, found = Rewrite(due, cast("Matches", None)), list[int]()
    while work.due:
        touched = work.next_touched()
        work.pace(len(touched), per_second * len(touched))
        work.at_ns = touched[-1] + NS_PER_S
        found.append(len(touched))
    return found


@pytest.mark.parametrize(("per_second", "at_last"), [(1, HOUR), (10, HOUR), (8_000, 10)])
def test_few_decisions_are_summed_by_the_hour_and_many_by_seconds(
    per_second: int, at_last: int
) -> None:
    """A piece asks the same questions for an hour as for a minute; its decisions are in memory."""
    found = pieces(per_second)
    assert sum(found) == 6 * HOUR
    assert found[0] == 120
    assert found[-2] == at_last


def test_second_that_loses_an_outcome_after_it_was_summed_is_summed_again(
    store: Connections,
) -> None:
    """A decision comes while a rewrite is between two pieces, and has the key of an earlier one.

    The first second is summed by then with the sale of the key, the next finds it to be another's.
    """
    for name, at_ms in (("early", 0), ("last", 50_000)):
        put_spans(store, decision(name, at_ms, outcome__key="k"))
    put_outcomes(store, [outcome("sale", key="k", margin="8", event_s=40, received_s=41)])
    attribution = job(store)
    attribution.drain(BASE_NS + 60 * NS_PER_S)
    writer = CellWriter(AttributionConfig(), store, Reader(store, AttributesConfig()))
    work = writer.begin([BASE_NS, BASE_NS + 50 * NS_PER_S])
    work.seconds_max = 1
    writer.step(work)
    put_spans(store, decision("between", 20_000, received_s=62, outcome__key="k"))
    while not work.is_done:
        work.seconds_max = 1
        writer.step(work)
    writer.leave()
    attribution.drain(BASE_NS + 70 * NS_PER_S)
    earned = {each["second_ns"] // NS_PER_S: each["margin_usd"] for each in cells(store)}
    base_s = BASE_NS // NS_PER_S
    assert earned == {base_s: Decimal(0), base_s + 20: Decimal(8), base_s + 50: Decimal(0)}

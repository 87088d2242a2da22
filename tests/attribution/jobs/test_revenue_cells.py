"""How many seconds are summed at a time."""

from __future__ import annotations

from typing import cast

import pytest

from attribution.jobs.match_ledger import Matches
from attribution.jobs.revenue_cells import Rewrite
from collector.core.clock import NS_PER_S

HOUR = 3_600


def pieces(per_second: int, seconds: int = 6 * HOUR) -> list[int]:
    """Return how many seconds each piece of a rewrite sums."""
    due = [(1 + each) * NS_PER_S for each in range(seconds)]
    work, found = Rewrite(due, cast("Matches", None)), list[int]()
    while work.due:
        touched = work.next_touched()
        work.pace(per_second * len(touched))
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

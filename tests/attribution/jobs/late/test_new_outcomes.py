"""What a run looks up of the outcomes that came, and what it leaves to the other lane."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.late.deferred_outcomes import DeferredOutcomes
from attribution.jobs.late.new_outcomes import NewOutcomes
from attribution.jobs.match_ledger import OUTCOMES_MAX
from attribution.jobs.revenue_cells import CellWriter
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import CONFIG, at
from tests.support.attribution.stored import (
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)


class Parts(NamedTuple):
    """The parts of a job that have to do with it."""

    outcomes: NewOutcomes
    cells: CellWriter
    deferred: DeferredOutcomes

    def seconds(
        self,
        after_s: float,
        until_s: float,
        defer_s: float | None,
        *,
        has_time: bool = True,
        late_s: float = 0,
    ) -> list[float]:
        """Return the seconds that are changed by what came since a cursor, or shortly before."""
        defer_ns = None if defer_s is None else at(defer_s)
        after_ns = self.outcomes.lookup_after_ns(at(after_s))
        seconds = self.outcomes.changed_seconds(
            after_ns, at(until_s), defer_ns, lambda each: each < at(late_s), has_time=has_time
        )
        return sorted((each - at(0)) / 1e9 for each in seconds)

    def waits(self) -> tuple[int, int] | None:
        """Return what is left to the other lane."""
        deferred = self.deferred
        return (deferred.done_ns, deferred.until_ns) if deferred.is_waiting else None


@pytest.fixture
def parts(store: Connections) -> Parts:
    """Return them over a store with ten decisions, a second apart, and an outcome of each."""
    reader = Reader(store, AttributesConfig())
    cells, deferred = CellWriter(AttributionConfig(), store, reader), DeferredOutcomes(store)
    put_spans(store, [span for n in range(10) for span in decision(f"d{n}", n * 1_000)])
    put_outcomes(
        store,
        [
            outcome(f"o{n}", decision_id=trace_id(f"d{n}"), margin="1", received_s=n + 20)
            for n in range(10)
        ],
    )
    return Parts(NewOutcomes(CONFIG, reader, cells, deferred), cells, deferred)


def test_each_outcome_is_looked_up_once(parts: Parts) -> None:
    """Also before the cursor has come to it."""
    assert parts.seconds(10, 24, 15) == [0, 1, 2, 3, 4]
    assert parts.seconds(15, 26, 20) == [5, 6]
    assert parts.waits() is None


def test_run_that_has_no_time_leaves_what_came_by_its_cursor(parts: Parts) -> None:
    """The next one looks up what came after that, also if this one had seen it."""
    assert parts.seconds(10, 24, 15) == [0, 1, 2, 3, 4]
    assert parts.seconds(15, 28, 22, has_time=False) == []
    assert parts.waits() == (at(-15), at(22))
    assert parts.seconds(22, 28, 25) == [3, 4, 5, 6, 7, 8]


def test_more_seconds_than_are_summed_at_a_time_are_left(parts: Parts) -> None:
    """To sum one all its decisions are read, of which there may be thousands."""
    parts.cells.seconds_max = 3
    assert parts.seconds(10, 22, 15) == [0, 1, 2]
    assert parts.seconds(15, 28, 27) == []
    assert parts.waits() == (at(-15), at(27))
    assert parts.seconds(27, 29, 28) == [8, 9]


def test_seconds_that_are_late_are_the_other_lanes_in_any_case(parts: Parts) -> None:
    """So a file of outcomes of the last days is counted at once."""
    parts.cells.seconds_max = 3
    assert parts.seconds(10, 28, 15, late_s=6) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert parts.waits() is None


def test_more_outcomes_than_are_looked_up_at_a_time_are_left(
    parts: Parts, store: Connections
) -> None:
    """A file of them may be imported within seconds; whoever drains looks all of them up."""
    many = [
        outcome(f"m{n}", decision_id=trace_id("d3"), margin="1", received_s=40)
        for n in range(OUTCOMES_MAX + 1)
    ]
    put_outcomes(store, many)
    assert parts.seconds(60, 61, None) == [3]
    parts.outcomes.forget()
    assert parts.seconds(60, 61, 35) == []
    assert parts.seconds(65, 66, 60) == []
    assert parts.waits() == (at(30), at(60))
    assert parts.seconds(60, 66, 61) == []
    assert parts.waits() == (at(30), at(60))

from __future__ import annotations

from typing import Final

import pytest

from attribution.books.unmatched import unmatched_outcomes
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.job import VramJob
from attribution.vram.outcome_mode import OutcomeModeJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

_NOW_NS: Final = BASE_NS + 2 * NS_PER_HOUR
_ALL: Final = (0, _NOW_NS)


def put_decisions(store: Connections, count: int = 60, first_s: float = 0) -> None:
    """Insert one a second, each with a key of its own."""
    put_spans(store, [
        span
        for index in range(count)
        for span in decision(f"d{index}", (first_s + index) * 1_000, 50, first_s + index + 1,
                             outcome__key=f"k{index}")
    ])  # fmt: skip


def put_orders(
    store: Connections, count: int, behind_s: float = 0, *, by_id: bool = False, later_s: float = 0
) -> None:
    """Insert one for each of the first decisions, taken .3 s after it began."""
    put_outcomes(store, [
        outcome(
            f"o{index}-{behind_s}",
            decision_id=trace_id(f"d{index}") if by_id else "",
            key="" if by_id else f"k{index}",
            margin="10",
            event_s=index + later_s + 0.3 - behind_s,
            received_s=index + later_s + 1,
        )
        for index in range(count)
    ])  # fmt: skip


def test_outcomes_that_find_their_decision_are_no_matter(store: Connections) -> None:
    """By key, and by the id of decisions that began days before."""
    put_decisions(store)
    put_orders(store, 60)
    put_orders(store, 60, by_id=True, later_s=3 * NS_PER_DAY / NS_PER_S)
    now_ns = _NOW_NS + 3 * NS_PER_DAY
    assert unmatched_outcomes(store, (0, now_ns), now_ns) == []
    assert unmatched_outcomes(store, (now_ns - 3 * NS_PER_HOUR, now_ns), now_ns) == []


def test_a_clock_that_is_behind_is_told(store: Connections) -> None:
    """By ten seconds: of 60 orders ten happened before all decisions, and are left out.

    Where some are of a decision, so are those of the first .6 s: twice what orders take.
    """
    put_decisions(store)
    put_orders(store, 60, behind_s=10)
    (said,) = unmatched_outcomes(store, _ALL, _NOW_NS)
    assert said.startswith("50 of 50 outcomes that were looked up are of no decision")
    assert "`millworth reconcile` has them by day" in said
    put_orders(store, 30)
    (said,) = unmatched_outcomes(store, _ALL, _NOW_NS)
    assert said.startswith("49 of 78 outcomes")


def test_few_are_not_told(store: Connections) -> None:
    """An order by telephone is of no decision; twenty are."""
    put_decisions(store)
    put_orders(store, 60)
    others = [
        outcome(f"x{index}", decision_id=f"x{index}", margin="1", event_s=30 + index)
        for index in range(20)
    ]
    put_outcomes(store, others[:19])
    assert unmatched_outcomes(store, _ALL, _NOW_NS) == []
    put_outcomes(store, others)
    (said,) = unmatched_outcomes(store, _ALL, _NOW_NS)
    assert said.startswith("20 of 79 outcomes")


def test_refunds_and_a_tenth_are_not_told(store: Connections) -> None:
    """What is taken back is of decisions of long ago, and some orders come by telephone."""
    put_decisions(store, 300)
    put_orders(store, 300)
    for kind, count in (("refund", 200), ("sale", 25)):
        put_outcomes(store, [
            outcome(f"{kind}{index}", key=f"x{index}", kind=kind, margin="1", event_s=30 + index)
            for index in range(count)
        ])  # fmt: skip
    assert unmatched_outcomes(store, _ALL, _NOW_NS) == []


def test_decisions_that_are_still_to_come_are_waited_for(store: Connections) -> None:
    """Outcomes may come before the decision is over; an hour later it has come."""
    put_decisions(store, 1)
    put_orders(store, 60, behind_s=-5)
    assert unmatched_outcomes(store, _ALL, BASE_NS + NS_PER_HOUR) == []
    assert unmatched_outcomes(store, _ALL, _NOW_NS) != []


@pytest.mark.parametrize("delay_h", [1, 30])
def test_sales_of_decisions_that_are_not_kept_are_no_fault(
    store: Connections, delay_h: int
) -> None:
    """They take so long, and the store began ten hours ago, or lost what was before by age."""
    at_s = [120 * each for each in range(300)]
    delay_s = delay_h * 3_600
    put_spans(store, [
        span for each in at_s for span in decision(f"d{each}", each * 1_000, 50, each + 1)
    ])  # fmt: skip
    put_outcomes(store, [
        outcome(f"o{each}", decision_id=trace_id(f"d{each - delay_s}"), margin="10",
                event_s=each + 1.0, received_s=each + 1.0)
        for each in at_s
    ])  # fmt: skip
    now_ns = BASE_NS + 11 * NS_PER_HOUR
    delay = AttributionConfig().outcome_delay_s
    assert unmatched_outcomes(store, (0, now_ns), now_ns, delay) == []


def test_a_store_without_decisions_says_nothing(store: Connections) -> None:
    """There is none that an outcome could be of."""
    put_orders(store, 60)
    assert unmatched_outcomes(store, _ALL, _NOW_NS) == []


def test_a_ranking_and_the_job_that_watches_say_it(store: Connections) -> None:
    """Both once outcomes would have come: this shop says that they take no time."""
    put_decisions(store)
    put_orders(store, 30)
    put_outcomes(store, [
        outcome(f"x{index}", key=f"x{index}", margin="1", event_s=30 + index) for index in range(30)
    ])  # fmt: skip
    config = AttributionConfig(outcome_delay_s=0)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    vram = VramJob(config, store)
    hours = Selection(BASE_NS, _NOW_NS)
    (said,) = vram.model(hours, "channel", _NOW_NS)["lineage"]["warnings"]
    assert said.startswith("30 of 59 outcomes")
    watching = OutcomeModeJob(config, store)
    assert watching.run_once(BASE_NS + NS_PER_HOUR + 100 * NS_PER_S) == []
    assert watching.unmatched == [said]

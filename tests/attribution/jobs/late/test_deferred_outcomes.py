"""Outcomes that were deferred are kept in the store until that is done."""

from __future__ import annotations

from attribution.jobs.late.deferred_outcomes import DeferredOutcomes
from collector.store.connect import Connections
from collector.store.cursors import read_cursors


def restarted(store: Connections) -> DeferredOutcomes:
    """Return what a new process finds."""
    deferred_outcomes = DeferredOutcomes(store)
    deferred_outcomes.begin(read_cursors(store.client()))
    return deferred_outcomes


def stretch(deferred: DeferredOutcomes) -> tuple[int, int, bool]:
    """Return from when to when outcomes came, and whether they wait."""
    return deferred.done_ns, deferred.until_ns, deferred.is_waiting


def test_outcomes_wait_from_the_first_that_was_deferred(store: Connections) -> None:
    """Whoever begins finds them; what came between two that were left is looked up with them."""
    deferred = restarted(store)
    assert stretch(deferred) == (0, 0, False)
    deferred.add(100, 110)
    deferred.add(130, 150)
    assert stretch(deferred) == stretch(restarted(store)) == (100, 150, True)
    deferred.finish(140)
    deferred.add(150, 145)
    assert stretch(deferred) == stretch(restarted(store)) == (140, 150, True)
    deferred.finish(150)
    assert stretch(restarted(store)) == (150, 150, False)
    deferred.add(200, 210)
    assert stretch(deferred) == stretch(restarted(store)) == (200, 210, True)


def test_second_that_was_summed_since_need_not_be_again(store: Connections) -> None:
    """By who did what was deferred; not where that failed, and not for what came later."""
    deferred = restarted(store)
    deferred.note_summed({1, 2}, 120)
    deferred.add(100, 150)
    assert deferred.unsummed({1, 2}, 110) == {1, 2}, "nothing waited then"
    deferred.note_summed({1, 2}, 120)
    assert deferred.unsummed({1, 2, 3}, 120) == {3}
    assert deferred.unsummed({1, 2, 3}, 121) == {1, 2, 3}
    deferred.forget()
    assert deferred.unsummed({1, 2}, 120) == {1, 2}

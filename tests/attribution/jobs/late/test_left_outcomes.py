"""Outcomes that were left to be looked up are kept in the store until that is done."""

from __future__ import annotations

from attribution.jobs.late.left_outcomes import LeftOutcomes
from collector.store.connect import Connections
from collector.store.cursors import read_cursors


def restarted(store: Connections) -> LeftOutcomes:
    """Return what a new process finds."""
    found = LeftOutcomes(store)
    found.begin(read_cursors(store.client()))
    return found


def stretch(left: LeftOutcomes) -> tuple[int, int, bool]:
    """Return from when to when outcomes came, and whether they wait."""
    return left.done_ns, left.known_ns, left.is_waiting


def test_outcomes_wait_from_the_first_that_was_left(store: Connections) -> None:
    """Whoever begins finds them; what came between two that were left is looked up with them."""
    left = restarted(store)
    assert stretch(left) == (0, 0, False)
    left.add(100, 110)
    left.add(130, 150)
    assert stretch(left) == stretch(restarted(store)) == (100, 150, True)
    left.done(140)
    left.add(150, 145)
    assert stretch(left) == stretch(restarted(store)) == (140, 150, True)
    left.done(150)
    assert stretch(restarted(store)) == (150, 150, False)
    left.add(200, 210)
    assert stretch(left) == stretch(restarted(store)) == (200, 210, True)


def test_second_that_was_summed_since_need_not_be_again(store: Connections) -> None:
    """By who did what was put off; not where that failed, and not for what came later."""
    left = restarted(store)
    left.note_summed({1, 2}, 120)
    left.add(100, 150)
    assert left.unsummed({1, 2}, 110) == {1, 2}, "nothing waited then"
    left.note_summed({1, 2}, 120)
    assert left.unsummed({1, 2, 3}, 120) == {3}
    assert left.unsummed({1, 2, 3}, 121) == {1, 2, 3}
    left.forget()
    assert left.unsummed({1, 2}, 120) == {1, 2}

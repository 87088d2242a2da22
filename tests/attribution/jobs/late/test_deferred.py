"""What was deferred is kept in the store until it is done."""

from __future__ import annotations

from attribution.jobs.late.deferred import DeferredArrivals
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    ATTRIBUTION_CURSOR,
    read_cursors,
    whole_ns,
    write_cursor,
)


def s(seconds: float) -> int:
    """Return so many seconds in ns."""
    return round(seconds * NS_PER_S)


def restarted(store: Connections) -> DeferredArrivals:
    """Return what a new process finds."""
    deferred_arrivals = DeferredArrivals(store)
    deferred_arrivals.begin(read_cursors(store.client()))
    return deferred_arrivals


def complete_ns(store: Connections, at_ns: int) -> int:
    """Return up to when all is attributed, where attribution has come to an instant."""
    write_cursor(store.client(), ATTRIBUTION_CURSOR, at_ns)
    return whole_ns(read_cursors(store.client()))


def test_what_was_deferred_is_worked_off_from_its_begin(store: Connections) -> None:
    """It is said how much waits, and up to when all is there."""
    deferred = restarted(store)
    assert (deferred.next_after(0), deferred.waiting_ns) == (None, 0)
    deferred.add(100, 110, 120)
    deferred.add(130, 150, 160)
    assert (deferred.waiting_ns, complete_ns(store, 200)) == (30, 100)
    assert deferred.next_after(0) == (100, 110)
    assert deferred.next_after(105) == (105, 110)
    assert deferred.next_after(110) == (130, 150)
    deferred.finish(104)
    assert (deferred.next_after(0), deferred.waiting_ns) == ((104, 110), 26)
    assert complete_ns(store, 210) == 104
    deferred.finish(110)
    assert (deferred.next_after(0), complete_ns(store, 220)) == ((130, 150), 130)
    deferred.finish(150)
    assert (deferred.next_after(0), complete_ns(store, 230)) == (None, 230)


def test_a_new_process_goes_on_where_another_was(store: Connections) -> None:
    """Whatever was deferred twice, because somebody was killed in between, is done once."""
    deferred = restarted(store)
    deferred.add(100, 110, 120)
    deferred.add(105, 130, 131)
    deferred.add(140, 150, 160)
    assert restarted(store).waiting_ns == 40
    deferred.finish(120)
    again = restarted(store)
    assert (again.next_after(0), again.next_after(130)) == ((120, 130), (140, 150))
    again.finish(150)
    assert restarted(store).next_after(0) is None
    again.add(300, 310, 320)
    assert (restarted(store).next_after(0), complete_ns(store, 400)) == ((300, 310), 300)


def test_seconds_whose_decisions_wait_are_left_to_whoever_does_them(store: Connections) -> None:
    """Each once: not those that lie in it in part, nor those that are being summed."""
    deferred = restarted(store)
    deferred.add(s(100.5), s(110), s(110))
    deferred.add(s(8_000), s(12_000.5), s(12_001))
    every = {s(each) for each in range(13_000)}
    left = every - deferred.without_deferred(every)
    assert left == {s(each) for each in (*range(101, 110), *range(8_401, 12_000))}
    of_parts = deferred.deferred_seconds(s(100.5), s(104.2)) | deferred.deferred_seconds(
        s(104.2), s(110)
    )
    assert of_parts == {s(each) for each in range(101, 110)}
    deferred.summed_ns = s(104.2)
    assert min(every - deferred.without_deferred(every)) == s(105)
    deferred.finish(s(12_000.5))
    assert deferred.without_deferred(every) == every

"""What several viewers ask at the same time is read once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from collector.core.times import NS_PER_S
from dashboard.read.workers import SharedReads
from tests.conftest import ManualClock

KEEP_S = 2.0


def test_those_who_ask_while_it_is_read_wait_for_the_one_reading() -> None:
    """Eight operators who open one page are not eight readings of a day."""
    shared, reads = SharedReads(), list[int]()
    began, may_end, asked = Event(), Event(), Barrier(8)

    def make() -> int:
        reads.append(1)
        began.set()
        may_end.wait()
        return len(reads)

    def ask() -> int:
        asked.wait()
        return shared.read("day", KEEP_S, make)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.read, "day", KEEP_S, make)
        began.wait()
        others = [pool.submit(ask) for _ in range(7)]
        asked.wait()
        may_end.set()
        assert {first.result(), *(each.result() for each in others)} == {1}
    assert len(reads) == 1


def test_what_was_found_is_handed_out_for_its_time_and_to_nobody_who_asks_otherwise() -> None:
    """A page that reads anew is shown what is new."""
    clock = ManualClock(0)
    shared, numbers = SharedReads(clock), iter(range(9))
    assert shared.read("day", KEEP_S, numbers.__next__) == 0
    assert shared.read("hour", KEEP_S, numbers.__next__) == 1
    clock.ns += round(KEEP_S * NS_PER_S) - 1
    assert shared.read("day", KEEP_S, numbers.__next__) == 0
    clock.ns += 1
    assert shared.read("day", KEEP_S, numbers.__next__) == 2


def test_what_ends_before_it_is_asked_for_is_read_anew() -> None:
    """Who reads ahead of somebody else needs what is still there when that one asks."""
    clock = ManualClock(0)
    shared, numbers = SharedReads(clock), iter(range(9))
    assert shared.read("day", KEEP_S, numbers.__next__) == 0
    clock.ns += round(KEEP_S * NS_PER_S / 2) - 1
    assert shared.read("day", KEEP_S, numbers.__next__, lasting_s=KEEP_S / 2) == 0
    clock.ns += 1
    assert shared.read("day", KEEP_S, numbers.__next__) == 0
    assert shared.read("day", KEEP_S, numbers.__next__, lasting_s=KEEP_S / 2) == 1


def test_failure_is_handed_to_those_who_wait_and_is_not_kept() -> None:
    """Whoever presses `Try again` reads again."""
    shared = SharedReads()
    began, may_fail = Event(), Event()

    def fail() -> str:
        began.set()
        may_fail.wait()
        raise ConnectionError("the store is away")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.read, "day", KEEP_S, fail)
        began.wait()
        second = pool.submit(shared.read, "day", KEEP_S, fail)
        may_fail.set()
        for each in (first, second):
            with pytest.raises(ConnectionError, match="away"):
                each.result()
    assert shared.read("day", KEEP_S, lambda: "whole") == "whole"


def test_only_so_many_answers_are_kept() -> None:
    """An address can be anything, and each makes an answer of its own."""
    shared, made = SharedReads(), list[int]()
    for number in range(1_000):
        shared.read(number, KEEP_S, lambda number=number: made.append(number))  # type: ignore[misc]  # no name for it
    assert len(shared) < 100
    shared.read(0, KEEP_S, lambda: made.append(-1))
    assert made[-1] == -1

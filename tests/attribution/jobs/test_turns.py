from __future__ import annotations

import threading

from attribution.jobs.turns import Turns


def test_whoever_waits_comes_before_whoever_had_the_last_turn() -> None:
    """Slices of late work once could have followed one another while what comes now waited."""
    turns, order = Turns(), list[str]()
    waits = threading.Event()

    def wait_for_a_turn() -> None:
        waits.set()
        with turns.turn():
            order.append("waited")

    thread = threading.Thread(target=wait_for_a_turn)
    with turns.turn():
        thread.start()
        waits.wait()
        while turns.is_free_for_next:
            pass  # until it holds the place of the next
        order.append("first")
    with turns.turn():
        order.append("again")
    thread.join()
    assert order == ["first", "waited", "again"]

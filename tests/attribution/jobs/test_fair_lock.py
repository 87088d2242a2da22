from __future__ import annotations

import threading

from attribution.jobs.fair_lock import FairLock


def test_whoever_waits_comes_before_whoever_had_the_last_turn() -> None:
    """Slices of late work once could have followed one another while what comes now waited."""
    lock, order = FairLock(), list[str]()
    waits = threading.Event()

    def wait_for_a_turn() -> None:
        waits.set()
        with lock.hold():
            order.append("waited")

    thread = threading.Thread(target=wait_for_a_turn)
    with lock.hold():
        thread.start()
        waits.wait()
        while not lock.has_waiter:
            pass  # until it holds the place of the next
        order.append("first")
    with lock.hold():
        order.append("again")
    thread.join()
    assert order == ["first", "waited", "again"]

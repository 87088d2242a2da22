from __future__ import annotations

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import JobCursor, furthest_cursor, read_cursor, write_cursors
from tests.conftest import NOW_NS


def test_cursor_goes_on_where_the_last_process_ended(store: Connections) -> None:
    """What was done is in the store at once."""
    client = store.client()
    cursor = JobCursor("a")
    assert cursor.read(client) == 0
    cursor.write(client, NOW_NS)

    assert (cursor.read(client), JobCursor("a").read(client)) == (NOW_NS, NOW_NS)
    assert JobCursor("b").read(client) == 0


def test_runs_that_find_nothing_write_now_and_then(store: Connections) -> None:
    """A service at rest would pay for an insert a run; a restart may look at some time again."""
    client = store.client()
    cursor = JobCursor("a")
    cursor.read(client)
    cursor.write(client, NOW_NS)
    for second in range(2, 29, 2):
        cursor.write(client, NOW_NS + second * NS_PER_S, has_news=False)
        assert cursor.read(client) == NOW_NS + second * NS_PER_S
    assert read_cursor(client, "a") == NOW_NS
    cursor.write(client, NOW_NS + 30 * NS_PER_S, has_news=False)
    assert read_cursor(client, "a") == NOW_NS + 30 * NS_PER_S


def test_what_processes_say_by_their_own_clocks_moves_no_other_clock(store: Connections) -> None:
    """A recorder that was two hours ahead set the collectors' time of arrival ahead with it."""
    ahead_ns = NOW_NS + 7_200 * NS_PER_S
    own = ("alerts", "collect.stored x", "packet.sample.web", "packet.ended.web", "packet.sample")
    write_cursors(store.client(), {"attribution": NOW_NS, **dict.fromkeys(own, ahead_ns)})
    assert furthest_cursor(store.client()) == NOW_NS
    # A job counts, whatever the host is called behind its name.
    write_cursors(store.client(), {"packet.link.collect.example": NOW_NS + 1})
    assert furthest_cursor(store.client()) == NOW_NS + 1

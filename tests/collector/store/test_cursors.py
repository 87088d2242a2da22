from __future__ import annotations

from collector.core.clock import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import JobCursor, read_cursor
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

"""How much the engine reads for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.store.connect import Connections


def rows_read(store: Connections, ask: Callable[[], Any]) -> tuple[Any, int]:
    """Return an answer, and how many rows of tables the engine read for it."""
    text = "SELECT sum(value) FROM system.events WHERE event = 'SelectedRows'"

    def counted() -> int:
        return int(store.client().query(text).result_rows[0][0])

    first = counted()
    before = counted()
    answer = ask()
    # The count reads rows too.
    return answer, counted() - before - (before - first)

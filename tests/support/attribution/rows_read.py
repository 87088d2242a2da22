"""How much the engine reads for an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collector.store.connect import Connections


def rows_read(store: Connections, ask: Callable[[], Any]) -> tuple[Any, int]:
    """Return an answer, and how many rows of tables the engine read for it."""
    counted = "SELECT sum(value) FROM system.events WHERE event = 'SelectedRows'"
    before = int(store.client().query(counted).result_rows[0][0])
    answer = ask()
    return answer, int(store.client().query(counted).result_rows[0][0]) - before

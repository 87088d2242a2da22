"""I/O: counts what the embedded engine reads, by who asked.

The library has the engine's figures of each statement, and hands them out with some answers only,
so they are taken where it runs a statement. A server keeps its own, in `system.query_log`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from clickhouse_connect.driver.client import Client

from collector.core.clock import SystemClock

# Who asks, in words, found out when something was read: a route is known later than its request.
ASKER: ContextVar[Callable[[], str] | None] = ContextVar("asker", default=None)
OTHERS = "other"
Count = Callable[[str, int, int, int], None]  # who asked, rows, bytes, ns


def count_reads(client: Client, count: Count) -> Client:
    """Return a client of the embedded engine of which every statement is counted, streams apart."""
    backend: Any = client._backend  # type: ignore[attr-defined]  # the library shows it nowhere else
    run, clock = backend._run, SystemClock()

    def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the library has them
        began_ns = clock.monotonic_ns()
        result = run(*args, **kwargs)
        took_ns = clock.monotonic_ns() - began_ns
        asker = ASKER.get()
        # Of tables, and not of the answer, which `rows_read` is about.
        rows, read_bytes = result.storage_rows_read(), result.storage_bytes_read()
        count(asker() if asker is not None else OTHERS, rows, read_bytes, took_ns)
        return result

    backend._run = counted
    return client

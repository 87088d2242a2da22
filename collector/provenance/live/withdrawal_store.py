"""I/O: what withdrawals of decisions and of outcomes share: statements, and the time of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.client import Client

from collector.core.clock import Clock
from collector.store.connect import Connections

_CHUNK: Final = 2_000
_T = TypeVar("_T")


class WithdrawalStore:
    """The store as withdrawals use it.

    Args:
        connections: of the store.
        clock: by which a pass becomes older while it runs.
        sql: returns a statement of this room by its name.
    """

    def __init__(self, connections: Connections, clock: Clock, sql: Callable[[str], str]) -> None:
        self.connections = connections
        self._clock = clock
        self._sql = sql
        self._pass_ns = self._began_ns = 0

    def begin(self, now_ns: int) -> None:
        """Set the time of a pass at its beginning; what a long pass does late is noted by it."""
        self._pass_ns, self._began_ns = now_ns, self._clock.monotonic_ns()

    def now_ns(self) -> int:
        """Return the time of the pass now, which never falls."""
        return self._pass_ns + self._clock.monotonic_ns() - self._began_ns

    @property
    def client(self) -> Client:
        """Return this thread's connection."""
        return self.connections.client()

    def rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        """Return the answer of a statement, each row by its column names."""
        result = self.client.query(self._sql(name), parameters=parameters)
        return list(result.named_results())

    def command(self, name: str, parameters: dict[str, Any]) -> None:
        """Run a statement that has no answer."""
        self.client.command(self._sql(name), parameters=parameters)


def chunks(items: Sequence[_T]) -> Iterable[Sequence[_T]]:
    """Return the items in parts that one statement may name."""
    return (items[begin : begin + _CHUNK] for begin in range(0, len(items), _CHUNK))

"""I/O: runs the statements of `sql/` folders over the store, within the reader's limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.errors import StoreUnavailableError
from collector.core.sql import sql
from collector.store.connect import Connections
from dashboard.read.adhoc.sql import engine_error


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreUnavailableError, in one line, for an error of the engine."""
    try:
        yield
    except ClickHouseError as error:
        raise StoreUnavailableError(engine_error(error)) from error


class Statements:
    """Runs statements; each thread over its own connection."""

    def __init__(self, store: Connections) -> None:
        """Read nothing yet."""
        self._store = store

    def ask(self, name: str, module_file: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of the statement `sql/NAME.sql` beside the module that asks.

        Args:
            name: of the statement.
            module_file: `__file__` of the module that asks, never of another: what else needs the
                rows calls a typed function of that module.
            parameters: by name.

        Raises:
            StoreUnavailableError: the store is away, or refuses the statement.
        """
        return self.ask_text(sql(name, module_file), parameters)

    def ask_text(self, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a statement that is put together of files of `sql/`."""
        with store_errors():
            return list(self._store.reader().query(text, parameters=parameters).named_results())

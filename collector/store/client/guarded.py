"""I/O: a client of the embedded engine on which a failed call leaves nothing to the next one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from clickhouse_connect.driver.client import Client

from collector.store.client.arrow import query_arrow

if TYPE_CHECKING:
    import pyarrow as pa


def unspoilt(make: Callable[[], Client]) -> Client:
    """Return a client that drops its connection when a call on it fails.

    Args:
        make: opens a connection; called at once, and again by the first call after a failure.
    """
    return cast("Client", _Unspoilt(make))


class _Unspoilt:
    """Makes a connection, and another one after a failure.

    A query that fails after its first block leaves the rest of its answer on the connection, and
    the next query would get it in place of its own. So the call after a failure makes another
    connection. A stream may fail, or be left half read, after its call: it takes the connection
    with it, which the library closes when the stream is closed or dropped.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._client: Client | None = make()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever a client has
        value = getattr(self._opened(), name)
        if not callable(value):
            return value

        @functools.wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the method has them
            client = self._opened()
            if name.endswith("_stream"):
                self._client = None
            try:
                return getattr(client, name)(*args, **kwargs)
            except BaseException:
                self._drop(client)
                raise

        return call

    def query_arrow(
        self,
        query: str,
        parameters: Mapping[str, object] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> pa.Table:
        """Return the answer to a question, as the library's method of this name."""
        client = self._opened()
        try:
            return query_arrow(client, query, parameters or {}, settings or {})
        except BaseException:
            self._drop(client)
            raise

    def _drop(self, client: Client) -> None:
        self._client = None
        client.close()

    def _opened(self) -> Client:
        if self._client is None:
            self._client = self._make()
        return self._client

    def close(self) -> None:
        """Close the connection; the next call makes another."""
        if self._client is not None:
            self._client.close()
            self._client = None

"""I/O: what is tried until it succeeds: inserts, and steps on the disk.

What was acknowledged is not given up, whatever the store says of it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.errors import MillworthError, PermanentError, first_line
from collector.core.log import get_logger
from collector.otlp.check import Signal
from collector.store.client.unfinished import after_failure
from collector.store.connect import Connections
from collector.store.errors import explain, is_schema_damaged, is_unparsable

_LOG = get_logger("collector")
_BACKOFF_S_MIN = 0.1
_BACKOFF_S_MAX = 10.0
_T = TypeVar("_T")


class Unparsable(Exception):  # noqa: N818 - a verdict of the store, caught by the writer
    """The store cannot parse what it was sent, and has stored nothing of it."""


class Stopped(Exception):  # noqa: N818 - not a failure: the segment stays for the next start
    """The service is stopping."""


class Retries:
    """Calls again, after longer and longer waits, until a call succeeds or the service stops."""

    def __init__(self, signal: Signal, store: Connections, stop: threading.Event) -> None:
        self._signal = signal
        self._store = store
        self._stop = stop

    def insert(
        self, table: str, block: bytes, form: str, settings: Mapping[str, Any], token: str
    ) -> None:
        """Insert a block of bytes; the same with the same token changes nothing.

        Raises:
            Unparsable, Stopped: as `call`.
        """
        settings = {**settings, "insert_deduplication_token": token}

        def insert(client: Client) -> None:
            client.raw_insert(table, insert_block=block, fmt=form, settings=settings)

        self.call(insert)

    def call(self, step: Callable[[Client], _T]) -> _T:
        """Call `step` until it returns, and return what it does.

        Raises:
            Unparsable: the store cannot parse the bytes; it has stored nothing of them.
            Stopped: the service is stopping.
        """
        backoff_s = _BACKOFF_S_MIN
        while True:
            try:
                return step(self._store.client())
            except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
                if is_schema_damaged(error):
                    self._forget_schemas()
                elif is_unparsable(error):
                    raise Unparsable(first_line(error)) from error
                after_failure(self._store.config, self._store.client)
                # Tried again in any case: what was acknowledged is not given up.
                failure = explain(error, self._store.config.place)
                log = _LOG.error if isinstance(failure, PermanentError) else _LOG.warning
                log("insert_failed", signal=str(self._signal), reason=first_line(failure))
                backoff_s = self._back_off(backoff_s, error)

    def _forget_schemas(self) -> None:
        """Let the engine write its copies of the schemas anew; if it cannot, it is asked again."""
        try:
            self._store.client().command("SYSTEM DROP FORMAT SCHEMA CACHE")
        except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
            _LOG.warning("schemas_not_forgotten", reason=first_line(error))

    def persist(self, step: Callable[[], _T]) -> _T:
        """Call `step`, which uses the disk, until it returns.

        Raises:
            FileNotFoundError: the file is gone.
            Stopped: the service is stopping.
        """
        backoff_s = _BACKOFF_S_MIN
        while True:
            try:
                return step()
            except FileNotFoundError:
                raise
            except OSError as error:
                _LOG.warning("segment_failed", signal=str(self._signal), reason=first_line(error))
                backoff_s = self._back_off(backoff_s, error)

    def _back_off(self, seconds: float, error: Exception) -> float:
        """Wait, and return how long to wait next time."""
        if self._stop.wait(seconds * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
            raise Stopped from error
        return min(2 * seconds, _BACKOFF_S_MAX)

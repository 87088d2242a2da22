"""I/O: tells whoever reads by arrival, in another process, what was stored long after it came."""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from collector.core.clock import Clock
from collector.otlp.check import Signal
from collector.wal.frames import Frame
from collector.write.retries import Retries

_COLUMNS = ("stored_ns", "signal", "first_ns", "last_ns")


class Delays:
    """Writes a row of `delayed_inserts` for each insert that comes late.

    After its rows, and before the log forgets it: whoever crashes in between inserts both again.

    Args:
        clock: by which requests are received; it never falls.
        after_ns: what waited for longer is told.
    """

    def __init__(self, clock: Clock, after_ns: int) -> None:
        self._clock = clock
        self._after_ns = after_ns

    def note(self, signal: Signal, frames: Sequence[Frame], retries: Retries, token: str) -> None:
        """Tell of what was stored under a token, if its first request waited for so long.

        Raises:
            Stopped: the service is stopping.
        """
        if not frames:
            return
        instants = [frame.received_ns for frame in frames]
        if self._clock.now_ns() - min(instants) < self._after_ns:
            return
        settings = {"insert_deduplication_token": f"{token}:delayed"}

        def insert(client: Client) -> None:
            row = [self._clock.now_ns(), str(signal), min(instants), max(instants)]
            client.insert("delayed_inserts", [row], column_names=_COLUMNS, settings=settings)

        retries.call(insert)

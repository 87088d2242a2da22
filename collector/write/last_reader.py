"""I/O: which of the two readers of a signal had in hand what an earlier run left.

The store knows a batch again by its token where it comes the same way. Whoever has the compiled
module since then puts that one batch in as the reader without it did; whoever has it no more asks
the store for the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.disk import Disk
from collector.core.sql import sql
from collector.otlp.check import Signal
from collector.store.schema.backfill import rerun
from collector.wal.frames import Frame

_ROWS: Final = {
    Signal.TRACES: sql("stored_spans", __file__),
    Signal.LOGS: sql("stored_logs", __file__),
}


class LastReader:
    """A line in a file beside the log.

    Args:
        directory: of the log.
        signal: whose reader it is.
        is_native: whether it makes blocks by the compiled module from now on.
        disk: by which it is made to last.
    """

    def __init__(self, directory: Path, signal: Signal, disk: Disk, *, is_native: bool) -> None:
        self._path = directory / f"{signal}.reader"
        self._disk = disk
        self._ours = "native" if is_native else "protobuf"
        self._is_noted = False

    def is_ours(self) -> bool:
        """Return whether the run before read as this one does."""
        return self._path.exists() and self._path.read_text(encoding="utf-8") == self._ours

    def note(self) -> None:
        """Write down that from now on this reader has batches in hand; once.

        Raises:
            OSError: there is no room for it; before it is there nothing may be inserted.
        """
        if self._is_noted:
            return
        draft = self._path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            file.write(self._ours)
            file.flush()
            self._disk.sync(file.fileno())
        draft.rename(self._path)
        self._disk.sync_directory(self._path.parent)
        self._is_noted = True


def has_rows(client: Client, signal: Signal, frames: Sequence[Frame]) -> bool:
    """Return whether the store has every item of these frames."""
    if not frames:
        return False
    rows = client.query(_ROWS[signal], parameters={"received_ns": _instants(frames)}).result_rows
    return int(rows[0][0]) >= sum(frame.items for frame in frames)


def complete(client: Client, signal: Signal, frames: Sequence[Frame]) -> None:
    """Insert what may be missing behind the rows of blocks: the outcomes of log records.

    Views make them of rows that are in by then; what is made of spans goes in before these.
    """
    if signal is Signal.LOGS:
        for received_ns in _instants(frames):
            came = {"received_ns": received_ns, "now_ns": received_ns}
            rerun(client, "outcomes_mv", "outcomes", came, dry_run=False)


def _instants(frames: Sequence[Frame]) -> list[int]:
    return sorted({frame.received_ns for frame in frames})

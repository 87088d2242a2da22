"""I/O: which of the two readers of spans had in hand what an earlier run left.

The store knows a batch again by its token where it comes the same way. Whoever begins the other
way, since the compiled module came or went, asks the store for the rows of that one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.disk import Disk
from collector.core.sql import sql
from collector.wal.frames import Frame

FILE: Final = "spans.reader"
_ROWS: Final = sql("stored_rows", __file__)


class LastReader:
    """A line in a file beside the log.

    Args:
        path: the file.
        is_native: whether spans go in as blocks of the compiled module from now on.
        disk: by which it is made to last.
    """

    def __init__(self, path: Path, disk: Disk, *, is_native: bool) -> None:
        self._path = path
        self._disk = disk
        self._ours = "native" if is_native else "protobuf"
        self._is_noted = False

    def is_ours(self) -> bool:
        """Return whether the run before read spans as this one does."""
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


def has_rows(client: Client, frames: Sequence[Frame]) -> bool:
    """Return whether the store has every span of these frames."""
    if not frames:
        return False
    instants = sorted({frame.received_ns for frame in frames})
    rows = client.query(_ROWS, parameters={"received_ns": instants}).result_rows
    return int(rows[0][0]) >= sum(frame.items for frame in frames)

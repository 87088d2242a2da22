"""I/O: takes the tokens back of inserts that a killed process had not finished.

The engine notes the token of an insert before it gives the part its name: a process that is killed
in between leaves a token without rows, and the same insert is then taken for done, for good
(measured with a kill at that `rename`: the retry answers OK, and there are no rows). Both happen
under the lock of the table, so it is what was noted last, if any of it.

    store/5f2/5f225522-…/                         a table
        20261129_5_9_1                            a part: partition, first and last block, level
        deduplication_logs/deduplication_log_1.txt
            1 TAB 20261129_5_5_0 TAB TOKEN        in: the part that it made, and the token's digest
            2 TAB …                               taken back
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

# The engine holds this file locked while it runs.
LOCK_FILE: Final = "status"
_LOGS: Final = "store/*/*/deduplication_logs"
_NUMBER: Final = re.compile(r"deduplication_log_(\d+)\.txt")
_PART: Final = re.compile(r"(.+?)_(\d+)_(\d+)_\d+(?:_\d+)?")
# An insert notes one line for each day that it has rows of.
_TAIL_BYTES: Final = 64 * 1024


class _Part(NamedTuple):
    partition: str
    first: int  # its blocks, both of them in it
    last: int


def forget_unfinished(store: Path) -> None:
    """Take tokens back that have no part, if no process has the store open.

    Args:
        store: the directory of the embedded engine; there may be nothing in it.

    Raises:
        OSError: a file in it cannot be used.
    """
    try:
        lock = (store / LOCK_FILE).open("rb")
    except FileNotFoundError:
        return  # it was never opened
    with lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for logs in store.glob(_LOGS):
            _forget(logs)


def _forget(logs: Path) -> None:
    numbered = {int(found[1]): path for path in logs.iterdir() if (found := _numbered(path))}
    # The engine begins the next one after the line that fills one.
    newest = [numbered[number] for number in sorted(numbered) if numbered[number].stat().st_size]
    if not newest:
        return
    with newest[-1].open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size - _TAIL_BYTES))
        kept = _kept(file.read(), logs.parent)
        if begin + kept < size:
            file.truncate(begin + kept)


def _numbered(path: Path) -> re.Match[str] | None:
    return _NUMBER.fullmatch(path.name)


def _kept(tail: bytes, table: Path) -> int:
    """Return how many bytes of the end of a log are before the tokens that have no part."""
    kept = tail.rfind(b"\n") + 1  # a line that is cut short has no part either
    while kept:
        begin = tail.rfind(b"\n", 0, kept - 1) + 1
        operation, _, rest = tail[begin:kept].decode().partition("\t")
        part = _part_of(rest.partition("\t")[0])
        if operation != "1" or part is None or _is_there(part, table):
            return kept
        kept = begin
    return kept


def _part_of(name: str) -> _Part | None:
    found = _PART.fullmatch(name)
    return _Part(found[1], int(found[2]), int(found[3])) if found else None


def _is_there(part: _Part, table: Path) -> bool:
    """Return whether a part has its name, or one does that it was merged into."""
    for name in os.listdir(table):  # noqa: PTH208  a table may have thousands, and names do
        other = _part_of(name)
        if (
            other is not None
            and other.partition == part.partition
            and other.first <= part.first
            and part.last <= other.last
        ):
            return True
    return False

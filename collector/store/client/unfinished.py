"""I/O: takes the tokens back of inserts that were not finished.

The engine notes the token of an insert before it gives the part its name: where it is killed in
between, or the disk refuses the name, there is a token without rows, and the same insert is then
taken for done, for good (measured with a kill and with an error at that `rename`: the retry answers
OK, and there are no rows). Both happen under the lock of the table, so it is what was noted last,
if any of it.

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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.config import StoreConfig
from collector.core.errors import MillworthError, first_line
from collector.core.log import get_logger

_LOG = get_logger("collector")

# A merge of any kind would drop what is over its time by the clock of this machine, which may be
# wrong: collector.store.lapses does it by one that is watched. Tables that come later need it too.
KEEP_LAPSED: Final = "SYSTEM STOP TTL MERGES"
# The engine holds this file locked while it runs.
LOCK_FILE: Final = "status"
_LOGS_NAME: Final = "deduplication_logs"
_LOGS: Final = f"store/*/*/{_LOGS_NAME}"
_TABLES: Final = """
SELECT name, data_paths FROM system.tables
WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')
"""
_AWAY: Final = """
SELECT table FROM system.detached_tables WHERE database = currentDatabase() AND NOT is_permanently
"""
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


def after_failure(config: StoreConfig, connect: Callable[[], Client]) -> None:
    """Let what failed be made again: to be called between a failure and the next attempt.

    Args:
        config: of the store; of a server nobody but itself knows what it noted.
        connect: returns the connection of the calling thread.
    """
    if config.embedded_path is None:
        return
    try:
        tables = forget_failed(connect())
    except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
        _LOG.warning("failed_insert_not_forgotten", reason=first_line(error))
    else:
        if tables:
            _LOG.warning("failed_insert_forgotten", tables=tables)


def forget_failed(client: Client) -> list[str]:
    """Take tokens back of inserts that failed, while the embedded engine runs; return the tables.

    It reads what it noted when it attaches a table, so that each of these is away for a moment. One
    that could not be attached the last time is attached first.

    Raises:
        ClickHouseError, OSError: the engine or the disk refuses; to be tried again.
    """
    for (table,) in client.query(_AWAY).result_rows:
        _attach(client, table)
    found = []
    for table, paths in client.query(_TABLES).result_rows:
        logs = [each for path in paths if (each := Path(path) / _LOGS_NAME).is_dir()]
        if not any(_forget(each, dry_run=True) for each in logs):
            continue
        client.command("DETACH TABLE {table:Identifier} SYNC", parameters={"table": table})
        try:
            # Another insert may have been between the two steps, and is through now.
            if [each for each in logs if _forget(each)]:
                found.append(str(table))
        finally:
            _attach(client, table)
    return found


def _attach(client: Client, table: str) -> None:
    client.command("ATTACH TABLE {table:Identifier}", parameters={"table": table})
    client.command(KEEP_LAPSED)  # what was asked of the table before went with it


def _forget(logs: Path, *, dry_run: bool = False) -> bool:
    """Take tokens back of one table; return whether there were any."""
    numbered = {int(found[1]): path for path in logs.iterdir() if (found := _numbered(path))}
    # The engine begins the next one after the line that fills one.
    newest = [numbered[number] for number in sorted(numbered) if numbered[number].stat().st_size]
    if not newest:
        return False
    with newest[-1].open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size - _TAIL_BYTES))
        kept = _kept(file.read(), logs.parent)
        is_unfinished = begin + kept < size
        if is_unfinished and not dry_run:
            file.truncate(begin + kept)
        return is_unfinished


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
    with os.scandir(table) as entries:
        return any(
            entry.is_dir()
            and (other := _part_of(entry.name)) is not None
            and other.partition == part.partition
            and other.first <= part.first
            and part.last <= other.last
            for entry in entries
        )

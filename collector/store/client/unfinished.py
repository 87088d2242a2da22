"""I/O: takes the tokens back of inserts that were not finished.

The engine notes the token of an insert before it gives the part its name: where it is killed in
between, or the disk refuses the name, there is a token without rows, and the same insert is then
taken for done, for good (measured with a kill and with an error at that `rename`: the retry answers
OK, and there are no rows). Both happen under the lock of the table, so that it is among what was
noted last.

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
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.config import StoreConfig
from collector.core.errors import MillworthError, first_line
from collector.core.log import get_logger
from collector.store.client.held import LOCK_FILE

_LOG = get_logger("collector")

# A merge of any kind would drop what is over its time by the clock of this machine, which may be
# wrong: collector.store.lapses does it by one that is watched. Tables that come later need it too.
KEEP_LAPSED: Final = "SYSTEM STOP TTL MERGES"
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
# An insert notes one line for each day that it has rows of; others may have come since.
_TAIL_BYTES: Final = 16 * 1024
# A part gets its name within milliseconds.
_COMMIT_S: Final = 0.1
# A table that one thread has detached is no table that another may attach.
_ONE_AT_A_TIME: Final = threading.Lock()


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
    except FileNotFoundError:  # as an engine leaves it that was ended
        _forget_all(store)
        return
    with lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _forget_all(store)


def _forget_all(store: Path) -> None:
    for logs in store.glob(_LOGS):
        _forget(logs)


def after_failure(config: StoreConfig, connect: Callable[[], Client]) -> bool:
    """Let what failed be made again: to be called between a failure and the next attempt.

    Args:
        config: of the store; of a server nobody but itself knows what it noted.
        connect: returns the connection of the calling thread.

    Returns:
        Whether it can be made now; else an attempt may be taken for done, and this has to be called
        again first.
    """
    if config.embedded_path is None:
        return True
    try:
        tables = forget_failed(connect())
    except (MillworthError, ClickHouseError, RuntimeError, OSError) as error:
        _LOG.warning("failed_insert_not_forgotten", reason=first_line(error))
        return False
    if tables:
        _LOG.warning("failed_insert_forgotten", tables=tables)
    return True


def forget_failed(client: Client) -> list[str]:
    """Take tokens back of inserts that failed, while the embedded engine runs; return the tables.

    It reads what it noted when it attaches a table, so that each of these is away until those who
    read it have ended. One that could not be attached the last time is attached first.

    Raises:
        ClickHouseError, OSError: the engine or the disk refuses; to be tried again.
    """
    with _ONE_AT_A_TIME:
        for (table,) in client.query(_AWAY).result_rows:
            with _logged(str(table)):
                _attach(client, table)
        return [
            str(table)
            for table, paths in client.query(_TABLES).result_rows
            if _forget_in(client, table, [Path(path) / _LOGS_NAME for path in paths])
        ]


def _forget_in(client: Client, table: str, every: Sequence[Path]) -> bool:
    """Take tokens back of one table; return whether there were any."""
    logs = [each for each in every if each.is_dir()]
    in_doubt = _unfinished(logs)
    if not in_doubt:
        return False
    # An insert that is under way is through by then, and what was left behind is as it was.
    threading.Event().wait(_COMMIT_S)
    if not in_doubt & _unfinished(logs):
        return False
    client.command("DETACH TABLE {table:Identifier} SYNC", parameters={"table": table})
    try:
        # Another insert may have been between the two steps, and is through now.
        forgotten = [_forget(each) for each in logs]
        return any(forgotten)
    finally:
        with _logged(table):
            _attach(client, table)


def _attach(client: Client, table: str) -> None:
    client.command("ATTACH TABLE {table:Identifier}", parameters={"table": table})
    client.command(KEEP_LAPSED)  # what was asked of the table before went with it


@contextmanager
def _logged(table: str) -> Iterator[None]:
    """Go on where a table cannot be attached: nothing gets into it by that, and others go on."""
    try:
        yield
    except (ClickHouseError, RuntimeError) as error:
        _LOG.error("table_away", table=table, reason=first_line(error))


def _unfinished(every: Sequence[Path]) -> set[bytes]:
    """Return the lines of these logs whose tokens have no part."""
    unfinished: set[bytes] = set()
    for logs in every:
        newest = _newest(logs)
        if newest is not None:
            with newest.open("rb") as file:
                file.seek(max(0, newest.stat().st_size - _TAIL_BYTES))
                unfinished |= _split(file.read(), logs.parent)[1]
    return unfinished


def _forget(logs: Path) -> bool:
    """Take tokens back of one table; return whether there were any."""
    newest = _newest(logs)
    if newest is None:
        return False
    with newest.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size - _TAIL_BYTES))
        kept, unfinished = _split(file.read(), logs.parent)
        if unfinished:
            file.seek(begin)
            file.write(kept)
            file.truncate()
    return bool(unfinished)


def _newest(logs: Path) -> Path | None:
    """Return the newest log that holds something: one that a line fills is followed by another."""
    numbered = {
        int(match[1]): path
        for path in logs.iterdir()
        if (match := _NUMBER.fullmatch(path.name)) and path.stat().st_size
    }
    return numbered[max(numbered)] if numbered else None


def _split(tail: bytes, table: Path) -> tuple[bytes, set[bytes]]:
    """Return the end of a log without the lines whose tokens have no part, and those.

    A number is used again where its part got no name: the later line is of the part that is there.
    A part that was dropped has gone with its token, which a later line says.
    """
    lines = tail.splitlines(keepends=True)
    parts = _parts(table)
    last = {name: index for index, line in enumerate(lines) if (name := _added(line)) is not None}
    last_of_token = {_token(line): index for index, line in enumerate(lines)}
    kept, unfinished = list[bytes](), set[bytes]()
    for index, line in enumerate(lines):
        is_last = last_of_token[_token(line)] == index
        name = _added(line) if is_last else None
        part = None if name is None else _part_of(name)
        # A line that is cut short has no part either.
        is_whole = line.endswith(b"\n")
        is_in = part is None or (
            last[str(name)] == index
            # It has its name, or one does that it was merged into.
            and any(
                other.first <= part.first and part.last <= other.last
                for other in parts.get(part.partition, ())
            )
        )
        if is_whole and is_in:
            kept.append(line)
        else:
            unfinished.add(line)
    return b"".join(kept), unfinished


def _added(line: bytes) -> str | None:
    """Return which part a line says was added, None where it says something else."""
    operation, _, rest = line.decode(errors="replace").partition("\t")
    return rest.partition("\t")[0] if operation == "1" else None


def _token(line: bytes) -> bytes:
    return line.rpartition(b"\t")[2]


def _parts(table: Path) -> dict[str, list[_Part]]:
    """Return the parts that a table has, by partition."""
    by_block: dict[str, list[_Part]] = {}
    with os.scandir(table) as entries:
        for entry in entries:
            part = _part_of(entry.name)
            if part is not None and entry.is_dir():
                by_block.setdefault(part.partition, []).append(part)
    return by_block


def _part_of(name: str) -> _Part | None:
    match = _PART.fullmatch(name)
    return _Part(match[1], int(match[2]), int(match[3])) if match else None

"""I/O: gives tables other TTLs while they are in use.

A part knows when its rows lapse, and by that it is dropped, until it is recalculated for another
TTL. That takes long where parts are many, so it goes on in the background, and until it is done
the table's TTL merges are stopped: nothing lapses by what was said before. A setting of the table
marks the change, so that whoever comes after a process that was killed goes on with it. Until they
do, the engine merges from the moment that it is opened, and a merge of any kind drops what is over
its time: so others of the table's settings keep it from all merges meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from collector.core.clock import ClockWatch
from collector.core.log import get_logger
from collector.core.sql import fill
from collector.core.times import NS_PER_S
from collector.store.client.unfinished import KEEP_LAPSED
from collector.store.client.unmerged import CHANGING_MARK, NO_MERGES
from collector.store.connect import Connections
from collector.store.lapses import drop_lapsed, lapses_by_itself
from collector.store.schema.cluster import render

_LOG = get_logger("collector")

# In what the engine writes of a table, a TTL stands between the keys and the settings.
_TTL_IN_FORCE: Final = re.compile(r"\sTTL (?P<ttl>.+?)(?=\sSETTINGS\s|$)", re.DOTALL)
_MARKED: Final = f"{CHANGING_MARK} = 1"
_WHILE_CHANGING: Final = {
    CHANGING_MARK: 1,  # also what makes the parts learn their times without a row being rewritten
    "max_number_of_merges_with_ttl_in_pool": 0,
    **NO_MERGES,
}
_THERE: Final = (
    "SELECT name, any(create_table_query), any(partition_key), sum(total_rows), sum(total_bytes)"
    " FROM ${source} WHERE database = {database:String} AND name IN {names:Array(String)}"
    " GROUP BY name"
)
_CHANGING: Final = (
    "SELECT DISTINCT name FROM ${source} WHERE database = {database:String}"
    " AND endsWith(engine, 'MergeTree')"  # the text of a view takes as long as that of its table
    " AND position(engine_full, {marked:String}) > 0 ORDER BY name"
)
_TO_DO: Final = (
    "SELECT table, sum(parts_to_do), max(latest_fail_reason) FROM ${source}"
    " WHERE database = {database:String} AND NOT is_done"
    " AND command LIKE '%MATERIALIZE TTL%' GROUP BY table"
)


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A table as the engine has it; `name` is ours."""

    name: str
    ttl: str
    partition_key: str
    rows: int
    bytes: int
    is_changing: bool  # parts may not know the TTL yet


@dataclass(frozen=True, slots=True)
class Change:
    """How far a table's change is."""

    parts: int  # to do
    failed: str  # why one could not be recalculated, "" where none failed


def read_tables(client: Client, names: Sequence[str], cluster: str) -> list[KeptTable]:
    """Return those of the tables that are there; a cluster's rows are summed."""
    suffix = _suffix(cluster)
    rows = client.query(
        fill(_THERE, source=_source("tables", cluster)),
        parameters={
            "database": client.database,
            "names": [f"{name}{suffix}" for name in names],
        },
    ).result_rows
    kept_tables = []
    for name, text, partition_key, row_count, byte_count in rows:
        match = _TTL_IN_FORCE.search(str(text))
        kept_tables.append(
            KeptTable(
                name=str(name).removesuffix(suffix),
                ttl=match["ttl"] if match is not None else "",
                partition_key=str(partition_key),
                rows=int(row_count or 0),
                bytes=int(byte_count or 0),
                is_changing=_MARKED in str(text),
            )
        )
    return kept_tables


def begin_change(client: Client, table: str, ttl: str, cluster: str) -> None:
    """Give a table a TTL; from now on no row of it lapses until `finish_changes` says so."""
    for statement in change_statements(table, ttl, str(client.database), cluster):
        client.command(
            statement,
            # The engine would wait for every part, and hold up all who insert meanwhile.
            settings={"materialize_ttl_after_modify": 0, "mutations_sync": 0, "alter_sync": 1},
        )


def resume_change(client: Client, table: KeptTable, cluster: str) -> None:
    """Go on with the change of a table that a process left behind when it was killed."""
    begin_change(client, table.name, table.ttl, cluster)


def finish_changes(client: Client, cluster: str = "") -> dict[str, Change]:
    """End the changes whose parts are all recalculated; return the others by table.

    Raises:
        ClickHouseError: the store failed; a next call goes on.
    """
    database, suffix = str(client.database), _suffix(cluster)
    changing = client.query(
        fill(_CHANGING, source=_source("tables", cluster)),
        parameters={"database": database, "marked": _MARKED},
    ).result_rows
    if not changing:
        return {}
    rows = client.query(
        fill(_TO_DO, source=_source("mutations", cluster)),
        parameters={"database": database},
    ).result_rows
    to_do = {
        str(table).removesuffix(suffix): Change(int(parts), str(failed))
        for table, parts, failed in rows
    }
    for (stored,) in changing:
        table = str(stored).removesuffix(suffix)
        if table not in to_do:
            if lapses_by_itself(client):
                # In this order: merges that are stopped without the mark, nobody would start.
                client.command(_merges("START", table, database, cluster))
            names = ", ".join(_WHILE_CHANGING)
            client.command(f"ALTER TABLE {_altered(table, cluster)} RESET SETTING {names}")
    return to_do


class RetentionJob:
    """Puts into force what a start left to do, and lets rows lapse whose parts know their TTL.

    Args:
        store: whose tables they are.
        begin: begins every change that the policy asks for, and those that were left behind;
            returns the tables.
        watch: of the clock by which rows lapse.
    """

    def __init__(
        self, store: Connections, begin: Callable[[], Sequence[str]], watch: ClockWatch
    ) -> None:
        self._store = store
        self._begin: Callable[[], Sequence[str]] | None = begin
        self._watch = watch
        self.ahead_ns = 0  # of what was known, where nothing lapses for it; negative: behind
        self.to_do: dict[str, Change] = {}  # by table, as the last run found them

    def run_once(self, now_ns: int) -> None:
        """Begin what is left to do, once, end what is done, and drop what is over its time."""
        # First: a change of which only the mark is there has nothing to do, and is not done.
        if self._begin is not None:
            if changed := self._begin():
                _LOG.info("retention_changed", tables=changed)
            self._begin = None
        before = self.to_do
        self.to_do = finish_changes(self._store.client(), self._store.config.cluster)
        if ended := sorted(before.keys() - self.to_do.keys()):
            _LOG.info("retention_applied", tables=ended)
        client = self._store.client()
        if not lapses_by_itself(client):
            self._lapse(client, now_ns)

    def _lapse(self, client: Client, now_ns: int) -> None:
        """Drop what is over its time, unless the clock that says so is in doubt."""
        before_ns, self.ahead_ns = self.ahead_ns, self._watch.look(now_ns)
        if self.ahead_ns and not before_ns:
            _LOG.error("clock_in_doubt", ahead_s=self.ahead_ns / NS_PER_S)
        elif before_ns and not self.ahead_ns:
            _LOG.info("clock_believed", was_ahead_s=before_ns / NS_PER_S)
        client.command(KEEP_LAPSED)  # of tables too that were made since
        if not self.ahead_ns and (dropped := drop_lapsed(client, now_ns // NS_PER_S, self.to_do)):
            _LOG.info("rows_lapsed", **dropped)


def change_statements(table: str, ttl: str, database: str, cluster: str) -> tuple[str, ...]:
    """Return the statements that begin a change, in order."""
    name = _altered(table, cluster)
    settings = ", ".join(f"{setting} = {value}" for setting, value in _WHILE_CHANGING.items())
    return (
        f"ALTER TABLE {name} MODIFY SETTING {settings}",
        _merges("STOP", table, database, cluster),
        f"ALTER TABLE {name} MODIFY TTL {ttl}",
        f"ALTER TABLE {name} MATERIALIZE TTL",
    )


def _altered(table: str, cluster: str) -> str:
    return render(f"{table}${{local}} ${{on_cluster}}", cluster).strip()


def _merges(verb: str, table: str, database: str, cluster: str) -> str:
    return render(f"SYSTEM {verb} TTL MERGES ${{on_cluster}} {database}.{table}${{local}}", cluster)


def _suffix(cluster: str) -> str:
    return "_local" if cluster else ""


def _source(table: str, cluster: str) -> str:
    return f"clusterAllReplicas('{cluster}', system.{table})" if cluster else f"system.{table}"

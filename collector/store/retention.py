"""I/O: puts the retention policy and legal holds into the TTLs of the tables, and reads them back.

TTLs are compared as the engine itself writes them. `ttl_change` puts another one in force.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.audit.log import append_audit
from collector.audit.seal import AuditSeal
from collector.core.errors import NotFoundError
from collector.core.sql import fill, sql
from collector.core.times import NS_PER_S, S_PER_DAY
from collector.store.errors import explain
from collector.store.lapses import Part, is_sooner, read_parts, unsaid
from collector.store.retention_policy import (
    Hold,
    RetentionConfig,
    TableRetention,
    checked_hold,
    held_condition,
    problems_of,
    slack_s,
    ttl_expression,
)
from collector.store.schema.migrate import MIGRATIONS_DIR
from collector.store.ttl_change import (
    KeptTable,
    begin_change,
    finish_changes,
    read_tables,
    resume_change,
)

_HOLDS: Final = sql("holds", __file__)
_TTL_LINE: Final = re.compile(
    r"^TTL (?P<event>.+) \+ INTERVAL (?P<lasts>\d+ (?:DAY|YEAR))$", re.MULTILINE
)
_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\$\{local\}")
_TTL_OF_ALTER: Final = re.compile(r"MODIFY TTL (?P<ttl>.+?)\)?$", re.DOTALL)
# Filled with expressions of the migrations and of the policy; values are bound.
_OLDEST: Final = (
    "SELECT toUnixTimestamp(min(${event})), countIf(${event} < toDateTime({cutoff_s:UInt32})"
    " AND NOT (${held})), count() FROM ${table} WHERE ${of}"
)
_CHANGING: Final = threading.Lock()
_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class LastingTable:
    """A table with a TTL, as its migration has it."""

    event: str  # the DateTime of a row's event
    made_with: str  # `30 DAY`


@cache
def kept_tables() -> Mapping[str, LastingTable]:
    """Return the tables that have a TTL, by name."""
    tables = {}
    for path in sorted(MIGRATIONS_DIR.glob("*/[0-9]*.sql")):
        text = path.read_text(encoding="utf-8")
        table, ttl = _TABLE.search(text), _TTL_LINE.search(text)
        if table is not None and ttl is not None:
            tables[table[1]] = LastingTable(ttl["event"], ttl["lasts"])
    return tables


def begin_retention(
    client: Client,
    config: RetentionConfig,
    *,
    accepted_days: int = 0,
    cluster: str = "",
    sooner: bool = True,
) -> list[str]:
    """Give every table the TTL that policy and holds ask for; return those that were changed.

    From here on nothing of them lapses by what was said before; what does, lapses once
    `finish_changes` has found that all their parts are recalculated, which is not waited for.

    Args:
        accepted_days: how old a span may be that the collector accepts.
        sooner: whether those tables too whose rows are to lapse sooner, and those whose change was
            left behind; that takes seconds in which nothing is lost, and can wait.

    Raises:
        ConfigError: the policy names a table that is not there, or lapses what is accepted.
        StoreRefusedError: the store's user may not alter tables.
        StoreUnavailableError: the store failed; what was changed stays, and a next call goes on.
    """
    check_retention(config, accepted_days)
    try:
        with _CHANGING:
            for table in _tables(client, cluster):
                if table.is_changing and sooner:
                    resume_change(client, table, cluster)
            return _apply(client, config, read_holds(client), cluster, sooner=sooner)
    except ClickHouseError as error:
        raise explain(error, str(client.uri)) from error


def apply_retention(
    client: Client,
    config: RetentionConfig,
    *,
    accepted_days: int = 0,
    cluster: str = "",
    progress: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Do what `begin_retention` does, and wait until it is finished.

    Args:
        progress: is given how many parts are still to do, again and again.
    """
    changed = begin_retention(client, config, accepted_days=accepted_days, cluster=cluster)
    try:
        while to_do := finish_changes(client, cluster):
            progress(sum(change.parts for change in to_do.values()))
            time.sleep(_POLL_S)
    except ClickHouseError as error:
        raise explain(error, str(client.uri)) from error
    return changed


def check_retention(config: RetentionConfig, accepted_days: int) -> None:
    """Raise ConfigError as `apply_retention` does, without a store."""
    config.check({name: kept.made_with for name, kept in kept_tables().items()}, accepted_days)


def _apply(
    client: Client,
    config: RetentionConfig,
    holds: Sequence[Hold],
    cluster: str,
    *,
    sooner: bool = True,
) -> list[str]:
    changed = []
    expected = _expected(client, config, holds)
    for table in _tables(client, cluster):
        in_force = expected[table.name].in_force
        if table.ttl == in_force or (not sooner and is_sooner(in_force, table.ttl)):
            continue
        begin_change(client, table.name, expected[table.name].sql, cluster)
        changed.append(table.name)
    return changed


def read_holds(client: Client) -> list[Hold]:
    """Return every hold in order of its making, those that were released too."""
    return [
        Hold(str(name), tuple(tables), *rest)
        for name, tables, *rest in client.query(_HOLDS).result_rows
    ]


def add_hold(
    client: Client,
    config: RetentionConfig,
    hold: Hold,
    *,
    cluster: str = "",
    seal: AuditSeal | None = None,
) -> Hold:
    """Make a hold, put it into the audit table, and into the TTLs.

    It is in force when this returns: what it may be about does not lapse until `finish_changes`
    finds that every part knows of it. A process that is killed on the way leaves the hold: the
    next start puts it into the TTLs, and until then `verify retention` says that they are not as
    they should be.

    Raises:
        InputError: the hold cannot be as it is.
    """
    with _CHANGING:
        holds = read_holds(client)
        checked_hold(hold, holds, sorted(kept_tables()))
        _write(client, hold, "hold_added", seal)
        _apply(client, config, [*holds, hold], cluster)
    return hold


def release_hold(
    client: Client,
    config: RetentionConfig,
    name: str,
    *,
    actor: str,
    now_ns: int,
    cluster: str = "",
    seal: AuditSeal | None = None,
) -> Hold:
    """End a hold: what it kept lapses as its table's policy says. Raises InputError."""
    with _CHANGING:
        holds = {hold.name: hold for hold in read_holds(client)}
        if name not in holds or holds[name].released_ns:
            in_force = ", ".join(h.name for h in holds.values() if not h.released_ns) or "none"
            raise NotFoundError(f"hold {name} is not in force; those in force: {in_force}")
        # The later row counts, whatever the clock says by now.
        at_ns = max(now_ns, holds[name].at_ns + 1)
        released = replace(holds[name], actor=actor, at_ns=at_ns, released_ns=at_ns)
        _write(client, released, "hold_released", seal)
        holds[name] = released
        _apply(client, config, list(holds.values()), cluster)
    return released


def _write(client: Client, hold: Hold, action: str, seal: AuditSeal | None) -> None:
    client.insert("holds", [list(astuple(hold))], column_names=[f.name for f in fields(Hold)])
    detail = {
        "name": hold.name,
        "tables": list(hold.tables),
        "from_ns": hold.from_ns,
        "to_ns": hold.to_ns,
        "reason": hold.reason,
    }
    append_audit(
        client,
        at_ns=hold.at_ns,
        actor=hold.actor,
        action=action,
        detail=json.dumps(detail),
        seal=seal,
    )


def read_retention(
    client: Client, config: RetentionConfig, now_ns: int, *, cluster: str = ""
) -> list[TableRetention]:
    """Return every table that has a TTL, by name, with what is wrong with it."""
    holds = read_holds(client)
    expected = _expected(client, config, holds)
    tables = sorted(_tables(client, cluster), key=lambda table: table.name)
    # A part that is to learn another TTL still has the times of the last one.
    settled = {table.name: table.ttl for table in tables if not table.is_changing}
    parts = {} if cluster else read_parts(client, settled)
    return [
        _judge(client, config, table, expected[table.name], holds, parts.get(table.name), now_ns)
        for table in tables
    ]


def _judge(
    client: Client,
    config: RetentionConfig,
    table: KeptTable,
    expected: _Expected,
    holds: Iterable[Hold],
    parts: Sequence[Part] | None,
    now_ns: int,
) -> TableRetention:
    in_force = [hold for hold in holds if hold.covers(table.name)]
    kept = kept_tables()[table.name]
    days, slack = config.days(table.name, kept.made_with), slack_s(table.partition_key)
    oldest_s, overdue = None, 0
    if table.rows:
        # A part with a held row is kept whole, so its neighbours in time are no finding.
        held_sql = held_condition(kept.event, in_force, margin_s=slack) if in_force else "false"
        cutoff_s = max(0, now_ns // NS_PER_S - days * S_PER_DAY - slack)
        oldest_s, overdue = _ages(client, table.name, kept.event, held_sql, parts, cutoff_s)
    row = TableRetention(
        table=table.name,
        days=days,
        ttl=table.ttl,
        ttl_as_configured=table.ttl == expected.in_force,
        is_changing=table.is_changing,
        holds=[hold.name for hold in in_force],
        rows=table.rows,
        bytes=table.bytes,
        oldest_ns=None if oldest_s is None else oldest_s * NS_PER_S,
        slack_days=slack / S_PER_DAY,
        overdue_rows=overdue,
    )
    return replace(row, problems=problems_of(row, expected.in_force))


def _ages(
    client: Client,
    table: str,
    event: str,
    held_sql: str,
    parts: Sequence[Part] | None,
    cutoff_s: int,
) -> tuple[int | None, int]:
    """Return the event of the oldest row, and how many rows that are not held are older.

    Args:
        parts: as far as they are known; the others, and those of which too little is, are read.
    """
    read = None if parts is None else unsaid(parts, cutoff_s)
    noted = [part for part in parts or () if part.name not in (read or ())]
    oldest = [part.oldest_s for part in noted if part.oldest_s is not None]
    overdue = sum(part.rows for part in noted if (part.newest_s or 0) < cutoff_s)
    if read is None or read:
        condition = "true" if read is None else "_part IN {parts:Array(String)}"
        parameters = {"cutoff_s": cutoff_s, "parts": read or []}
        text = fill(_OLDEST, event=event, held=held_sql, table=table, of=condition)
        ((first_s, older, count),) = client.query(text, parameters=parameters).result_rows
        oldest += [int(first_s)] if count else []
        overdue += int(older)
    return min(oldest, default=None), overdue


@dataclass(frozen=True, slots=True)
class _Expected:
    """A TTL as it is sent, and as the engine writes it."""

    sql: str
    in_force: str


def _expected(
    client: Client, config: RetentionConfig, holds: Iterable[Hold]
) -> dict[str, _Expected]:
    """Return the TTL of every table. One question for all: the engine formats each text."""
    listed = list(holds)
    wanted = {
        table: ttl_expression(
            kept.event,
            config.interval(table, kept.made_with),
            [hold for hold in listed if hold.covers(table)],
        )
        for table, kept in kept_tables().items()
    }
    alters = [f"ALTER TABLE t MODIFY TTL {ttl}" for ttl in wanted.values()]
    rows = client.query(
        "SELECT formatQuerySingleLine(arrayJoin({alters:Array(String)}))",
        parameters={"alters": alters},
    ).result_rows
    expected = {}
    for (table, ttl), (written,) in zip(wanted.items(), rows, strict=True):
        match = _TTL_OF_ALTER.search(str(written))
        assert match is not None, written
        expected[table] = _Expected(ttl, match["ttl"])
    return expected


def _tables(client: Client, cluster: str) -> list[KeptTable]:
    return read_tables(client, list(kept_tables()), cluster)

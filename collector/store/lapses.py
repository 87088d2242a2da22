"""I/O: how old the rows of a table are, from what the engine notes of its parts; drops the oldest.

The embedded engine drops nothing by itself: its clock is the machine's, and one that is a month
ahead for some seconds would take all that is kept. But a merge that begins while it is opened goes
by it still, so a command that looks opens it without. Of a server the server's clock decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.sql import sql
from collector.core.times import S_PER_DAY

_LAPSES: Final = sql("part_lapses", __file__)
# Of a held row a part notes when the hold ends, and years differ in length: these parts are read.
_PLAIN_TTL: Final = re.compile(r"^.* \+ toIntervalDay\((?P<days>\d+)\)$")
_HELD: Final = "if("
_MERGED_MEANWHILE: Final = "NO_SUCH_DATA_PART"


@dataclass(frozen=True, slots=True)
class Part:
    """A part, and the events of its oldest and newest row in Unix s, None where not noted."""

    name: str
    rows: int
    oldest_s: int | None
    newest_s: int | None


def read_parts(client: Client, ttls: Mapping[str, str]) -> dict[str, list[Part]]:
    """Return the parts of tables, which have these TTLs in force and are in no change of them."""
    days = {table: plain_days(ttl) for table, ttl in ttls.items()}
    parts: dict[str, list[Part]] = {table: [] for table in ttls}
    parameters = {"database": client.database}
    for table, name, rows, first_s, last_s in client.query(
        _LAPSES, parameters=parameters
    ).result_rows:
        if table in parts:
            kept = days[table]
            is_noted = kept is not None and first_s > 0
            kept_s = (kept or 0) * S_PER_DAY
            parts[table].append(
                Part(
                    str(name),
                    int(rows),
                    int(first_s) - kept_s if is_noted else None,
                    int(last_s) - kept_s if is_noted else None,
                )
            )
    return parts


def lapses_by_itself(client: Client) -> bool:
    """Return whether the engine drops what is over its time: a server does."""
    return not str(client.uri).startswith("chdb")


def drop_lapsed(client: Client, now_s: int, changing: Collection[str] = ()) -> dict[str, int]:
    """Drop every part all of whose rows are over their time; return how many rows, by table.

    Args:
        now_s: Unix s by a clock that may be believed.
        changing: tables whose parts may not know their TTL yet; nothing of them is dropped.
    """
    dropped: dict[str, int] = {}
    parameters = {"database": client.database}
    for table, name, rows, _, last_s in client.query(_LAPSES, parameters=parameters).result_rows:
        if not 0 < last_s <= now_s or table in changing:
            continue
        try:
            client.command(f"ALTER TABLE {table} DROP PART '{name}'")
        except ClickHouseError as error:
            if _MERGED_MEANWHILE not in str(error):
                raise
        else:
            dropped[str(table)] = dropped.get(str(table), 0) + int(rows)
    return dropped


def unsaid(parts: Sequence[Part], cutoff_s: int) -> list[str]:
    """Return the parts that have to be read: what is noted does not say how many are as old."""
    return [
        part.name
        for part in parts
        if part.oldest_s is None
        or part.newest_s is None
        or part.oldest_s < cutoff_s <= part.newest_s
    ]


def is_sooner(ttl: str, than: str) -> bool:
    """Return whether every row lapses sooner by a TTL than by another, both of a number of days."""
    days, others = plain_days(ttl), plain_days(than)
    return days is not None and others is not None and days < others


def plain_days(ttl: str) -> int | None:
    """Return after how many days every row lapses, None where a TTL has no such number."""
    match = None if _HELD in ttl else _PLAIN_TTL.match(ttl)
    return None if match is None else int(match["days"])

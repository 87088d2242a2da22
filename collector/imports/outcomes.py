"""I/O: outcomes from CSV, Parquet and JSON. A bad row is named and left out, the rest is kept.

Of rows with one outcome id the latest `occurred_at` counts, and of those the one that came last. A
row that says otherwise than what is stored, and is older, is refused: it would count for nothing.
Importing a file again changes nothing: what is stored as a row says it is not stored once more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from collector.core.clock import Clock
from collector.core.errors import InputError
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, iso_ns, utc_iso
from collector.imports.files import read_records
from collector.imports.values import decimal_of
from collector.otlp.outcomes import AMOUNT_MAX, KINDS, NO, YES

COLUMNS = (
    "outcome_id",
    "kind",
    "decision_id",
    "outcome_key",
    "converted",
    "revenue",
    "margin",
    "currency",
    "channel",
    "occurred_at",
)
# What a log record calls the columns that may name a person or be joined by.
_ATTRIBUTES = {
    "outcome_id": "outcome.id",
    "decision_id": "decision.id",
    "outcome_key": "outcome.key",
    "channel": "outcome.channel",
}
Replace = Callable[[str, str, int], str]  # attribute, value, now_ns
KEPT_DAYS = 30  # the TTL of `outcomes`: what is older would vanish as it is stored
_AMOUNT_PLACES = 6
_UNIX_NS_DIGITS_MAX = 19
_ROWS_PER_INSERT = 50_000
_STORED = sql("stored_outcomes", __file__)
_OF_THE_IMPORT = ("source", "received_ns")  # the last two fields of a row


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One row of `outcomes`, in the order of its columns."""

    outcome_id: str
    kind: str
    decision_id: str
    outcome_key: str
    converted: bool
    revenue: Decimal | None  # None where it is not known
    margin: Decimal | None
    currency: str
    channel: str
    event_ns: int  # when it happened; also its revision
    source: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file."""

    imported: int
    refused: tuple[str, ...]  # one line each: file:line, column, value, remedy


class _BadValue(Exception):  # noqa: N818 - becomes a line of the report
    def __init__(self, column: str, value: str, remedy: str) -> None:
        super().__init__(f"{column} {value[:80]!r}: {remedy}")


def import_outcomes(
    client: Client,
    name: str,
    content: bytes,
    currency_default: str,
    clock: Clock,
    replace: Replace | None = None,
    kept_days: int = KEPT_DAYS,
) -> ImportReport:
    """Import the content of a file that lines of the report call `name`.

    Args:
        clock: the time, by which a row is of the past and arrives when it is inserted.
        replace: what the rules for personal data make of an attribute's value, so that a row still
            finds its decision where that id is replaced.
        kept_days: how long the store keeps outcomes; an older one is refused.
    """
    rows: list[OutcomeRow] = []
    refused: list[str] = []
    now_ns = clock.now_ns()
    for parsed in parse_outcomes(name, content, currency_default, now_ns, replace, kept_days):
        if isinstance(parsed, OutcomeRow):
            rows.append(parsed)
        else:
            refused.append(parsed)
    last: dict[str, OutcomeRow] = {}
    for row in rows:
        if row.outcome_id not in last or last[row.outcome_id].event_ns <= row.event_ns:
            last[row.outcome_id] = row
    counting, older = list(last.values()), list[str]()
    for start in range(0, len(counting), _ROWS_PER_INSERT):
        part, too_old = _news(client, name, counting[start : start + _ROWS_PER_INSERT])
        older += too_old
        if not part:
            continue
        # To read a large file takes longer than attribution, which reads by arrival, looks back.
        received_ns = clock.now_ns()
        client.insert(
            "outcomes",
            [(*astuple(row)[:-1], received_ns) for row in part],
            column_names=[field.name for field in fields(OutcomeRow)],
            # A file may have all days that are kept, and a day is a part.
            settings={"max_partitions_per_insert_block": 0},
        )
    return ImportReport(len(rows) - len(older), (*refused, *older))


def _news(
    client: Client, name: str, rows: Sequence[OutcomeRow]
) -> tuple[list[OutcomeRow], list[str]]:
    """Return the rows that change what counts, and a sentence for each that would and is too old.

    A log is stamped when it is written, which is after the time of the order that a file names.
    """
    asked = {"outcome_ids": [row.outcome_id for row in rows]}
    stored = {before[0]: tuple(before) for before in client.query(_STORED, asked).result_rows}
    news, older = [], []
    for row in rows:
        values, before = astuple(row)[: -len(_OF_THE_IMPORT)], stored.get(row.outcome_id)
        if before is None or (before[-1] <= row.event_ns and before != values):
            news.append(row)
        elif before[-1] > row.event_ns and before[:-1] != values[:-1]:
            older.append(
                f"{name}: outcome_id {row.outcome_id!r}: says something else than what is stored "
                f"of {utc_iso(before[-1])} ({before[-1]} ns), which is later and counts; to "
                "correct that, give an occurred_at that is not before it"
            )
    return news, older


def parse_outcomes(
    name: str,
    content: bytes,
    currency_default: str,
    now_ns: int,
    replace: Replace | None = None,
    kept_days: int = KEPT_DAYS,
) -> Iterator[OutcomeRow | str]:
    """Yield a row for each good line and a sentence for each bad one.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or its header is not one of outcomes.
    """
    file = read_records(name, content, COLUMNS)
    if file.columns is not None and (wrong := _wrong_columns(file.columns)):
        raise InputError(f"{name}: {wrong}")
    for where, record in file.records:
        if isinstance(record, str):
            yield f"{where}: {record}"
            continue
        if file.columns is None and (wrong := _wrong_columns(tuple(record))):
            yield f"{where}: {wrong}"
            continue
        values = record
        if replace is not None:
            values = record | {
                column: replace(attribute, record[column], now_ns)
                for column, attribute in _ATTRIBUTES.items()
                if record.get(column)
            }
        try:
            event_ns = _occurred(values["occurred_at"], now_ns, kept_days)
            yield _row(values, currency_default, (event_ns, now_ns), file.format)
        except _BadValue as error:
            yield f"{where}: {error}"


def _wrong_columns(columns: Sequence[str]) -> str:
    """Return what is wrong with the names of columns, "" where nothing is."""
    for column in columns:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column, COLUMNS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use {', '.join(COLUMNS)}"
            return f"{column!r} is not a column of outcomes; {hint}"
    missing = [column for column in ("outcome_id", "occurred_at") if column not in columns]
    if "decision_id" not in columns and "outcome_key" not in columns:
        missing.append("decision_id or outcome_key")
    return f"lacks {', '.join(missing)}; add what is missing" if missing else ""


def _row(
    values: Mapping[str, str], currency_default: str, at_ns: tuple[int, int], source: str
) -> OutcomeRow:
    """Return a row; `at_ns` is when it happened, and now."""
    if not values["outcome_id"]:
        raise _BadValue("outcome_id", "", "is missing; give an id that stays the same on a retry")
    if not values.get("decision_id") and not values.get("outcome_key"):
        raise _BadValue("decision_id", "", "neither it nor outcome_key is there; give one")
    kind = values.get("kind") or "sale"
    if kind not in KINDS:
        raise _BadValue("kind", kind, f"is not one of {', '.join(KINDS)}")
    currency = values.get("currency") or currency_default
    if not re.fullmatch("[A-Z]{3}", currency):
        raise _BadValue("currency", currency, "is not an ISO 4217 code; write it like USD")
    return OutcomeRow(
        outcome_id=values["outcome_id"],
        kind=kind,
        decision_id=values.get("decision_id", ""),
        outcome_key=values.get("outcome_key", ""),
        converted=_converted(values.get("converted", ""), kind),
        revenue=_amount("revenue", values.get("revenue", "")),
        margin=_amount("margin", values.get("margin", "")),
        currency=currency,
        channel=values.get("channel", ""),
        event_ns=at_ns[0],
        source=source,
        received_ns=at_ns[1],
    )


def _converted(value: str, kind: str) -> bool:
    if not value:
        return kind == "sale"
    if value.lower() not in YES + NO:
        raise _BadValue("converted", value, "is neither true nor false")
    return value.lower() in YES


def _amount(column: str, value: str) -> Decimal | None:
    if not value:
        return None
    amount = decimal_of(value)
    if amount is None:
        raise _BadValue(column, value, "is not a number; write it like 12.50")
    # Compared, not made positive first: the context has no such number as 1e999999999.
    if not -AMOUNT_MAX < amount < AMOUNT_MAX:
        raise _BadValue(column, value, f"is not below {AMOUNT_MAX:,}; correct it or its unit")
    if amount != round(amount, _AMOUNT_PLACES):
        raise _BadValue(column, value, f"has more than {_AMOUNT_PLACES} decimal places")
    return amount


def _occurred(value: str, now_ns: int, kept_days: int) -> int:
    is_number = value.isascii() and value.isdigit() and len(value) <= _UNIX_NS_DIGITS_MAX
    event_ns = int(value) if is_number else _iso_ns(value)
    if not now_ns - kept_days * NS_PER_DAY <= event_ns <= now_ns + NS_PER_DAY:
        wrong = f"is not within the last {kept_days} days, which are kept"
        raise _BadValue("occurred_at", value, wrong)
    return event_ns


def _iso_ns(value: str) -> int:
    ns = iso_ns(value, has_offset=True)
    if ns is not None:
        return ns
    if iso_ns(value) is None:
        what = "is neither ISO 8601 with an offset nor Unix nanoseconds"
    else:
        what = "has no offset; add one, such as Z or +02:00"
    raise _BadValue("occurred_at", value, what)

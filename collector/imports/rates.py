"""I/O: currency rates and ledger totals by day from files; a bad line is named and left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from clickhouse_connect.driver.client import Client

from collector.core.clock import NS_PER_DAY, NS_PER_S
from collector.core.errors import InputError
from collector.imports.files import read_records
from collector.imports.outcomes import ImportReport

_EPOCH = date(1970, 1, 1).toordinal()
_AMOUNT_MAX = Decimal(10) ** 12
_RATE_MAX = Decimal(10) ** 8
YEARS = range(1970, 2100)  # DateTime, by which the store keeps rows, ends in 2106
YEARS_END_NS = int(datetime(YEARS.stop, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S


@dataclass(frozen=True, slots=True)
class DatedFile:
    """One kind of file: its columns, where its rows go, and what a number in it must be."""

    what: str
    table: str
    columns: tuple[str, ...]  # of the file, all of them needed
    places: int  # decimal places of its number
    check: Callable[[Decimal], str]  # what is wrong with a number, "" where nothing is


RATES = DatedFile(
    "rates",
    "currency_rates",
    ("day", "currency", "rate"),
    9,
    lambda rate: "" if 0 < rate < _RATE_MAX else f"is not above 0 and below {_RATE_MAX}",
)
LEDGER = DatedFile(
    "ledger",
    "ledger_days",
    ("day", "currency", "amount"),
    6,
    # Compared, not made positive first: the context has no such number as 1e999999999.
    lambda amount: "" if -_AMOUNT_MAX < amount < _AMOUNT_MAX else f"is not below {_AMOUNT_MAX}",
)


def import_dated(
    client: Client, kind: DatedFile, name: str, content: bytes, now_ns: int, source: str = ""
) -> ImportReport:
    """Import a file; a day that was imported before is replaced.

    Args:
        client: writes.
        kind: RATES or LEDGER.
        name: of the file, for the lines of the report.
        content: CSV, Parquet or JSON.
        now_ns: the revision of its rows.
        source: of a ledger: totals of several sources are added up.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    rows, refused = [], []
    for parsed in parse_dated(kind, name, content):
        if isinstance(parsed, str):
            refused.append(parsed)
        else:
            rows.append(parsed)
    number = kind.columns[2]
    extra = {"source": source} if kind is LEDGER else {}
    if rows:
        client.insert(
            kind.table,
            [[*extra.values(), *row, now_ns] for row in rows],
            column_names=[*extra, "day_ns", "currency", number, "received_ns"],
        )
    return ImportReport(len(rows), tuple(refused))


def parse_dated(
    kind: DatedFile, name: str, content: bytes
) -> Iterator[tuple[int, str, Decimal] | str]:
    """Yield day, currency and number of each good line, and a sentence for each bad one.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    file = read_records(name, content, kind.columns)
    wrong = f"a file of {kind.what} has the columns {', '.join(kind.columns)}"
    if file.columns is not None and sorted(file.columns) != sorted(kind.columns):
        raise InputError(f"{name}: {wrong}")
    found: dict[tuple[int, str], str] = {}  # where each day of each currency stands
    for where, record in file.records:
        if isinstance(record, str):
            yield f"{where}: {record}"
            continue
        if sorted(record) != sorted(kind.columns):
            yield f"{where}: {wrong}"
            continue
        row = _row(kind, where, record)
        # Of two rows of a day the store keeps one, and nobody can say which was meant.
        first = where if isinstance(row, str) else found.setdefault(row[:2], where)
        if first == where:
            yield row
        else:
            yield (
                f"{where}: day {record['day']!r}: {first} has it in {record['currency']}; leave "
                "one, or add them up"
            )


def _row(kind: DatedFile, where: str, values: dict[str, str]) -> tuple[int, str, Decimal] | str:
    number = kind.columns[2]
    try:
        day = date.fromisoformat(values["day"])
    except ValueError:
        return f"{where}: day {values['day'][:40]!r}: is no date; write it like 2026-05-31"
    if day.year not in YEARS:
        return (
            f"{where}: day {values['day'][:40]!r}: is not in {YEARS.start} to {YEARS.stop - 1}; "
            "correct the year"
        )
    if not re.fullmatch("[A-Z]{3}", values["currency"]):
        return (
            f"{where}: currency {values['currency'][:40]!r}: is not an ISO 4217 code; write it "
            "like EUR"
        )
    try:
        amount = Decimal(values[number])
    except InvalidOperation:
        return f"{where}: {number} {values[number][:40]!r}: is not a number; write it like 1.0825"
    wrong = kind.check(amount) if amount.is_finite() else "is not finite"
    if not wrong and amount != round(amount, kind.places):
        wrong = f"has more than {kind.places} decimal places"
    if wrong:
        return f"{where}: {number} {values[number][:40]!r}: {wrong}"
    return (day.toordinal() - _EPOCH) * NS_PER_DAY, values["currency"], amount

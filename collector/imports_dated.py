"""I/O: currency rates and ledger totals by day from CSV files; a bad line is named and left out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from clickhouse_connect.driver.client import Client

from collector.clock import NS_PER_S
from collector.errors import InputError
from collector.imports import ImportReport

_DAY_NS = 86_400 * NS_PER_S
_EPOCH = date(1970, 1, 1).toordinal()
_AMOUNT_MAX = Decimal(10) ** 12
_RATE_MAX = Decimal(10) ** 8


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
    lambda amount: "" if abs(amount) < _AMOUNT_MAX else f"is not below {_AMOUNT_MAX}",
)


def import_dated(
    client: Client, kind: DatedFile, name: str, content: bytes, now_ns: int, source: str = ""
) -> ImportReport:
    """Import a file; a day that was imported before is replaced.

    Args:
        client: writes.
        kind: RATES or LEDGER.
        name: of the file, for the lines of the report.
        content: CSV in UTF-8 with a header.
        now_ns: the revision of its rows.
        source: of a ledger: totals of several sources are added up.

    Raises:
        InputError: it is not CSV with these columns.
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
        InputError: it is not CSV with these columns.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restval="")
    try:
        if sorted(reader.fieldnames or ()) != sorted(kind.columns):
            raise InputError(
                f"{name}:1: a file of {kind.what} has the columns {', '.join(kind.columns)}"
            )
        for record in reader:
            where = f"{name}:{reader.line_num}"
            if None in record:
                yield f"{where}: more values than the header has columns; quote commas"
                continue
            yield _row(kind, where, {column: value.strip() for column, value in record.items()})
    except csv.Error as error:
        raise InputError(
            f"{name}: not CSV after line {reader.line_num}: {error}; repair the line"
        ) from error


def _row(kind: DatedFile, where: str, values: dict[str, str]) -> tuple[int, str, Decimal] | str:
    number = kind.columns[2]
    try:
        day = date.fromisoformat(values["day"])
    except ValueError:
        return f"{where}: day {values['day'][:40]!r}: is no date; write it like 2026-05-31"
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
    return (day.toordinal() - _EPOCH) * _DAY_NS, values["currency"], amount

"""I/O: currency rates and ledger totals by day from files; a bad line is named and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from collector.core.errors import InputError
from collector.imports.files import read_records
from collector.imports.outcomes import ImportReport
from collector.imports.revision import next_revision_ns
from collector.imports.values import BadValueError, currency, day_ns, not_below_max, number

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
    not_below_max,
)


def import_dated(
    client: Client,
    kind: DatedFile,
    name: str,
    content: bytes,
    now_ns: int,
    source: str = "",
    own_currency: str = "",
) -> ImportReport:
    """Import a file; a day that was imported before is replaced.

    Args:
        client: writes.
        kind: RATES or LEDGER.
        name: of the file, for the lines of the report.
        content: CSV, Parquet or JSON.
        now_ns: the time.
        source: of a ledger: totals of several sources are added up.
        own_currency: of the store; a rate of it other than one is refused.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    rows, refused = [], []
    for parsed in parse_dated(kind, name, content, own_currency):
        if isinstance(parsed, str):
            refused.append(parsed)
        else:
            rows.append(parsed)
    number = kind.columns[2]
    extra = {"source": source} if kind is LEDGER else {}
    if rows:
        revision_ns = next_revision_ns(client, kind.table, now_ns)
        client.insert(
            kind.table,
            [[*extra.values(), *row, revision_ns] for row in rows],
            column_names=[*extra, "day_ns", "currency", number, "received_ns"],
        )
    return ImportReport(len(rows), tuple(refused))


def parse_dated(
    kind: DatedFile, name: str, content: bytes, own_currency: str = ""
) -> Iterator[tuple[int, str, Decimal] | str]:
    """Yield day, currency and number of each good line, and a sentence for each bad one.

    Raises:
        InputError: it is none of CSV, Parquet and JSON, or has not these columns.
    """
    file = read_records(name, content, kind.columns)
    wrong = f"a file of {kind.what} has the columns {', '.join(kind.columns)}"
    if file.columns is not None and sorted(file.columns) != sorted(kind.columns):
        raise InputError(f"{name}: {wrong}")
    lines: dict[tuple[int, str], str] = {}  # where each day of each currency stands
    for where, record in file.records:
        if isinstance(record, str):
            yield f"{where}: {record}"
            continue
        if sorted(record) != sorted(kind.columns):
            yield f"{where}: {wrong}"
            continue
        row = _row(kind, where, record)
        if kind is RATES and not isinstance(row, str) and row[1] == own_currency and row[2] != 1:
            row = (
                f"{where}: rate {record['rate']!r}: {own_currency} is the currency that all "
                "amounts are told in (attribution.currency), so its rate is 1; a rate says what "
                f"one of another currency is worth in {own_currency}"
            )
        # Of two rows of a day the store keeps one, and nobody can say which was meant.
        first = where if isinstance(row, str) else lines.setdefault(row[:2], where)
        if first == where:
            yield row
        else:
            yield (
                f"{where}: day {record['day']!r}: {first} has it in {record['currency']}; leave "
                "one, or add them up"
            )


def _row(kind: DatedFile, where: str, values: dict[str, str]) -> tuple[int, str, Decimal] | str:
    column = kind.columns[2]
    try:
        at_ns = day_ns("day", values["day"])
        code = currency("currency", values["currency"])
        amount = number(column, values[column], kind.places, kind.check)
    except BadValueError as error:
        return f"{where}: {error}"
    return at_ns, code, amount

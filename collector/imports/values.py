"""Pure: the values that files of days have: a day, a currency, a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from collector.core.times import NS_PER_DAY, NS_PER_S

YEARS = range(1970, 2100)  # DateTime, by which the store keeps rows, ends in 2106
YEARS_END_NS = int(datetime(YEARS.stop, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S
AMOUNT_MAX = Decimal(10) ** 12
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_EPOCH = date(1970, 1, 1).toordinal()


class BadValueError(Exception):
    """A value that cannot be taken: its column, what it is, and what to do."""

    def __init__(self, column: str, value: str, wrong: str) -> None:
        super().__init__(f"{column} {value[:40]!r}: {wrong}")


def day_ns(column: str, value: str) -> int:
    """Return the beginning of a day, UTC. Raises BadValueError."""
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise BadValueError(column, value, "is not a date; write it like 2026-05-31") from error
    if day.year not in YEARS:
        wrong = f"is not in {YEARS.start} to {YEARS.stop - 1}; correct the year"
        raise BadValueError(column, value, wrong)
    return (day.toordinal() - _EPOCH) * NS_PER_DAY


def currency(column: str, value: str) -> str:
    """Return a code of ISO 4217. Raises BadValueError."""
    if not re.fullmatch("[A-Z]{3}", value):
        raise BadValueError(column, value, "is not an ISO 4217 code; write it like EUR")
    return value


def decimal_of(value: str) -> Decimal | None:
    """Return a number as people write it, None where it is none.

    Decimal itself takes `1_000` and the digits of every script.
    """
    try:
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    except InvalidOperation:  # an exponent beyond all
        return None


def not_below_max(amount: Decimal) -> str:
    """Return what is wrong with an amount of money, "" where nothing is."""
    # Compared, not made positive first: the context has no such number as 1e999999999.
    return "" if -AMOUNT_MAX < amount < AMOUNT_MAX else f"is not below {AMOUNT_MAX}"


def number(
    column: str, value: str, places: int, check: Callable[[Decimal], str] = not_below_max
) -> Decimal:
    """Return a number that the check finds nothing wrong with, of so many decimal places at most.

    Raises:
        BadValueError: it is none.
    """
    amount = decimal_of(value)
    if amount is None:
        raise BadValueError(column, value, "is not a number; write it like 1.0825")
    wrong = check(amount)
    if not wrong and amount != round(amount, places):
        wrong = f"has more than {places} decimal places"
    if wrong:
        raise BadValueError(column, value, wrong)
    return amount

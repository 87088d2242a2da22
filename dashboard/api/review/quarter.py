"""Pure: a quarter of a year, UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.imports.values import YEARS


@dataclass(frozen=True, slots=True)
class Quarter:
    """One quarter of a calendar year."""

    name: str  # 2026Q3
    from_ns: int
    to_ns: int  # not included

    @property
    def days(self) -> int:
        """Return how many days it has."""
        return (self.to_ns - self.from_ns) // NS_PER_DAY


def parse_quarter(text: str) -> Quarter:
    """Return a quarter by its name. Raises InputError where it is none."""
    match = re.fullmatch(r"([0-9]{4})-?[Qq]([1-4])", text)
    if match is None or int(match[1]) not in YEARS:
        raise InputError(f"quarter {text[:40]!r}: is none; write it like 2026Q3")
    year, number = int(match[1]), int(match[2])
    end = (year, 3 * number + 1) if number < 4 else (year + 1, 1)
    return Quarter(f"{year}Q{number}", _ns(year, 3 * number - 2), _ns(*end))


def _ns(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NS_PER_S

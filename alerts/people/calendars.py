"""I/O: the calendars that change what a budget allows, read again when their files change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from alerts.people.calendar import (
    between,
    csv_events,
    ics_events,
    joined,
    mean_factor,
    sessions,
)
from alerts.people.window import Window
from collector.core.config import LocalPath, Section
from collector.core.errors import InputError
from collector.core.log import get_logger
from collector.core.times import NS_PER_DAY

_BYTES_MAX: Final = 1_000_000
# Events are looked for in some days around what is asked, so that this is done once a week.
_BEFORE_NS: Final = 2 * NS_PER_DAY
_AFTER_NS: Final = 8 * NS_PER_DAY

_log = get_logger("alerts")


class CalendarConfig(Section):
    """When something planned runs, and how much more or less a budget allows meanwhile."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=64,
        description="Name, by which rules name it: a to z, 0 to 9 and -",
    )
    path: LocalPath | None = Field(
        default=None,
        description="iCalendar file (.ics), or table (.csv) with the columns starts and ends; it "
        "is read again when it changes",
    )
    exchange: str = Field(
        default="",
        max_length=20,
        description="... or the market identifier code of an exchange, such as XNYS",
    )
    during: Literal["open", "closed"] = Field(
        default="closed", description="Of an exchange: when the factor holds"
    )
    titled: str = Field(
        default="", description="Of an iCalendar file: only events with this in their title"
    )
    zone: str = Field(
        default="",
        description="IANA zone of whole days and of times that name none, such as Europe/Berlin",
    )
    budget_factor: float = Field(
        gt=0,
        le=1_000,
        description="Times what the budget of a rule allows in other time: .5 in a launch, when a "
        "lost dollar counts twice; 10 while the market is closed",
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.path is None) == (not self.exchange):
            raise ValueError(f"calendar {self.name} needs path or exchange, and not both")
        if self.path is not None and self.path.suffix.lower() not in (".ics", ".csv"):
            raise ValueError(f"calendar {self.name}: {self.path} ends with neither .ics nor .csv")
        return self


@dataclass(frozen=True, slots=True)
class _Read:
    """The windows of a calendar in a time, and the state of the file that they are from."""

    within: Window
    windows: tuple[Window, ...]
    stamp: tuple[int, ...] | None


class Calendars:
    """Answers how much a budget allows; for one thread."""

    def __init__(self, configs: Iterable[CalendarConfig]) -> None:
        self._configs = {config.name: config for config in configs}
        self._read: dict[str, _Read] = {}

    def check(self, now_ns: int) -> None:
        """Read every calendar.

        Raises:
            InputError: one cannot be read.
        """
        for config in self._configs.values():
            within = Window(max(0, now_ns - _BEFORE_NS), now_ns + _AFTER_NS)
            self._read[config.name] = _read(config, within)

    def budget_factor(self, names: Iterable[str], from_ns: int, to_ns: int) -> Decimal:
        """Return how many times its usual loss a budget allows in [from, to).

        Factors of calendars that run at the same time are multiplied. A file that cannot be read
        any more stands as it was read last, and is in the log.

        Raises:
            InputError: a calendar could never be read.
        """
        parts = [
            (self._windows(name, from_ns, to_ns), _factor(self._configs[name])) for name in names
        ]
        return mean_factor(parts, from_ns, to_ns) if parts else Decimal(1)

    def factor_bounds(self, names: Iterable[str]) -> tuple[Decimal, Decimal]:
        """Return the least and the most that `budget_factor` can be, whenever it is asked for."""
        factors = [_factor(self._configs[name]) for name in names]
        least = prod((min(each, Decimal(1)) for each in factors), start=Decimal(1))
        return least, prod((max(each, Decimal(1)) for each in factors), start=Decimal(1))

    def _windows(self, name: str, from_ns: int, to_ns: int) -> tuple[Window, ...]:
        config, known = self._configs[name], self._read.get(name)
        holds = known is not None and (
            known.within.starts_ns <= from_ns and to_ns <= known.within.ends_ns
        )
        if known is not None and holds and known.stamp == _stamp(config):
            return known.windows
        begin_ns, end_ns = max(0, from_ns - _BEFORE_NS), to_ns + _AFTER_NS
        try:
            found = _read(config, Window(begin_ns, end_ns))
        except InputError as error:
            if known is None:
                raise
            _log.warning("calendar_not_read", calendar=name, reason=str(error)[:300])
            found = _Read(Window(begin_ns, end_ns), known.windows, _stamp(config))
        self._read[name] = found
        return found.windows


def _read(config: CalendarConfig, within: Window) -> _Read:
    stamp = _stamp(config)
    try:
        windows = _events(config, within)
    except InputError as error:
        of = f" ({config.path})" if config.path is not None else ""
        raise InputError(f"calendar {config.name}{of}: {error}") from error
    return _Read(within, tuple(joined(windows)), stamp)


def _events(config: CalendarConfig, within: Window) -> list[Window]:
    if config.path is None:
        found = sessions(config.exchange, within)
        return between(found, within) if config.during == "closed" else found
    content = _content(config.path)
    if config.path.suffix.lower() == ".ics":
        return ics_events(content, config.zone, config.titled, within)
    try:
        return csv_events(content.decode("utf-8-sig"), config.zone)
    except UnicodeDecodeError as error:
        raise InputError("it is not UTF-8; save it as UTF-8") from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}; check alerts.calendars") from error
    if len(content) > _BYTES_MAX:
        raise InputError(f"it is larger than {_BYTES_MAX:,} bytes; split the calendar")
    return content


def _stamp(config: CalendarConfig) -> tuple[int, ...] | None:
    if config.path is None:
        return None
    try:
        status = config.path.stat()
    except OSError:
        return ()
    # A file whose mode was put right, or that was copied with its time, has another `ctime` alone.
    return status.st_ctime_ns, status.st_mtime_ns, status.st_size


def _factor(config: CalendarConfig) -> Decimal:
    return Decimal(str(config.budget_factor))

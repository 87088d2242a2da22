"""Pure: how long each table keeps its rows, and which rows a legal hold keeps longer.

A table's TTL is an expression over its rows. A hold enters it: a row within the held time lapses
in 2100, and so does the part it lies in, since parts are dropped whole. So a hold also covers what
arrives later, nothing is copied, and its end is another expression.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import Field

from collector.core.config import Section
from collector.core.errors import ConfigError, InputError
from collector.core.times import NS_PER_S, S_PER_DAY, utc_iso

# 2100-01-01, in Unix seconds: later than any policy, earlier than DateTime ends (2106).
HELD_UNTIL_S: Final = 4_102_444_800
DAYS_MAX: Final = 3_650
YEARS_MAX: Final = 50

ALL_TABLES: Final = "*"
_PACKET_TABLES: Final = frozenset(
    {
        "packets", "flows", "span_flows", "clock_offsets", "wire_seconds", "microbursts",
        "wire_contexts", "wire_times", "capture_requests", "capture_triggers", "packet_budget",
        "reconstructions",
    }
)  # fmt: skip
# Spans, and what only a waterfall, a what-if and a recomputation read: most of a decision's bytes.
_SPAN_TABLES: Final = frozenset(
    {
        "otel_traces", "otel_traces_trace_id_ts", "otel_span_skeletons", "path_columns",
    }
)  # fmt: skip
# What a table was made with tells its group: three years are books, more years models, days of more
# than a year alerts, and a few days more than the others are those of a state that outlives the
# rows which it is about.
_BOOKS_MADE_WITH: Final = "3 YEAR"
_YEAR_DAYS: Final = 365
_MADE_WITH_DAYS: Final = 30
# A part of a day is dropped whole when its last row lapses, and by a merge that comes at the
# engine's leisure: it looks every four hours.
_MERGE_S: Final = S_PER_DAY


class RetentionConfig(Section):
    """How long rows are kept, by the time of their event."""

    telemetry_days: int = Field(
        default=30, gt=0, le=DAYS_MAX, description="Spans, log records, metrics: otel_*"
    )
    decisions_days: int = Field(
        default=30,
        gt=0,
        le=DAYS_MAX,
        description="Decisions, outcomes, what is computed from them, and all that is not below",
    )
    spans_days: int | None = Field(
        default=None,
        gt=0,
        le=DAYS_MAX,
        description="Spans and the trees of decisions, where fewer days than the two above; "
        "splits, dollars and outcomes stay",
    )
    packets_days: int = Field(
        default=30, gt=0, le=DAYS_MAX, description="Packets, flows and what links them to spans"
    )
    alerts_days: int = Field(
        default=395, gt=0, le=DAYS_MAX, description="Alerts and their changes, with incidents"
    )
    books_years: int = Field(
        default=3,
        gt=0,
        le=YEARS_MAX,
        description="Bills, ledger totals and currency rates, by the day that they are of",
    )
    models_years: int = Field(
        default=10, gt=0, le=YEARS_MAX, description="Versions of models that dollars rest on"
    )
    tables: dict[str, int] = Field(
        default_factory=dict,
        description="Days of single tables, before the groups: rejected = 90",
    )

    @property
    def days_least(self) -> int:
        """Return after how many days the first rows of a table lapse."""
        named = (self.telemetry_days, self.decisions_days, self.spans_days, self.packets_days)
        return min(*(days for days in named if days is not None), *self.tables.values())

    def interval(self, table: str, made_with: str) -> str:
        """Return how long a table keeps a row, as SQL.

        Args:
            table: its name.
            made_with: the lifetime that its migration has, `30 DAY` or `10 YEAR`.
        """
        if made_with.endswith("YEAR") and table not in self.tables:
            return f"toIntervalYear({self._years(made_with)})"
        return f"toIntervalDay({self.days(table, made_with)})"

    def days(self, table: str, made_with: str = f"{_MADE_WITH_DAYS} DAY") -> int:
        """Return the days that a table keeps a row; of years, the most that they have."""
        if table in self.tables:
            return self.tables[table]
        if made_with.endswith("YEAR"):
            return self._years(made_with) * 366
        if self.spans_days is not None and table in _SPAN_TABLES:
            return self.spans_days
        if table.startswith("otel_"):
            return self.telemetry_days
        if table in _PACKET_TABLES:
            return self.packets_days
        made_with_days = int(made_with.split()[0])
        if made_with_days > _YEAR_DAYS:
            return self.alerts_days
        return self.decisions_days + max(0, made_with_days - _MADE_WITH_DAYS)

    def _years(self, made_with: str) -> int:
        return self.books_years if made_with == _BOOKS_MADE_WITH else self.models_years

    def check(self, made_with: Mapping[str, str], accepted_days: int) -> None:
        """Raise ConfigError where a table is not there, or spans would lapse as they are stored."""
        names = sorted(made_with)
        for table, days in self.tables.items():
            if table not in names:
                near = difflib.get_close_matches(table, names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                raise ConfigError(f"retention.tables.{table} is not a table with a TTL; {hint}")
            if not 0 < days <= DAYS_MAX:
                raise ConfigError(
                    f"retention.tables.{table} is {days}; expected 1 to {DAYS_MAX} days"
                )
        for table in names:
            days = self.days(table, made_with[table])
            if table.startswith("otel_") and days < accepted_days:
                raise ConfigError(
                    f"{table} keeps rows for {days} days and collector.retention_days "
                    f"accepts rows of {accepted_days}, which would lapse as they are stored; "
                    "lower that one, or raise the days in [retention]"
                )


@dataclass(frozen=True, slots=True)
class Hold:
    """Rows that no TTL removes: those of some tables whose event lies in a time."""

    name: str
    tables: tuple[str, ...]  # names, or `*` alone
    from_ns: int
    to_ns: int  # not included
    reason: str
    actor: str  # who asked for it
    at_ns: int  # when it was made, or released
    released_ns: int = 0  # 0 while it holds

    def covers(self, table: str) -> bool:
        """Return whether the hold is in force for a table."""
        return not self.released_ns and (ALL_TABLES in self.tables or table in self.tables)


def checked_hold(hold: Hold, existing: Iterable[Hold], tables: Sequence[str]) -> Hold:
    """Return a hold that may be added. Raises InputError with what has to be corrected."""
    if not hold.name or len(hold.name) > 100 or not hold.name.isprintable():
        raise InputError("the name of a hold has 1 to 100 printable characters")
    if hold.name in (".", ".."):  # no address of a release would keep it
        raise InputError(f"a hold cannot be called {hold.name}; name the case, such as 2026/118")
    if not hold.reason.strip():
        raise InputError(f"hold {hold.name}: say why, with --reason; an auditor will ask")
    if not 0 <= hold.from_ns < hold.to_ns <= (HELD_UNTIL_S - 1) * NS_PER_S:
        raise InputError(
            f"hold {hold.name}: from {_utc(hold.from_ns)} to {_utc(hold.to_ns)} is not a time; "
            "from lies before to, and both before 2100"
        )
    if not hold.tables or (ALL_TABLES in hold.tables and len(hold.tables) > 1):
        raise InputError(f"hold {hold.name}: name tables, or {ALL_TABLES} alone for all of them")
    for table in hold.tables:
        if table != ALL_TABLES and table not in tables:
            near = difflib.get_close_matches(table, tables, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(tables)}"
            raise InputError(f"hold {hold.name}: {table} is not a table with a TTL; {hint}")
    if any(other.name == hold.name for other in existing):
        raise InputError(
            f"hold {hold.name} is there, or was once; a name is used once, so take another"
        )
    return hold


def _utc(ns: int) -> str:
    """Return an instant as UTC; one that no calendar has as the nanoseconds that were given."""
    try:
        return utc_iso(ns)
    except (ValueError, OverflowError, OSError):
        return str(ns)


def ttl_expression(event: str, interval: str, holds: Sequence[Hold]) -> str:
    """Return the TTL of a table: `event` is its DateTime of a row's event."""
    lapses = f"{event} + {interval}"
    if not holds:
        return lapses
    return f"if({held_condition(event, holds)}, toDateTime({HELD_UNTIL_S}), {lapses})"


def held_condition(event: str, holds: Sequence[Hold], margin_s: int = 0) -> str:
    """Return the condition of a held row; in order of the holds' times, so that it is one text.

    Args:
        margin_s: widens each hold by so much on both sides.
    """
    ranges = sorted(
        {
            (max(0, h.from_ns // NS_PER_S - margin_s), -(-h.to_ns // NS_PER_S) + margin_s)
            for h in holds
        }
    )
    return " OR ".join(
        f"(({event} >= toDateTime({start})) AND ({event} < toDateTime({end})))"
        for start, end in ranges
    )


def slack_s(partition_key: str) -> int:
    """Return how long after its TTL a row may still be there: its part, then a merge."""
    spans = {"toYear(": 366, "Month": 31, "YYYYMM": 31, "Week": 7, "Monday": 7}
    days = next((days for name, days in spans.items() if name in partition_key), 1)
    return days * S_PER_DAY + _MERGE_S


@dataclass(frozen=True, slots=True)
class TableRetention:
    """One table: what is asked, what is in force, what is there."""

    table: str
    days: int  # by the policy
    ttl: str  # in force
    ttl_as_configured: bool
    is_changing: bool  # its parts are being recalculated, and none of its rows lapses meanwhile
    holds: list[str]  # names of those in force
    rows: int
    bytes: int
    oldest_ns: int | None  # event of the oldest row, None without rows
    slack_days: float
    overdue_rows: int  # older than days and slack, and not held
    problems: list[str] = field(default_factory=list)


def problems_of(row: TableRetention, expected_ttl: str) -> list[str]:
    """Return what is wrong with a table, in words."""
    problems = []
    if not row.ttl_as_configured:
        problems.append(
            f"TTL is {row.ttl or 'none'}, expected {expected_ttl}; run `millworth migrate`, or "
            "start the service with these settings"
        )
    if row.overdue_rows:
        problems.append(
            f"{row.overdue_rows} rows are older than {row.days} days and {row.slack_days:g} days "
            "of slack; look whether merges of this table fail (system.merges, disk space)"
        )
    return problems


def totals(rows: Iterable[TableRetention]) -> Mapping[str, int]:
    """Return the sums that a summary shows."""
    listed = list(rows)
    return {
        "tables": len(listed),
        "rows": sum(row.rows for row in listed),
        "bytes": sum(row.bytes for row in listed),
        "problems": sum(len(row.problems) for row in listed),
    }

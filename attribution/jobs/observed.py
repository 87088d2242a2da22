"""I/O: keeps `observed_hours` current: what spans and logs say of runtimes, flags and caches.

The maps of attributes are taken apart once, when what arrived in ten minutes is all there. Whoever
asks about a month reads the sums, and of `otel_traces` no more than what is not summed yet, and an
hour at either end of its window that lies in it in part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from attribution.jobs.late.delayed import DelayedInserts
from collector.core.sql import fill, sql
from collector.core.times import FOREVER_NS, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import OBSERVED_DELAYED_CURSOR, JobCursor, read_cursor

CURSOR: Final = "attribution.observed"
# As the statement has it.
_SLOT_NS: Final = 10 * NS_PER_MINUTE
# A backlog of weeks is summed in pieces, of half a second of work.
_STEP_SPANS: Final = 200_000
_SQL: Final = sql("observed", __file__)
_INSERT: Final = fill(sql("observed_insert", __file__), observed=_SQL)
_SUMMED: Final = sql("observed_summed", __file__)
_PARTIAL: Final = sql("observed_partial", __file__)
_NEXT: Final = sql("observed_next", __file__)
_NEXT_LOG: Final = sql("observed_next_log", __file__)
_TEXTS: Final = ("service", "name", "variant", "detail")
_VARIANTS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed of one runtime, flag or operation of a cache; instants in Unix ns.

    Its texts are those of the columns of `observed_hours`.
    """

    service: str
    name: str
    variant: str
    detail: str
    variants: list[str]  # ascending, at most ten
    count: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class ObservedReport:
    """What one run did; what was received before `cursor_ns` is summed."""

    cursor_ns: int


class ObservedJob:
    """The one writer of `observed_hours`.

    Args:
        store: where everything is read and written.
        stored_ns: returns until when all that was received is stored, None where nobody knows.
        overlap_s: ... after which an insert is taken to be there all the same.
    """

    def __init__(
        self, store: Connections, stored_ns: Callable[[], int | None], overlap_s: float
    ) -> None:
        self._store = store
        self._stored_ns = stored_ns
        self._overlap_ns = round(overlap_s * NS_PER_S)
        self._cursor = JobCursor(CURSOR)
        self._delayed = DelayedInserts(store, OBSERVED_DELAYED_CURSOR)

    def run_once(self, now_ns: int) -> ObservedReport:
        """Sum every ten minutes of arrival that are over and have not been summed."""
        client = self._store.client()
        stored_ns = self._stored_ns()
        until_ns = now_ns - self._overlap_ns if stored_ns is None else min(now_ns, stored_ns)
        until_ns -= until_ns % _SLOT_NS
        cursor_ns = self._cursor.read(client)
        if stored_ns is None:
            self._sum_delayed(client, cursor_ns)
        while cursor_ns < until_ns:
            begin_ns, end_ns = _step(client, cursor_ns, until_ns)
            if begin_ns < end_ns:
                _sum(client, begin_ns, end_ns)
            cursor_ns = end_ns
            self._cursor.write(client, cursor_ns, has_news=begin_ns < end_ns)
        return ObservedReport(cursor_ns)

    def _sum_delayed(self, client: Client, cursor_ns: int) -> None:
        """Sum the ten minutes again in which something came to be stored after they were summed."""
        delayed = self._delayed.read_new(cursor_ns - 1)
        slots = {
            slot_ns
            for after_ns, until_ns in delayed
            for slot_ns in range((after_ns + 1) // _SLOT_NS * _SLOT_NS, until_ns + 1, _SLOT_NS)
        }
        try:
            for slot_ns in sorted(slots):
                _sum(client, slot_ns, slot_ns + _SLOT_NS)
        except BaseException:
            self._delayed.forget()
            raise
        self._delayed.finish(cursor_ns)


def read_observed(store: Connections, from_ns: int, to_ns: int) -> dict[str, list[Observed]]:
    """Return what spans and log records of [from, to) say, by kind: runtime, flag or cache."""
    client = store.client()
    # First: what the job sums meanwhile is read as it came.
    cursor_ns = read_cursor(client, CURSOR)
    window = {"from_ns": from_ns, "to_ns": to_ns, "cursor_ns": cursor_ns}
    partial = [int(row[0]) for row in client.query(_PARTIAL, parameters=window).result_rows]
    rows = list(client.query(_SUMMED, parameters={**window, "partial": partial}).named_results())
    for part_from_ns, part_to_ns, received_from_ns, received_to_ns in (
        (from_ns, to_ns, cursor_ns, FOREVER_NS),
        *(
            (max(hour_ns, from_ns), min(hour_ns + NS_PER_HOUR, to_ns), 0, cursor_ns)
            for hour_ns in partial
        ),
    ):
        parameters = {
            "from_ns": part_from_ns,
            "to_ns": part_to_ns,
            "received_from_ns": received_from_ns,
            "received_to_ns": received_to_ns,
        }
        rows += client.query(_SQL, parameters=parameters).named_results()
    return _by_kind(rows)


def _sum(client: Client, from_ns: int, to_ns: int) -> None:
    """Sum what arrived in [from, to), whenever it was."""
    parameters = {"received_from_ns": from_ns, "received_to_ns": to_ns}
    client.command(_INSERT, parameters={**parameters, "from_ns": 0, "to_ns": FOREVER_NS})


def _by_kind(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Observed]]:
    """Return one of all rows that are about the same, ascending by their texts."""
    merged: dict[tuple[str, str, str, str, str], Observed] = {}
    for row in rows:
        service, name, variant, detail = (str(row[text]) for text in _TEXTS)
        key = (str(row["kind"]), service, name, variant, detail)
        before = merged.get(key)
        count, first_ns, last_ns = int(row["count"]), int(row["first_ns"]), int(row["last_ns"])
        variants = {str(each) for each in row["variants"]}
        if before is not None:
            count += before.count
            first_ns, last_ns = min(first_ns, before.first_ns), max(last_ns, before.last_ns)
            variants |= set(before.variants)
        answers = sorted(variants)[:_VARIANTS_MAX]
        merged[key] = Observed(service, name, variant, detail, answers, count, first_ns, last_ns)
    kinds: dict[str, list[Observed]] = {"runtime": [], "flag": [], "cache": []}
    for (kind, *_), each in sorted(merged.items()):
        kinds[kind].append(each)
    return kinds


def _step(client: Client, after_ns: int, until_ns: int) -> tuple[int, int]:
    """Return a range of arrival to sum next: of so many spans, without what is empty before it."""
    parameters = {"after_ns": after_ns, "until_ns": until_ns, "spans_max": _STEP_SPANS}
    ((spans, first_ns, last_ns),) = client.query(_NEXT, parameters=parameters).result_rows
    begin_ns = int(first_ns) if spans else until_ns
    if begin_ns - after_ns > _SLOT_NS:
        # Spans are sorted by arrival, log records are not: they are asked for where it is quiet.
        gap = {"after_ns": after_ns, "until_ns": begin_ns}
        ((logs, first_ns),) = client.query(_NEXT_LOG, parameters=gap).result_rows
        begin_ns = int(first_ns) if logs else begin_ns
    begin_ns -= begin_ns % _SLOT_NS
    if spans < _STEP_SPANS:
        return begin_ns, until_ns
    return begin_ns, max(int(last_ns) - int(last_ns) % _SLOT_NS, begin_ns + _SLOT_NS)

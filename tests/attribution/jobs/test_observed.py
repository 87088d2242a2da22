"""Sums by hour of what telemetry shows, beside the same from every span."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from attribution.jobs.observed import CURSOR, ObservedJob
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import write_cursor
from tests.conftest import NOW_NS
from tests.support.attribution.long_way.debt import seen_by_hour, seen_by_row
from tests.support.attribution.rows_read import rows_read
from tests.support.examples import examples

_SPANS: Final = (
    "Timestamp", "TraceId", "SpanId", "SpanName", "SpanKind", "ServiceName", "Duration",
    "ResourceAttributes", "SpanAttributes", "Events.Timestamp", "Events.Name",
    "Events.Attributes", "received_ns",
)  # fmt: skip
_LOGS: Final = ("Timestamp", "ServiceName", "EventName", "LogAttributes", "received_ns")
_RUNTIMES: Final[Sequence[dict[str, str]]] = (
    {},
    {"process.runtime.name": "cpython", "process.runtime.version": "3.6.9"},
    {"process.runtime.name": "node", "telemetry.sdk.language": "nodejs"},
)
_OWN: Final[Sequence[dict[str, str]]] = (
    {},
    {"cache.hit": "true", "cache.name": "offers"},
    {"cache.hit": "false"},
    {"cache.hit": "perhaps", "cache.operation": "get"},
    {"http.response.status_code": "304"},
    {"db.system": "redis", "server.address": "s.example.com", "server.port": "6379"},
    {"db.system.name": "valkey", "db.operation.name": "SET"},
    {"db.system.name": "postgresql", "db.operation.name": "SELECT"},
    {"feature_flag.key": "new-price", "feature_flag.result.variant": "on"},
    {"feature_flag.key": "new-price", "feature_flag.variant": "off"},
    {"feature_flag.key": "shade", "feature_flag.result.value": "blue"},
)
_EVENTS: Final = ("feature_flag", "feature_flag.evaluation", "exception")


def _batch(draw: random.Random, received_ns: int) -> tuple[list[list[object]], list[list[object]]]:
    """Return spans and log records that were received then; some are days late, some came twice."""
    spans, logs = [], []
    for _ in range(draw.randrange(30)):
        at_ns = received_ns - draw.choice((NS_PER_S, NS_PER_MINUTE, NS_PER_HOUR, 9 * NS_PER_HOUR))
        at_ns -= draw.randrange(2 * NS_PER_HOUR) if draw.random() < 0.3 else 0
        own, service = draw.choice(_OWN), draw.choice(("shop", "till"))
        if draw.random() < 0.2:
            name = draw.choice(_EVENTS)
            logs.append([at_ns, service, name, {**own, "event.name": name}, received_ns])
            continue
        events = [name for name in _EVENTS if draw.random() < 0.2]
        spans.append([
            at_ns, f"{draw.getrandbits(128):032x}", f"{draw.getrandbits(64):016x}",
            draw.choice(("GET", "set x", "")), draw.choice(("Client", "Server")), service, 1,
            draw.choice(_RUNTIMES), own,
            # An event may lie in another hour than its span.
            [at_ns + draw.randrange(-NS_PER_HOUR, NS_PER_HOUR) for _ in events], events,
            [draw.choice(_OWN) for _ in events], received_ns,
        ])  # fmt: skip
        if draw.random() < 0.1:
            spans.append(spans[-1])
    return spans, logs


def _put(
    store: Connections, table: str, rows: Sequence[list[object]], columns: Sequence[str]
) -> None:
    if rows:
        store.client().insert(table, rows, column_names=columns)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(2)))
def test_hours_say_what_every_span_says(store: Connections, seed: int) -> None:
    """In any window, whatever came late, came twice, is not summed yet, or is summed twice."""
    draw = random.Random(seed)
    begins_ns = received_ns = NOW_NS - 2 * NS_PER_DAY
    seen = 0
    for _ in range(12):
        received_ns += draw.choice((NS_PER_MINUTE, 9 * NS_PER_MINUTE, 5 * NS_PER_HOUR))
        spans, logs = _batch(draw, received_ns)
        _put(store, "otel_traces_in", spans, _SPANS)
        _put(store, "otel_logs", logs, _LOGS)
        if draw.random() < 0.2:
            # Of a process that was killed before it wrote how far it had come.
            write_cursor(store.client(), CURSOR, 0)
        if draw.random() < 0.7:
            stored_ns = partial(int, received_ns)
            ObservedJob(store, stored_ns, 30).run_once(received_ns + NS_PER_DAY)
        from_ns = draw.randrange(begins_ns - NS_PER_DAY, received_ns)
        to_ns = draw.choice((received_ns, draw.randrange(from_ns, received_ns + 1)))
        if draw.random() < 0.2:
            from_ns -= from_ns % NS_PER_HOUR
        wanted = seen_by_row(store, from_ns, to_ns)
        assert seen_by_hour(store, from_ns, to_ns) == wanted, f"seed {seed}"
        seen += len(wanted[0]) + len(wanted[1]) + len(wanted[2])
    assert seen > 0


def test_a_month_is_read_from_its_hours(store: Connections) -> None:
    """However many spans an hour has: the ledger of debt read each of them four times."""
    hours, an_hour = 48, 1_000
    step_ns = NS_PER_HOUR // an_hour
    begins_ns = NOW_NS - NOW_NS % NS_PER_HOUR - hours * NS_PER_HOUR
    store.client().command(
        "INSERT INTO otel_traces_in (Timestamp, TraceId, SpanId, ServiceName, received_ns)"
        " SELECT fromUnixTimestamp64Nano(toInt64({from_ns:UInt64} + number * {step_ns:UInt64})),"
        " 't', 's', 'shop', {from_ns:UInt64} + number * {step_ns:UInt64}"
        " FROM numbers({spans:UInt64})",
        parameters={"from_ns": begins_ns, "step_ns": step_ns, "spans": hours * an_hour},
    )
    job = ObservedJob(store, lambda: None, 30)
    ends_ns = begins_ns + hours * NS_PER_HOUR
    assert job.run_once(ends_ns + NS_PER_MINUTE).cursor_ns == ends_ns
    (runtimes, _, _), read = rows_read(store, lambda: seen_by_hour(store, begins_ns, ends_ns))
    assert [each.spans for each in runtimes] == [hours * an_hour]
    assert read < an_hour


def test_what_a_collector_elsewhere_stored_late_is_summed(store: Connections) -> None:
    """Nobody waits for it, and a sum is made once all ten minutes are there, it was thought."""
    begins_ns = NOW_NS - NOW_NS % NS_PER_HOUR
    job = ObservedJob(store, lambda: None, 30)

    def spans(seconds: Sequence[int]) -> None:
        received = [begins_ns + second * NS_PER_S for second in seconds]
        rows: list[list[object]] = [["t", str(ns), "shop", ns, ns] for ns in received]
        _put(store, "otel_traces_in", rows,
             ("TraceId", "SpanId", "ServiceName", "Timestamp", "received_ns"))  # fmt: skip

    def summed() -> int:
        runtimes, _, _ = seen_by_hour(store, begins_ns, begins_ns + NS_PER_HOUR)
        assert seen_by_row(store, begins_ns, begins_ns + NS_PER_HOUR)[0] == runtimes
        return sum(each.spans for each in runtimes)

    spans([1, 599, 601])
    job.run_once(begins_ns + 21 * NS_PER_MINUTE)
    assert summed() == 3
    kept = [5, 700, 1_210, 1_300]
    spans(kept)
    first_ns, last_ns = (begins_ns + kept[at] * NS_PER_S for at in (0, -1))
    row: list[object] = [begins_ns + NS_PER_HOUR // 2, "traces", first_ns, last_ns]
    _put(store, "delayed_inserts", [row], ("stored_ns", "signal", "first_ns", "last_ns"))
    for minute in (31, 32):
        job.run_once(begins_ns + minute * NS_PER_MINUTE)
    assert summed() == 7


class AwayOnce(Connections):
    """A store that takes no sum, once."""

    def __init__(self, store: Connections) -> None:
        super().__init__(store.config)
        self.is_away = False

    def client(self) -> Client:
        """Return the connection, of which one statement fails while it is away."""
        client = super().client()

        def command(statement: str, **given: Any) -> object:  # noqa: ANN401  as the library has it
            if self.is_away:
                self.is_away = False
                raise OperationalError("the store does not answer")
            return client.command(statement, **given)

        return cast(
            "Client", SimpleNamespace(query=client.query, insert=client.insert, command=command)
        )


def test_sum_that_failed_is_made_by_the_next_run(store: Connections) -> None:
    """What was told of once is not forgotten because the store was away."""
    away = AwayOnce(store)
    begins_ns = NOW_NS - NOW_NS % NS_PER_HOUR
    job = ObservedJob(away, lambda: None, 30)
    row: list[object] = ["t", "1", "shop", begins_ns, begins_ns]
    names = ("TraceId", "SpanId", "ServiceName", "Timestamp", "received_ns")
    _put(store, "otel_traces_in", [row], names)
    job.run_once(begins_ns + 21 * NS_PER_MINUTE)
    _put(store, "otel_traces_in", [["t", "2", "shop", begins_ns + 1, begins_ns + 1]], names)
    told: list[object] = [begins_ns + NS_PER_HOUR // 2, "traces", begins_ns + 1, begins_ns + 1]
    _put(store, "delayed_inserts", [told], ("stored_ns", "signal", "first_ns", "last_ns"))
    away.is_away = True
    with pytest.raises(OperationalError):
        job.run_once(begins_ns + 31 * NS_PER_MINUTE)
    job.run_once(begins_ns + 32 * NS_PER_MINUTE)
    runtimes, _, _ = seen_by_hour(store, begins_ns, begins_ns + NS_PER_HOUR)
    assert [each.spans for each in runtimes] == [2]


def test_what_was_imported_of_many_days_is_summed(store: Connections) -> None:
    """A file of exported traces arrives in one minute, and happened on as many days as it has."""
    days = 130
    store.client().command(
        "INSERT INTO otel_traces_in (Timestamp, TraceId, SpanId, ServiceName, received_ns)"
        " SELECT fromUnixTimestamp64Nano(toInt64({at_ns:UInt64} + number * {day_ns:UInt64})),"
        " 't', 's', 'shop', {at_ns:UInt64} FROM numbers({days:UInt64})",
        parameters={"at_ns": NOW_NS, "day_ns": NS_PER_DAY, "days": days},
        settings={"max_partitions_per_insert_block": 0},
    )
    ObservedJob(store, lambda: None, 30).run_once(NOW_NS + NS_PER_HOUR)
    hours = store.client().command("SELECT uniqExact(hour_ns) FROM observed_hours")
    assert hours == days

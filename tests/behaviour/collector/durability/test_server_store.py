"""The store as a server: the same work over HTTP, and what goes wrong between here and there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import grpc
import httpx
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.clock import SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
)
from collector.core.counters import Counters
from collector.core.errors import StoreRefusedError, StoreUnavailableError
from collector.core.times import NS_PER_S
from collector.imports.outcomes import import_outcomes
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.service import CollectorService
from collector.store.connect import Connections, connect
from collector.store.cursors import read_cursor, write_cursor
from collector.store.retention import add_hold, apply_retention, read_retention, release_hold
from collector.store.retention_policy import Hold, RetentionConfig
from collector.store.schema.migrate import apply_views, migrate
from collector.wal.frames import encode_frame
from collector.write.writer import StoreWriter
from dashboard.service.schema import require_schema
from dashboard.settings.settings import Settings
from tests.conftest import NOW_NS, ManualClock
from tests.support.attribution.stored import BASE_NS, Stored, put_spans, trace_id
from tests.support.builders import (
    decision_span,
    logs_request,
    metrics_request,
    new_trace_id,
    outcome,
    trace_request,
)
from tests.support.clickhouse.double import Double
from tests.support.collector.clients import TRACES, WAIT_S, post
from tests.support.collector.writer import Segments, frame_of, twice_frame

pytestmark = pytest.mark.integration

# The ways in of the compiled module and of the store's own reader.
INTO_SPANS = {True: "INSERT INTO otel_traces FORMAT", False: "INSERT INTO otlp_traces_in"}


# The tests of which a cluster could change the outcome run on both.
both = pytest.mark.parametrize("double", ["", "one"], ids=["one machine", "cluster"], indirect=True)


@pytest.fixture(scope="module")
def double(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Double]:
    """Yield a server with every table and every view: alone, or as a cluster of one shard."""
    cluster = str(getattr(request, "param", ""))
    with Double(tmp_path_factory.mktemp("server"), cluster=cluster) as server:
        client = connect(server.config("writer", "secret"))
        migrate(client, NOW_NS, cluster=cluster)
        given = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())
        apply_views(client, *given, NOW_NS, cluster=cluster)
        yield server


@pytest.fixture
def server(double: Double) -> Double:
    """Return the server without rows. The tables that a test reads are named here."""
    client = connect(double.config())
    suffix = "_local" if double.config().cluster else ""
    for table in (
        "otel_traces",
        "otel_traces_trace_id_ts",
        "decisions",
        "attributions",
        "rejected",
    ):
        client.command(f"TRUNCATE TABLE {table}{suffix}")
    return double


@pytest.fixture
def remote(server: Double) -> Connections:
    """Return connections to it as a writer."""
    return Connections(server.config("writer", "secret"))


@pytest.fixture
def segments(tmp_path: Path, clock: ManualClock) -> Segments:
    """Return segments in the test's directory."""
    return Segments(tmp_path, clock)


def names(store: Connections) -> list[str]:
    """Return the names of all stored spans."""
    rows = store.client().query("SELECT SpanName FROM otel_traces ORDER BY 1").result_rows
    return [name for (name,) in rows]


@both
def test_collector_and_a_job_do_their_work_over_http(
    remote: Connections, clock: ManualClock, tmp_path: Path
) -> None:
    """Three signals in, decisions derived by the views, attributed by a job, read back as sent."""
    trace = new_trace_id()
    root = decision_span(action="price", decision_id="d-1", trace_id=trace)
    collector = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0), remote, tmp_path / "wal", Counters(), clock
    )
    collector.start()
    gauge = metrics_request()
    metric = gauge.resource_metrics[0].scope_metrics.add().metrics.add(name="stock")
    metric.gauge.data_points.add(time_unix_nano=NOW_NS, as_double=2.5)
    with grpc.insecure_channel(f"127.0.0.1:{collector.grpc_port}") as channel:
        call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
        call(trace_request(root).SerializeToString(), timeout=WAIT_S)
    url = f"http://127.0.0.1:{collector.http_port}"
    with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as http:
        sale = outcome(outcome_id="o-1", decision_id="d-1", revenue=Decimal("12.50"))
        assert post(http, logs_request(sale), "/v1/logs").status_code == 200
        assert post(http, gauge, "/v1/metrics").status_code == 200
    assert collector.stop(WAIT_S)

    AttributionJob(AttributionConfig(), AttributesConfig(), remote).run_once(NOW_NS + 10**10)

    read = remote.reader().query
    assert read("SELECT TraceId, SpanName FROM otel_traces").result_rows == [(trace, root.name)]
    assert read("SELECT MetricName, Value FROM otel_metrics_gauge").result_rows == [("stock", 2.5)]
    assert read("SELECT outcome_id, revenue FROM outcomes FINAL").result_rows == [
        ("o-1", Decimal("12.50"))
    ]
    rows = read("SELECT decision_id, action, total_ns FROM attributions FINAL").result_rows
    assert rows == [("d-1", "price", root.end_time_unix_nano - root.start_time_unix_nano)]


def test_thousands_of_decisions_a_run_are_attributed(remote: Connections) -> None:
    """A server takes a parameter of 128 KiB at most: the ids of four thousand traces are more."""
    spans = [
        Stored("s", trace=f"t{number}", attributes={"decision.action": "price"})
        for number in range(5_000)
    ]
    put_spans(remote, spans)
    lines = (f"{number:036d},{trace_id(f't{number}')},1,{BASE_NS}" for number in range(5_000))
    file = "\n".join(["outcome_id,decision_id,margin,occurred_at", *lines]).encode()
    report = import_outcomes(remote.client(), "shop.csv", file, "USD", ManualClock(BASE_NS))
    assert (report.imported, report.refused) == (5_000, ())

    AttributionJob(AttributionConfig(), AttributesConfig(), remote).drain(BASE_NS + 10**11)

    [(attributed,)] = remote.reader().query("SELECT count() FROM attributions FINAL").result_rows
    [(sold,)] = remote.reader().query("SELECT count() FROM outcomes FINAL").result_rows
    assert (attributed, sold) == (5_000, 5_000)


@both
@pytest.mark.parametrize("is_native", [True, False], ids=["native", "protobuf"])
@pytest.mark.parametrize("kind", ["cut_during", "cut_before", "cut_after", "busy", "code"])
def test_insert_whose_answer_is_lost_is_sent_again_and_stored_once(
    server: Double, remote: Connections, segments: Segments, kind: str, is_native: bool
) -> None:
    """The same bytes under the same token, whether or not the server had stored them."""
    frame = encode_frame(
        trace_request(decision_span(decision_id="d-1")).SerializeToString(), NOW_NS, 1
    )
    segments.is_native, name = is_native, f"once-{kind}-{is_native}"
    before = len(server.requests(INTO_SPANS[is_native]))
    server.fail(kind, INTO_SPANS[is_native], code=242, name="TABLE_IS_READ_ONLY")

    writer = segments.store(remote, segments.write(name, frame))

    sent = server.requests(INTO_SPANS[is_native])[before:]
    tokens = [s["parameters"]["insert_deduplication_token"] for s in sent]
    assert tokens == [f"{name}.segment"] * (1 if kind == "cut_during" else 2)
    assert writer.figures().stored == 1
    read = remote.client().query
    for table in ("otel_traces", "otel_traces_trace_id_ts", "decisions"):
        assert read(f"SELECT count() FROM {table}").result_rows == [(1,)], table
    assert segments.budget.used_bytes == 0


@both
def test_server_that_is_killed_and_started_again_has_everything_once(
    server: Double, remote: Connections, segments: Segments
) -> None:
    """It dies after it stored a segment and before it said so; the next one waits for it too."""
    paths = [segments.write(name, frame_of(name)) for name in ("a", "b")]
    server.fail("hang_after", INTO_SPANS[False])
    writer = StoreWriter(
        Signal.TRACES,
        remote,
        segments.budget,
        segments.counters,
        segments.clock,
        Protection(),
    )
    for path in paths:
        writer.submit(path)
    writer.start()
    server.wait_until_met()
    server.stop(kill=True)
    server.start()
    assert writer.drain(WAIT_S)
    writer.stop()

    assert names(remote) == ["a", "b"]
    assert segments.budget.used_bytes == 0


def test_bytes_that_the_server_cannot_parse_are_told_from_its_failures(
    remote: Connections, segments: Segments
) -> None:
    """By the reader's name in the error, which comes last; else they would be sent for ever."""
    path = segments.write("mixed", frame_of("a"), twice_frame("b"), frame_of("c"))

    writer = segments.store(remote, path)

    assert names(remote) == ["a", "b", "c"]
    assert writer.figures().stored == 3


def test_reader_may_only_read_and_within_its_limits(server: Double) -> None:
    """Limits and readonly go with each request, so no session ties a reader to one node."""
    store = Connections(server.config("writer", "secret", query_seconds_max=0.3, query_rows_max=10))
    reader = store.outside()
    ((text, seconds, readonly),) = reader.query(
        "SELECT {text:String}, getSetting('max_execution_time'), getSetting('readonly')",
        parameters={"text": "it's"},
    ).result_rows
    assert (text, seconds, readonly) == ("it's", 1, 1)
    with pytest.raises(ClickHouseError, match="READONLY"):
        reader.command("INSERT INTO job_cursors (job, cursor_ns) VALUES ('a', 1)")
    with pytest.raises(ClickHouseError, match="TOO_MANY_ROWS"):
        reader.query("SELECT number FROM numbers(11)")
    assert "session_id" not in server.requests("getSetting('readonly')")[-1]["parameters"]


def test_read_that_is_cut_in_the_middle_leaves_nothing_to_the_next(server: Double) -> None:
    """Over HTTP an answer has its own end, and a stream that is left half read its own request."""
    store = Connections(server.config("writer", "secret", query_seconds_max=9))
    sql = "SELECT number, toString(number) FROM numbers(200000)"
    reader = store.reader()
    server.fail("cut_answer", sql)
    with pytest.raises(ClickHouseError):
        reader.query(sql).result_rows  # noqa: B018  read as it comes
    assert reader.query("SELECT 42").result_rows == [(42,)]
    with reader.query_rows_stream(sql) as rows:
        assert next(iter(rows)) == (0, "0")
    assert reader.query("SELECT 43").result_rows == [(43,)]

    store.close()


@both
def test_retention_and_holds_reach_the_tables_of_a_server(
    server: Double, remote: Connections
) -> None:
    """On a cluster the local tables are altered, and every replica's are read."""
    cluster, client = server.config().cluster, remote.client()
    now_ns = SystemClock().now_ns()
    shorter = RetentionConfig(tables={"rejected": 3})
    assert apply_retention(client, RetentionConfig(), cluster=cluster) == []
    assert apply_retention(client, shorter, cluster=cluster) == ["rejected"]
    names = ["received_ns", "signal", "item_id"]
    day_ns = 86_400 * NS_PER_S
    rows = [[now_ns - age * day_ns, "traces", str(age)] for age in (1, 5, 10)]
    to_ns = now_ns - 9 * day_ns
    hold = Hold("h", ("rejected",), to_ns - 2 * day_ns, to_ns, "why", "ada", now_ns)

    add_hold(client, shorter, hold, cluster=cluster)
    client.insert("rejected", rows, column_names=names)
    assert apply_retention(client, shorter, cluster=cluster) == [], "the parts know of it then"
    client.command(f"OPTIMIZE TABLE rejected{'_local' if cluster else ''} FINAL")

    read = remote.reader()
    assert read.query("SELECT item_id FROM rejected ORDER BY 1").result_rows == [("1",), ("10",)]
    (said,) = (
        row
        for row in read_retention(read, shorter, now_ns, cluster=cluster)
        if row.table == "rejected"
    )
    assert (said.days, said.rows, said.holds, said.problems) == (3, 2, ["h"], [])
    release_hold(client, RetentionConfig(), "h", actor="ada", now_ns=now_ns, cluster=cluster)


def test_cursor_is_written_and_read_over_http(remote: Connections) -> None:
    """Rows of Python go as Native blocks, another way than the log's bytes."""
    job = f"job of {remote.config.cluster}"
    write_cursor(remote.client(), job, NOW_NS)

    assert read_cursor(remote.reader(), job) == NOW_NS


@pytest.mark.parametrize(
    ("user", "password", "remedy"),
    [
        pytest.param("writer", "wrong", "correct user and password in store.url", id="auth"),
        pytest.param("viewer", "secret", "grant its user CREATE", id="read-only user"),
        pytest.param("fixed", "secret", "readonly = 2", id="no settings"),
    ],
)
def test_server_that_will_refuse_again_is_named_with_the_remedy(
    server: Double, user: str, password: str, remedy: str
) -> None:
    """A retry would not help, so the start ends; the password is not in the line."""
    with pytest.raises(StoreRefusedError, match=remedy) as raised:
        migrate(connect(server.config(user, password)), NOW_NS)
    line = str(raised.value)
    assert line.startswith(f"store http://127.0.0.1:{server.port} refuses: ")
    assert f"{user}:{password}" not in line
    assert "\n" not in line


def test_role_that_writes_does_not_start_for_a_user_that_may_not(
    server: Double, remote: Connections
) -> None:
    """It said that it was ready, and failed at each run of its job; pages alone may only read."""
    del remote  # it has made the tables
    settings = Settings.model_validate({"store": server.config("viewer", "secret").model_dump()})
    viewer = Connections(settings.store)
    require_schema(viewer, settings, writes=False)
    with pytest.raises(StoreRefusedError, match="grant its user"):
        require_schema(viewer, settings)
    viewer.close()


@pytest.mark.parametrize("kind", ["busy", "cut_before", "code"])
def test_server_that_may_answer_later_is_transient(server: Double, kind: str) -> None:
    """Whoever asked tries again."""
    server.fail(kind, "EXISTS DATABASE", times=9, code=209, name="SOCKET_TIMEOUT")
    try:
        with pytest.raises(
            StoreUnavailableError, match=rf"store http://127\.0\.0\.1:{server.port} "
        ):
            connect(server.config())
    finally:
        server.heal()


def test_server_that_takes_the_call_and_is_silent_is_given_up(server: Double) -> None:
    """After store.timeout_seconds; a thread that waits for ever stores nothing more."""
    server.fail("hang", "EXISTS DATABASE")
    with pytest.raises(StoreUnavailableError, match="timed out"):
        connect(server.config(timeout_seconds=1))
    server.heal()


def test_days_of_a_server_in_another_zone_are_of_utc(tmp_path: Path) -> None:
    """A statement means the same, and a day's rows are one partition, wherever the server runs."""
    with Double(tmp_path, zone="Pacific/Apia") as server:
        client = connect(server.config())
        client.command(
            "CREATE TABLE hours (at DateTime64(9)) ENGINE = MergeTree ORDER BY at "
            "PARTITION BY toDate(at)"
        )
        client.command(
            "INSERT INTO hours SELECT toDateTime64(1790208000 + number * 3600, 9) FROM numbers(24)"
        )
        days = "SELECT partition, sum(rows) FROM system.parts WHERE table = 'hours' GROUP BY 1"
        assert client.query(days).result_rows == [("2026-09-24", 24)]
        outside = Connections(server.config()).outside()
        text = outside.raw_query(
            "SELECT at, toStartOfDay(at) FROM hours WHERE at > '2026-09-24 22:30:00'", fmt="TSV"
        )
        assert text == b"2026-09-24 23:00:00.000000000\t2026-09-24 00:00:00\n"
        client.close()


def test_service_that_is_no_clickhouse_is_said_to_be_none(server: Double) -> None:
    """A wrong port answers too, in its own way."""
    server.fail("foreign", "SELECT version()")
    with pytest.raises(
        StoreRefusedError, match="is not a ClickHouse HTTP interface; correct store"
    ):
        connect(server.config())


def test_schema_that_may_not_be_made_is_one_line(server: Double) -> None:
    """`millworth migrate` on a server whose user has too few rights."""
    config = server.config(database="another")
    client = connect(config)
    server.fail("code", "CREATE TABLE IF NOT EXISTS otel_logs", code=497, name="ACCESS_DENIED")
    with pytest.raises(StoreRefusedError, match="grant its user CREATE"):
        migrate(client, NOW_NS, cluster=config.cluster)
    rows = client.query("SELECT max(name) FROM schema_migrations").result_rows
    assert (
        rows[0][0] == "otlp/002_create_otel_traces_trace_id_ts"
    )  # what was done is remembered, and not done again

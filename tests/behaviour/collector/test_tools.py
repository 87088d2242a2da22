"""What Grafana's ClickHouse data source and ClickStack send reads the window that they ask about.

The statements are ours, in the shape of those that data source 4.20 and ClickStack 2 make for the
tables of OpenTelemetry's clickhouseexporter.
"""

from __future__ import annotations

from functools import partial

from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.attribution.rows_read import rows_read

HOURS = 24
AN_HOUR = 10_000  # rows of each table, an insert an hour
WINDOW_ROWS = AN_HOUR // 4  # fifteen minutes
GRANULE = 8_192

BEGIN_S = (NOW_NS - NS_PER_DAY) // NS_PER_DAY * NS_PER_DAY // NS_PER_S
FROM_S = BEGIN_S + 12 * 3_600
TO_S = FROM_S + 899

_OF = "{name} >= toDateTime({from_s}) AND {name} <= toDateTime({to_s})"
_FROM_MS = "{name} >= fromUnixTimestamp64Milli({from_s}000)"
_OF_MS = f"{_FROM_MS} AND {{name}} <= fromUnixTimestamp64Milli({{to_s}}000)"
_MINUTE = "toStartOfInterval(toDateTime(Timestamp), INTERVAL 1 minute)"


def _within(name: str, text: str = _OF) -> str:
    return f"({text.format(name=name, from_s=FROM_S, to_s=TO_S)})"


# By what is asked: the statement, and how many rows it returns.
STATEMENTS: dict[str, tuple[str, int]] = {
    "Grafana: logs": (
        'SELECT Timestamp AS "timestamp", Body AS "body", SeverityText AS "level", LogAttributes'
        f' AS "labels" FROM otel_logs WHERE {_within("timestamp")} ORDER BY timestamp DESC'
        " LIMIT 1000",
        1_000,
    ),
    "Grafana: logs of a service, by the earlier column": (
        f"SELECT Timestamp, Body FROM otel_logs WHERE {_within('TimestampTime')}"
        " AND (ServiceName = 'service 3') ORDER BY Timestamp DESC LIMIT 1000",
        WINDOW_ROWS // 20,
    ),
    "Grafana: log volume": (
        "SELECT toStartOfInterval(Timestamp, INTERVAL 60 second) AS \"time\", sum(SeverityText IN"
        f" ('ERROR')) AS error, count(*) AS logs FROM otel_logs WHERE {_within('time')}"
        " GROUP BY time ORDER BY time ASC",
        15,
    ),
    "Grafana: root spans": (
        "SELECT TraceId AS traceID, ServiceName, SpanName, Timestamp AS startTime,"
        f" multiply(Duration, 0.000001) AS duration FROM otel_traces WHERE {_within('Timestamp')}"
        " AND (ParentSpanId = '') AND (Duration > 0) ORDER BY Timestamp DESC, Duration DESC"
        " LIMIT 1000",
        -(-WINDOW_ROWS // 8),
    ),
    "Grafana: a trace": (
        "WITH '{trace_id}' AS t, (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = t)"
        " AS begin, (SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = t) AS end"
        " SELECT SpanId FROM otel_traces WHERE TraceId = t AND Timestamp >= begin"
        " AND Timestamp <= end",
        8,
    ),
    "ClickStack: logs": (
        "SELECT Timestamp, ServiceName, SeverityText, Body FROM otel_logs"
        f" WHERE {_within('Timestamp', _OF_MS)} ORDER BY Timestamp DESC LIMIT 200",
        200,
    ),
    "ClickStack: a word, by both columns": (
        f"SELECT Timestamp, Body FROM otel_logs WHERE {_within('TimestampTime', _OF_MS)} AND"
        f" {_within('Timestamp', _OF_MS)} AND ((hasToken(lower(Body), lower('slow'))))"
        " ORDER BY (TimestampTime, Timestamp) DESC LIMIT 200",
        200,
    ),
    "ClickStack: histogram": (
        f"SELECT count(), SeverityText, {_MINUTE} AS bucket FROM otel_logs"
        f" WHERE {_within('Timestamp', _OF_MS)} GROUP BY SeverityText, {_MINUTE} AS bucket"
        f" ORDER BY {_MINUTE} AS bucket SETTINGS optimize_read_in_order = 0",
        30,
    ),
    "ClickStack: spans by attribute": (
        "SELECT Timestamp, ServiceName, SpanName, Duration / 1e6 FROM otel_traces"
        f" WHERE {_within('Timestamp', _OF_MS)} AND ((SpanAttributes['http.route'] = '/3'))"
        " ORDER BY Timestamp DESC LIMIT 200",
        200,
    ),
    "ClickStack: p95 of a service": (
        f"SELECT quantile(0.95)(toFloat64OrDefault(toString(Duration))), {_MINUTE} AS bucket"
        f" FROM otel_traces WHERE {_within('Timestamp', _OF_MS)} AND ((ServiceName = 'service 3'))"
        f" GROUP BY {_MINUTE} AS bucket",
        15,
    ),
}  # fmt: skip


def _grow(store: Connections) -> str:
    """Insert a day of logs and spans, an insert an hour; return a trace of the window."""
    client = store.client()
    at = f"number * {3_600 * NS_PER_S // AN_HOUR}"
    for hour in range(HOURS):
        begin_ns = (BEGIN_S + hour * 3_600) * NS_PER_S
        rows = (
            f"fromUnixTimestamp64Nano({begin_ns} + {at}),"
            " concat('service ', toString(number % 20)),"
            f" lower(hex(MD5(toString(intDiv(number, 8) + {hour * AN_HOUR})))),"
            f" toUInt64({begin_ns} + {at})"
        )
        client.command(
            "INSERT INTO otel_logs (Timestamp, ServiceName, TraceId, received_ns, SeverityText,"
            " Body)"
            f" SELECT {rows}, ['INFO', 'ERROR'][1 + number % 2], 'a slow request'"
            f" FROM numbers({AN_HOUR})"
        )
        client.command(
            "INSERT INTO otel_traces (Timestamp, ServiceName, TraceId, received_ns, SpanId,"
            " ParentSpanId, SpanName, Duration, SpanAttributes)"
            f" SELECT {rows}, toString(number), if(number % 8 = 0, '', 'root'), 'answer', 1000,"
            " map('http.route', concat('/', toString(intDiv(number, 8) % 7)))"
            f" FROM numbers({AN_HOUR})"
        )
    client.command(
        "INSERT INTO otel_traces_trace_id_ts (TraceId, Start, End)"
        " SELECT TraceId, min(Timestamp), max(Timestamp) FROM otel_traces GROUP BY TraceId"
    )
    within = f"SELECT any(TraceId) FROM otel_traces WHERE {_within('Timestamp')} AND SpanId = '800'"
    return str(client.command(within))


def test_tools_for_the_exporters_tables_read_their_window_alone(store: Connections) -> None:
    """Logs that were sorted by service first were read whole, of all days, for any search."""
    trace_id = _grow(store)
    for merged in (False, True):
        if merged:
            for table in ("otel_logs", "otel_traces", "otel_traces_trace_id_ts"):
                store.client().command(f"OPTIMIZE TABLE {table} FINAL")
        for asked, (statement, count) in STATEMENTS.items():
            text = statement.replace("{trace_id}", trace_id)
            found, read = rows_read(store, partial(store.client().query, text))
            assert len(found.result_rows) == count, asked
            # A window ends within a granule at both sides; a trace is looked up in its own table.
            assert read <= WINDOW_ROWS + 4 * GRANULE, (asked, merged)

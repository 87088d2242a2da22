"""Spans of a service in a store, by the second in which they end."""

from __future__ import annotations

import json
from collections.abc import Iterable

from clickhouse_connect.driver.client import Client

from collector.core.times import NS_PER_MS, NS_PER_S

COLUMNS = [
    "Timestamp", "TraceId", "SpanId", "SpanName", "SpanKind", "ServiceName", "SpanAttributes",
    "Duration", "StatusCode", "received_ns",
]  # fmt: skip


def write_spans(
    client: Client,
    from_ns: int,
    by_second: Iterable[tuple[int, int]],
    service: str = "api",
    failed_ms: int = 1,
) -> None:
    """Write spans of a millisecond each that end in the middle of their second.

    Args:
        client: of the store.
        from_ns: begin of the first second.
        by_second: good and failed spans, second by second.
        service: that answered them.
        failed_ms: duration of those that fail.
    """
    rows = []
    for second, (good, failed) in enumerate(by_second):
        for number in range(good + failed):
            is_failed = number >= good
            duration_ns = (failed_ms if is_failed else 1) * NS_PER_MS
            start_ns = from_ns + second * NS_PER_S + NS_PER_S // 2 - duration_ns
            status = "503" if is_failed else "200"
            rows.append(
                [
                    f"{start_ns // NS_PER_S}.{start_ns % NS_PER_S:09d}",
                    f"{start_ns + number:032x}",
                    f"{start_ns + number:016x}",
                    "GET /price",
                    "Server",
                    service,
                    {"http.response.status_code": status},
                    duration_ns,
                    "Error" if is_failed else "Unset",
                    start_ns,
                ]
            )
    text = "\n".join(map(json.dumps, rows))
    client.raw_insert("otel_traces", COLUMNS, text.encode(), fmt="JSONCompactEachRow")


def write_parts(client: Client, region: str, service: str) -> None:
    """Write that a service took part in every decision of a region that is attributed."""
    client.command(
        "INSERT INTO path_columns (ingress_ns, decision_id, revision, parent, offset_ns,"
        " duration_ns, traits, span_id, parent_id, service_name, span_name, marks, shift_ns,"
        " clock_bound_ns, self_ns, sections)"
        " SELECT ingress_ns, decision_id, 1, [0], [0], [1], [0], [161], [0], [{service:String}],"
        " [''], [0], [0], [0], [0], [[]] FROM attributions WHERE region = {region:String}",
        parameters={"service": service, "region": region},
    )

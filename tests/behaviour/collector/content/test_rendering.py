"""What is stored equals what the clickhouseexporter stores, value by value, through the real views.

The expected text is made here from the Python values, by NumPy's shortest floats and the standard
JSON encoder, and shares nothing with `collector.otlp.values`. Counting rows is not enough: the
worst loss seen while this was designed had every row and every key, and no value.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.otlp.check import Signal
from collector.otlp.go_json import double_text
from collector.otlp.values import has_deep_values, value_text
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import (
    any_value,
    key_values,
    logs_request,
    new_span_id,
    new_trace_id,
    span,
    store_request,
    trace_request,
)
from tests.support.collector.rendering import ATTRIBUTES, VALUES, expected, number, texts
from tests.support.examples import examples


def stored(store: Connections, table: str, trace_id: str) -> dict[str, Any]:
    """Return the one row of a trace."""
    result = store.client().query(
        f"SELECT * FROM {table} WHERE TraceId = {{trace_id:String}}",
        parameters={"trace_id": trace_id},
    )
    (row,) = result.named_results()
    return row


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sets=st.lists(ATTRIBUTES, min_size=6, max_size=6), body=VALUES)
def test_any_attributes_are_stored_as_the_exporter_renders_them(
    store: Connections, sets: list[dict[str, Any]], body: object
) -> None:
    """Nothing of an attribute is lost or altered, wherever it hangs and however deep it nests."""
    resource, scope, own, first_event, link, record = sets
    trace_id = new_trace_id()
    spans = trace_request(
        span(
            trace_id=trace_id,
            attributes=own,
            events=[
                Span.Event(name="first", attributes=key_values(first_event)),
                Span.Event(name="second"),
            ],
            links=[Span.Link(attributes=key_values(link))],
        ),
        resource=resource,
    )
    scope_spans = spans.resource_spans[0].scope_spans[0]
    scope_spans.scope.attributes.extend(key_values(scope))
    logs = logs_request(
        LogRecord(
            trace_id=bytes.fromhex(trace_id),
            time_unix_nano=NOW_NS,
            body=any_value(body),
            attributes=key_values(record),
        ),
        resource=resource,
    )
    logs.resource_logs[0].scope_logs[0].scope.attributes.extend(key_values(scope))

    store_request(store, spans)
    store_request(store, logs)

    row = stored(store, "otel_traces", trace_id)
    assert row["ResourceAttributes"] == {"service.name": "router", **texts(resource)}
    assert row["ScopeAttributes"] == texts(scope)
    assert row["SpanAttributes"] == texts(own)
    assert row["Events.Attributes"] == [texts(first_event), {}]
    assert row["Links.Attributes"] == [texts(link)]
    row = stored(store, "otel_logs", trace_id)
    assert row["ResourceAttributes"] == {"service.name": "shop", **texts(resource)}
    assert row["ScopeAttributes"] == texts(scope)
    assert row["LogAttributes"] == texts(record)
    assert row["Body"] == expected(body)


def test_every_control_character_of_an_array_is_escaped_as_go_does(store: Connections) -> None:
    r"""ClickHouse writes \u001F where Go writes \u001f; a literal one must stay as it is."""
    trace_id = new_trace_id()
    value = ["".join(map(chr, range(0x20))) + '\\u001F\\\\u001F\\/"<>&\x7f\u2028\u2029漢🚀']

    store_request(store, trace_request(span(trace_id=trace_id, attributes={"a": value})))

    assert stored(store, "otel_traces", trace_id)["SpanAttributes"] == {"a": expected(value)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.0, "0", id="zero"),
        pytest.param(-0.0, "-0", id="minus zero"),
        pytest.param(100.0, "100", id="no fraction"),
        pytest.param(1e-6, "0.000001", id="last fixed"),
        pytest.param(9.5e-7, "9.5e-7", id="first with an exponent"),
        pytest.param(1e20, "100000000000000000000", id="large fixed"),
        pytest.param(1e21, "1e+21", id="large with an exponent"),
        pytest.param(5e-324, "5e-324", id="smallest"),
        pytest.param(1.7976931348623157e308, "1.7976931348623157e+308", id="largest"),
    ],
)
def test_double_is_written_as_go_writes_it(value: float, text: str) -> None:
    """Pinned by hand, because both other spellings come from a library."""
    assert double_text(value) == number(value) == text


@pytest.mark.parametrize(
    ("value", "is_deep"),
    [
        pytest.param("2", False, id="text like the tag of a list of pairs"),
        pytest.param([1, "2", None, b"2"], False, id="flat array"),
        pytest.param([], False, id="empty array"),
        pytest.param({}, True, id="empty pairs"),
        pytest.param([1, [2]], True, id="array in array"),
        pytest.param([{"a": 1}], True, id="pairs in array"),
    ],
)
def test_deep_value_is_found_wherever_it_hangs(value: object, is_deep: bool) -> None:
    """What is missed here would be stored as base64 or null."""
    pairs = key_values({"k": value})
    places = [
        trace_request(resource={"k": value}),
        trace_request(span(attributes={"k": value})),
        trace_request(span(events=[Span.Event(attributes=pairs)])),
        trace_request(span(links=[Span.Link(attributes=pairs)])),
    ]
    scoped = trace_request(span())
    scope = InstrumentationScope(attributes=pairs)
    scoped.resource_spans[0].scope_spans[0].scope.CopyFrom(scope)
    logs = [
        logs_request(resource={"k": value}),
        logs_request(LogRecord(attributes=pairs)),
        logs_request(LogRecord(body=any_value(value))),
    ]

    for request in [*places, scoped]:
        assert has_deep_values(Signal.TRACES, request.SerializeToString()) == is_deep
    for log_request in logs:
        assert has_deep_values(Signal.LOGS, log_request.SerializeToString()) == is_deep


def test_last_of_equal_keys_counts_as_in_go() -> None:
    """A list of pairs may repeat a key on the wire; a map cannot."""
    value = any_value({"a": 1})
    value.kvlist_value.values.extend(key_values({"a": 2}))

    assert value_text(value) == '{"a":2}'


def test_fields_of_a_span_are_stored_as_the_exporter_does(store: Connections) -> None:
    """Dashboards written for the exporter's tables filter on these texts."""
    trace_id, span_id = new_trace_id(), new_span_id()
    request = trace_request(
        span(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id="00" * 8,
            kind="consumer",
            start_ns=NOW_NS,
            duration_ns=7,
            error=True,
            events=[Span.Event(time_unix_nano=2**64 - 1, name="late")],
            links=[
                Span.Link(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="a=1"),
                Span.Link(trace_id=bytes(16)),
            ],
        )
    )
    sent = request.resource_spans[0].scope_spans[0].spans[0]
    sent.trace_state, sent.status.message = "ot=th:8", "no stock"

    store_request(store, request, received_ns=NOW_NS + 9)

    row = stored(store, "otel_traces", trace_id)
    assert row["SpanId"] == span_id
    assert row["ParentSpanId"] == ""
    assert row["TraceState"] == "ot=th:8"
    assert row["SpanKind"] == "Consumer"
    assert row["ServiceName"] == "router"
    assert (row["ScopeName"], row["ScopeVersion"]) == ("tests", "1.0")
    assert row["Duration"] == 7
    assert (row["StatusCode"], row["StatusMessage"]) == ("Error", "no stock")
    assert row["Events.Name"] == ["late"]
    assert row["Links.TraceId"] == ["01" * 16, ""]
    assert row["Links.SpanId"] == ["02" * 8, ""]
    assert row["Links.TraceState"] == ["a=1", ""]
    assert row["received_ns"] == NOW_NS + 9
    (times,) = (
        store.client()
        .query(
            "SELECT toUnixTimestamp64Nano(Timestamp), toUnixTimestamp64Nano(Events.Timestamp[1])"
            " FROM otel_traces WHERE TraceId = {trace_id:String}",
            parameters={"trace_id": trace_id},
        )
        .result_rows
    )
    assert times == (NOW_NS, 2**63 - 1)


@pytest.mark.parametrize("wild", [-(2**31), -1, 6, 2**31 - 1])
def test_number_outside_its_enumeration_does_not_fail_the_batch(
    store: Connections, wild: int
) -> None:
    """A newer sender's kind must not cost the spans beside it."""
    trace_id = new_trace_id()
    request = trace_request(span(trace_id=trace_id))
    sent = request.resource_spans[0].scope_spans[0].spans[0]
    sent.kind = sent.status.code = wild  # type: ignore[assignment]  # no member of its enumeration

    store_request(store, request)

    row = stored(store, "otel_traces", trace_id)
    assert (row["SpanKind"], row["StatusCode"]) == ("Unspecified", "Unset")


def test_request_without_resource_or_scope_is_stored(store: Connections) -> None:
    """Both are optional in OTLP; the service of such a span is empty, as in the exporter."""
    trace_id = new_trace_id()
    request = trace_request(span(trace_id=trace_id))
    request.resource_spans[0].ClearField("resource")
    request.resource_spans[0].scope_spans[0].ClearField("scope")

    store_request(store, request)

    row = stored(store, "otel_traces", trace_id)
    assert (row["ServiceName"], row["ResourceAttributes"], row["ScopeName"]) == ("", {}, "")


def test_log_record_without_ids_and_times_has_those_of_its_arrival(store: Connections) -> None:
    """An id of another length is none, as OTLP says; an all-zero id is none too."""
    records = [
        LogRecord(trace_id=bytes(16), span_id=bytes(8), event_name="arrival"),
        LogRecord(trace_id=b"abc", span_id=b"abc", observed_time_unix_nano=NOW_NS - 1),
        LogRecord(
            time_unix_nano=NOW_NS - 2,
            severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
            severity_text="INFO",
            flags=257,
        ),
    ]

    store_request(store, logs_request(*records), received_ns=NOW_NS)

    rows = (
        store.client()
        .query(
            "SELECT toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, SeverityNumber,"
            " SeverityText, TraceFlags, EventName FROM otel_logs ORDER BY Timestamp"
        )
        .result_rows
    )
    assert rows == [
        (NOW_NS - 2, "", "", 9, "INFO", 1, ""),
        (NOW_NS - 1, "", "", 0, "", 0, ""),
        (NOW_NS, "", "", 0, "", 0, "arrival"),
    ]

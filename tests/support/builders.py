"""What tests are built from: OTLP messages, valid by default, one keyword to break."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.otlp.check import Signal, check, limits_at
from collector.otlp.values import Request
from collector.store.connect import Connections
from collector.wal.frames import encode_frame, scan
from collector.write.decision_spans import wanted_spans
from collector.write.insert_target import BLOCK_SETTINGS, TABLES, insert_settings
from collector.write.reading import read_spans, readable
from tests.conftest import NOW_NS

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000

# Starts well above zero, so that no made id is the all-zero one that OTLP forbids.
_IDS = itertools.count(0x1000)

_KINDS: Mapping[str, Span.SpanKind.ValueType] = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}


def new_trace_id() -> str:
    """Return a trace id that no other call in this process returns."""
    return f"{next(_IDS):032x}"


def new_span_id() -> str:
    """Return a span id that no other call in this process returns."""
    return f"{next(_IDS):016x}"


def any_value(value: object) -> AnyValue:
    """Return a Python value as OTLP has it; None is the value that is not there."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=str(value))


def key_values(attributes: Mapping[str, object]) -> list[KeyValue]:
    """Return attributes as OTLP has them, in the order given."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(
    *,
    trace_id: str = TRACE_ID,
    span_id: str | None = None,
    parent_span_id: str = "",
    name: str = "GET /price",
    kind: str = "server",
    start_ns: int = NOW_NS - SECOND_NS,
    duration_ns: int = 5 * MILLISECOND_NS,
    end_ns: int | None = None,
    attributes: Mapping[str, object] | None = None,
    events: Sequence[Span.Event] = (),
    links: Sequence[Span.Link] = (),
    error: bool = False,
) -> Span:
    """Return one span that started a second ago and took 5 ms. Ids are hex."""
    return Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(new_span_id() if span_id is None else span_id),
        parent_span_id=bytes.fromhex(parent_span_id),
        name=name,
        kind=_KINDS[kind],
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + duration_ns if end_ns is None else end_ns,
        attributes=key_values(attributes or {}),
        events=events,
        links=links,
        status=Status(code=Status.STATUS_CODE_ERROR) if error else None,
    )


def decision_span(
    *,
    action: str = "price",
    decision_id: str = "",
    region: str = "eu-west",
    start_ns: int = NOW_NS - SECOND_NS,
    stamps_ns: Sequence[int] | None = None,
    attributes: Mapping[str, object] | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    duration_ns: int = 5 * MILLISECOND_NS,
) -> Span:
    """Return the root of a decision in a trace of its own.

    Args:
        stamps_ns: ingress, transform, decision, egress; by default a millisecond apart from the
            start on, as many as are given.
    """
    if stamps_ns is None:
        stamps_ns = [start_ns + stage * MILLISECOND_NS for stage in range(4)]
    stages = ("ingress", "transform", "decision", "egress")
    stamped = {f"decision.ts.{stage}": ns for stage, ns in zip(stages, stamps_ns, strict=False)}
    named = {"decision.action": action, "decision.region": region}
    if decision_id:
        named["decision.id"] = decision_id
    return span(
        trace_id=trace_id or new_trace_id(),
        span_id=span_id,
        name=f"decide {action}",
        start_ns=start_ns,
        duration_ns=duration_ns,
        attributes={**named, **stamped, **(attributes or {})},
    )


def trace_request(
    *spans: Span,
    service: str = "router",
    resource: Mapping[str, object] | None = None,
    scope: str = "tests",
) -> ExportTraceServiceRequest:
    """Return one export request of one service's spans."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(
        key_values({"service.name": service, **(resource or {})})
    )
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.scope.version = "1.0"
    scope_spans.spans.extend(spans)
    return request


def outcome(
    *,
    outcome_id: str = "order-1",
    kind: str = "sale",
    decision_id: str = TRACE_ID,
    outcome_key: str = "",
    converted: bool | None = True,
    revenue: Decimal | None = Decimal("20.00"),
    margin: Decimal | None = Decimal("5.00"),
    currency: str = "USD",
    channel: str = "web",
    time_ns: int = NOW_NS,
) -> LogRecord:
    """Return one outcome as the log record that a shop sends; what is empty or None is left out."""
    attributes: dict[str, object] = {
        "outcome.id": outcome_id,
        "outcome.kind": kind,
        "decision.id": decision_id,
        "outcome.key": outcome_key,
        "outcome.converted": converted,
        "outcome.revenue": None if revenue is None else str(revenue),
        "outcome.margin": None if margin is None else str(margin),
        "outcome.currency": currency,
        "outcome.channel": channel,
    }
    return LogRecord(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        event_name="decision.outcome",
        attributes=key_values({k: v for k, v in attributes.items() if v not in ("", None)}),
    )


def logs_request(
    *records: LogRecord, service: str = "shop", resource: Mapping[str, object] | None = None
) -> ExportLogsServiceRequest:
    """Return one export request of one service's log records."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(
        key_values({"service.name": service, **(resource or {})})
    )
    resource_logs.scope_logs.add().log_records.extend(records)
    return request


def metrics_request(
    *metrics: Metric, service: str = "shop", resource: Mapping[str, object] | None = None
) -> ExportMetricsServiceRequest:
    """Return one export request of one service's metrics."""
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.extend(
        key_values({"service.name": service, **(resource or {})})
    )
    resource_metrics.scope_metrics.add().metrics.extend(metrics)
    return request


def store_blocks(store: Connections, request: ExportTraceServiceRequest) -> None:
    """Store one request of spans as the collector does with the compiled module."""
    frame = encode_frame(request.SerializeToString(), NOW_NS, 1)
    read = read_spans(
        frame, scan(frame).frames, wanted_spans(AttributesConfig(), DecisionsConfig())
    )
    for each in read.inserts:
        if each.rows:
            store.client().raw_insert(
                each.table, insert_block=each.block, fmt="Native", settings=BLOCK_SETTINGS
            )


def store_request(
    store: Connections, request: Request, received_ns: int = NOW_NS, token: str = ""
) -> None:
    """Store one request as the collector does, through the views, without sockets or log."""
    (signal,) = (signal for signal in Signal if isinstance(request, signal.request_class))
    checked = check(
        signal, request.SerializeToString(), limits_at(received_ns, 30, AttributesConfig())
    )
    assert not checked.message, checked.message
    store.client().raw_insert(
        TABLES[signal],
        insert_block=encode_frame(readable(signal, checked.payload), received_ns, checked.accepted),
        fmt="Protobuf",
        settings={**insert_settings(signal), "insert_deduplication_token": token},
    )

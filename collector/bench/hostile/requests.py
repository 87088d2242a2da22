"""Pure: the requests of `millworth bench hostile`: what is mutated, and what goes in beside it."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.core.times import NS_PER_MS
from collector.otlp.check import Signal

# A value of every kind that OTLP has, and how the store renders it.
_SAID: Mapping[str, tuple[AnyValue, str]] = {
    "text": (AnyValue(string_value="Zoë | 'a' \\ \n"), "Zoë | 'a' \\ \n"),
    "none": (AnyValue(), ""),
    "int": (AnyValue(int_value=-9_007_199_254_740_993), "-9007199254740993"),
    "double": (AnyValue(double_value=0.25), "0.25"),
    "bool": (AnyValue(bool_value=False), "false"),
    "bytes": (AnyValue(bytes_value=b"\x00\xff"), "AP8="),
    "list": (
        AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue()])),
        '["a",null]',
    ),
    "map": (
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue())])),
        '{"k":null}',
    ),
}
_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A good request of one item, and what the store has to say of it."""

    signal: Signal
    message: Message
    id: str
    name: str
    trace: str
    time_ns: int
    number: float
    said: Mapping[str, str]

    @property
    def row(self) -> list[object]:
        """Return it as the store returns it."""
        values = dict(self.said)
        return [self.signal, self.id, self.name, self.trace, self.time_ns, self.number, values]


def make_neighbour(number: int, now_ns: int) -> Neighbour:
    """Return one good request; the signals take turns."""
    signal = list(Signal)[number % len(Signal)]
    values = {key: value for key, (value, _) in _SAID.items()}
    values["neighbour"] = AnyValue(string_value=str(number))
    trace_id = (number + 1).to_bytes(16, "big")
    name = f"neighbour {number}"
    message: Message
    if signal is Signal.TRACES:
        message = _traces("neighbour", [_span(name, trace_id, now_ns, number, values)])
    elif signal is Signal.LOGS:
        message = _logs("neighbour", _record(name, trace_id, now_ns, values))
    else:
        message = _metrics("neighbour", _gauge(name, now_ns, number, values))
    return Neighbour(
        signal,
        message,
        str(number),
        name,
        "" if signal is Signal.METRICS else trace_id.hex(),
        now_ns,
        9.0 if signal is Signal.LOGS else number + 0.5 * (signal is Signal.METRICS),
        {**{key: text for key, (_, text) in _SAID.items()}, "neighbour": str(number)},
    )


def make_victim(draw: random.Random, signal: Signal, now_ns: int) -> Message:
    """Return a good request of a few items with everything in it, to be mutated."""
    values = {key: value for key, (value, _) in _SAID.items()}
    values["outcome.id"] = AnyValue(string_value=f"{draw.getrandbits(40)}")
    values["decision.action"] = AnyValue(string_value="offer")
    values["decision.ts.ingress"] = AnyValue(int_value=now_ns)
    count = draw.randint(1, 3)
    if signal is Signal.TRACES:
        spans = [_span("mutant", draw.randbytes(16), now_ns, 5, values) for _ in range(count)]
        return _traces("mutant", spans)
    if signal is Signal.LOGS:
        records = [_record("mutant", draw.randbytes(16), now_ns, values) for _ in range(count)]
        return _logs("mutant", *records)
    return _metrics("mutant", *[_gauge("mutant", now_ns, n, values) for n in range(count)])


def to_json(message: Message) -> dict[str, Any]:
    """Return a request as OTLP/JSON has it: ids in hex."""
    document = json_format.MessageToDict(message)
    _ids_to_hex(document)
    return document


def _ids_to_hex(node: object) -> None:
    if isinstance(node, list):
        for item in node:
            _ids_to_hex(item)
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _IDS:
                node[key] = base64.b64decode(value).hex()
            else:
                _ids_to_hex(value)


def _pairs(values: Mapping[str, AnyValue]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def _service(name: str) -> list[KeyValue]:
    return _pairs({"service.name": AnyValue(string_value=name)})


def _span(
    name: str, trace_id: bytes, now_ns: int, duration_ns: int, values: Mapping[str, AnyValue]
) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=trace_id[8:],
        parent_span_id=trace_id[8:],
        trace_state="ot=th:c",
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=now_ns,
        end_time_unix_nano=now_ns + duration_ns,
        attributes=_pairs(values),
        events=[Span.Event(time_unix_nano=now_ns, name="event", attributes=_pairs(values))],
        links=[Span.Link(trace_id=trace_id, span_id=trace_id[8:], attributes=_pairs(values))],
        status=Status(code=Status.STATUS_CODE_ERROR, message="no"),
        flags=1,
    )


def _record(name: str, trace_id: bytes, now_ns: int, values: Mapping[str, AnyValue]) -> LogRecord:
    return LogRecord(
        time_unix_nano=now_ns,
        observed_time_unix_nano=now_ns + NS_PER_MS,
        severity_number=9,  # type: ignore[arg-type]  # INFO, as the wire has it
        body=AnyValue(string_value=name),
        trace_id=trace_id,
        span_id=trace_id[8:],
        attributes=_pairs(values),
        event_name="decision.outcome" if name == "mutant" else "",
    )


def _gauge(name: str, now_ns: int, number: int, values: Mapping[str, AnyValue]) -> Metric:
    point = NumberDataPoint(
        time_unix_nano=now_ns, as_double=number + 0.5, attributes=_pairs(values)
    )
    return Metric(name=name, unit="1", gauge=Gauge(data_points=[point]))


def _traces(service: str, spans: list[Span]) -> Message:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(_service(service))
    resource_spans.scope_spans.add().spans.extend(spans)
    return request


def _logs(service: str, *records: LogRecord) -> Message:
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.extend(_service(service))
    resource_logs.scope_logs.add().log_records.extend(records)
    return request


def _metrics(service: str, *metrics: Metric) -> Message:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.extend(_service(service))
    resource_metrics.scope_metrics.add().metrics.extend(metrics)
    return request

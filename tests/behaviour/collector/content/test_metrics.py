"""Metrics over both receivers, with the official exporters and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import httpx
import pytest
from backports import zstd
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.otlp.check import Signal, check, limits_at
from collector.otlp.json import decode_json
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import logs_request, metrics_request, outcome, span, trace_request
from tests.support.collector.clients import METRICS, PROTOBUF, WAIT_S, post

pytestmark = pytest.mark.integration

LIMITS = limits_at(NOW_NS, 30, AttributesConfig())


def gauge(name: str = "queue", **point: float) -> Metric:
    """Return a gauge of one point, at the time of the tests."""
    metric = Metric(name=name)
    metric.gauge.data_points.add(**{"time_unix_nano": NOW_NS, "as_double": 0.5, **point})
    return metric


def rows(store: Connections, kind: str) -> list[dict[str, object]]:
    """Return what is stored of one kind."""
    query = f"SELECT * FROM otel_metrics_{kind} ORDER BY MetricName"
    return list(store.client().query(query).named_results())


def queue_length(_: CallbackOptions) -> Iterator[Observation]:
    """Observe a gauge."""
    yield Observation(7, {"lane": "a"})


def test_official_exporters_find_their_metrics(
    service: CollectorService, store: Connections, clock: ManualClock
) -> None:
    """Every instrument of an SDK arrives with its value, from each exporter of one provider."""
    clock.ns = SystemClock().now_ns()  # the SDK stamps points by the machine's clock
    exporters: list[MetricExporter] = [
        GrpcMetricExporter(
            endpoint=f"127.0.0.1:{service.grpc_port}",
            insecure=True,
            compression=grpc.Compression.Gzip,
        ),
        HttpMetricExporter(
            endpoint=f"http://127.0.0.1:{service.http_port}/v1/metrics",
            compression=Compression.Gzip,
        ),
    ]
    provider = MeterProvider(
        [
            PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
            for exporter in exporters
        ],
        resource=Resource({"service.name": "shop"}),
        views=[
            View(
                instrument_type=Histogram,
                instrument_name="size",
                aggregation=ExponentialBucketHistogramAggregation(),
            )
        ],
    )
    meter = provider.get_meter("sdk", "2.1")
    meter.create_counter("orders", unit="1").add(3, {"lane": "a"})
    meter.create_up_down_counter("open").add(-2)
    meter.create_observable_gauge("queue", [queue_length], description="waiting")
    meter.create_histogram("wait", explicit_bucket_boundaries_advisory=[1, 10]).record(4.5)
    meter.create_histogram("size").record(8)
    provider.force_flush()
    provider.shutdown()

    assert service.flush(WAIT_S)
    for queue in rows(store, "gauge"):
        assert (queue["MetricName"], queue["Value"]) == ("queue", 7)
        assert (queue["MetricDescription"], queue["Attributes"]) == ("waiting", {"lane": "a"})
        assert (queue["ServiceName"], queue["ScopeName"]) == ("shop", "sdk")
    sums = [(r["MetricName"], r["Value"], r["IsMonotonic"]) for r in rows(store, "sum")]
    assert sums == [("open", -2, False)] * 2 + [("orders", 3, True)] * 2
    for wait in rows(store, "histogram"):
        assert (wait["BucketCounts"], wait["ExplicitBounds"]) == ([0, 1, 0], [1, 10])
        assert (wait["Sum"], wait["Min"], wait["Max"], wait["Count"]) == (4.5, 4.5, 4.5, 1)
    for size in rows(store, "exp_histogram"):
        assert (size["Sum"], size["PositiveBucketCounts"]) == (8, [1])
    status = service.status()
    assert (status.points_acked, status.points_stored, status.refused) == (10, 10, 0)
    assert [len(rows(store, kind)) for kind in ("gauge", "histogram", "exp_histogram")] == [2] * 3


def test_json_metrics_are_stored_as_the_same_in_protobuf() -> None:
    """Hex ids of exemplars, integers as text or numbers, enumerations by name."""
    exemplar = {
        "asInt": "3",
        "traceId": "0AF7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
    }
    point = {"timeUnixNano": str(NOW_NS), "exemplars": [exemplar]}
    metrics = [
        {"name": "g", "gauge": {"dataPoints": [{**point, "asInt": 7}]}},
        {
            "name": "s",
            "sum": {
                "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA",
                "isMonotonic": True,
                "dataPoints": [{**point, "asDouble": "NaN"}],
            },
        },
        {"name": "h", "histogram": {"dataPoints": [{**point, "bucketCounts": ["1", 2]}]}},
        {"name": "e", "exponentialHistogram": {"dataPoints": [{**point, "zeroCount": 9}]}},
        {"name": "q", "summary": {"dataPoints": [{"timeUnixNano": NOW_NS, "count": "4"}]}},
    ]
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}

    body = decode_json(Signal.METRICS, json.dumps(document).encode())

    scope_metrics = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics
    g, s, h, e, q = scope_metrics[0].metrics
    for kind in (g.gauge, s.sum, h.histogram, e.exponential_histogram):
        (found,) = kind.data_points[0].exemplars
        assert found.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
        assert (found.span_id.hex(), found.as_int) == ("00f067aa0ba902b7", 3)
    assert g.gauge.data_points[0].as_int == 7
    assert (s.sum.aggregation_temporality, s.sum.is_monotonic) == (1, True)
    assert list(h.histogram.data_points[0].bucket_counts) == [1, 2]
    assert e.exponential_histogram.data_points[0].zero_count == 9
    assert q.summary.data_points[0].count == 4


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        pytest.param({"time_unix_nano": 0}, "time_out_of_range", id="no time"),
        pytest.param({"time_unix_nano": 2**64 - 1}, "time_out_of_range", id="far ahead"),
        pytest.param({"start_time_unix_nano": NOW_NS + 1}, "ends_before_start", id="starts late"),
    ],
)
def test_point_that_cannot_be_stored_is_refused(point: dict[str, float], reason: str) -> None:
    """The points beside it are kept, and the sender is told."""
    request = metrics_request(gauge("bad", **point), gauge("good"))

    checked = check(Signal.METRICS, request.SerializeToString(), LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (1, {reason: 1})
    assert "metric 'bad'" in checked.message
    kept = ExportMetricsServiceRequest.FromString(checked.payload).resource_metrics[0]
    assert [len(m.gauge.data_points) for m in kept.scope_metrics[0].metrics] == [0, 1]


def test_counter_may_have_started_long_ago() -> None:
    """A cumulative sum starts with its process, and without a start it is taken too."""
    body = metrics_request(gauge(start_time_unix_nano=1), gauge()).SerializeToString()

    checked = check(Signal.METRICS, body, LIMITS)

    assert (checked.accepted, checked.refused_count) == (2, 0)
    assert checked.payload is body


def test_refused_points_are_told_in_each_transport(
    service: CollectorService, store: Connections, http: httpx.Client
) -> None:
    """OK with a count and a reason: the sender must not send the batch again."""
    one, other = (
        metrics_request(gauge(name), gauge("bad", time_unix_nano=1)) for name in ("good", "well")
    )
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        export = channel.unary_unary(METRICS, request_serializer=None, response_deserializer=None)
        told = export(one.SerializeToString(), timeout=WAIT_S)
    answers = [told, post(http, other, "/v1/metrics").content]

    for answer in answers:
        partial = ExportMetricsServiceResponse.FromString(answer).partial_success
        assert partial.rejected_data_points == 1
        assert "time_out_of_range" in partial.error_message
    assert service.flush(WAIT_S)
    assert [row["MetricName"] for row in rows(store, "gauge")] == ["good", "well"]


def test_metric_of_two_kinds_on_the_wire_is_its_last(
    service: CollectorService, store: Connections, http: httpx.Client
) -> None:
    """Protobuf allows a oneof twice; the store's reader does not, and gets it normalised."""
    first, second = gauge("twice"), Metric()
    second.sum.data_points.add(time_unix_nano=NOW_NS, as_int=4)
    twice = first.SerializeToString() + second.SerializeToString()
    scope_metrics = b"\x12" + bytes([len(twice)]) + twice
    group = b"\x12" + bytes([len(scope_metrics)]) + scope_metrics
    body = b"\x0a" + bytes([len(group)]) + group

    answer = http.post("/v1/metrics", content=body, headers={"content-type": PROTOBUF})

    assert (answer.status_code, answer.content) == (200, b"")
    assert service.flush(WAIT_S)
    assert (rows(store, "gauge"), [row["Value"] for row in rows(store, "sum")]) == ([], [4])


def test_every_signal_is_taken_as_zstd(service: CollectorService, http: httpx.Client) -> None:
    """In Protobuf and in JSON; over the limit it is 413, however small it was sent."""
    at_ns = {"timeUnixNano": str(NOW_NS), "asInt": 1}
    metric = {"name": "json", "gauge": {"dataPoints": [at_ns]}}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    sent = [
        ("/v1/traces", PROTOBUF, trace_request(span()).SerializeToString()),
        ("/v1/logs", PROTOBUF, logs_request(outcome()).SerializeToString()),
        ("/v1/metrics", PROTOBUF, metrics_request(gauge()).SerializeToString()),
        ("/v1/metrics", "application/json", json.dumps(document).encode()),
        ("/v1/traces", PROTOBUF, bytes(64 * 1024 * 1024)),
    ]

    statuses = [
        http.post(
            path,
            content=zstd.compress(body),
            headers={"content-type": content_type, "content-encoding": "zstd"},
        ).status_code
        for path, content_type, body in sent
    ]

    assert statuses == [200, 200, 200, 200, 413]
    status = service.status()
    assert (status.spans_acked, status.logs_acked, status.points_acked) == (1, 1, 2)

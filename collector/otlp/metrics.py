"""Pure: which points of a metrics request are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from collector.otlp.limits import Limits, Refusal, out_of_range

Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint


class Points(Protocol):
    """The points of one metric, whatever their kind."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Point]: ...
    def __delitem__(self, index: int, /) -> None: ...


def metrics(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    """Yield every metric of a request."""
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            yield from scope_metrics.metrics


def points(metric: Metric) -> Points:
    """Return the points of a metric; none where it is of a kind that is not known."""
    kind = metric.WhichOneof("data")
    if kind is None:
        return metric.gauge.data_points
    found: Points = getattr(metric, kind).data_points
    return found


def exemplars(point: Point) -> Iterator[Exemplar]:
    """Yield the exemplars of a point; a summary has none."""
    if not isinstance(point, SummaryDataPoint):
        yield from point.exemplars


def metric_attributes(request: ExportMetricsServiceRequest) -> Iterator[Iterable[KeyValue]]:
    """Yield every set of attributes that is stored: of resources, scopes, points and exemplars."""
    for resource_metrics in request.resource_metrics:
        yield resource_metrics.resource.attributes
        for scope_metrics in resource_metrics.scope_metrics:
            yield scope_metrics.scope.attributes
    for metric in metrics(request):
        for point in points(metric):
            yield point.attributes
            for exemplar in exemplars(point):
                yield exemplar.filtered_attributes


def bad_points(metric: Metric, limits: Limits) -> Mapping[int, Refusal]:
    """Return the points of a metric that cannot be stored, by their index."""
    return {
        index: refusal
        for index, point in enumerate(points(metric))
        if (refusal := refuse_point(metric.name, point, limits)) is not None
    }


def refuse_point(name: str, point: Point, limits: Limits) -> Refusal | None:
    """Return why a point cannot be stored, None where it can.

    Its time is required. Its start is not, and may be long ago: a counter runs as long as its
    process.
    """
    start_ns, time_ns = point.start_time_unix_nano, point.time_unix_nano
    if not limits.earliest_ns <= time_ns <= limits.latest_ns:
        return out_of_range(f"metric {name!r}: point", time_ns, time_ns, limits)
    if start_ns > time_ns:
        return Refusal(
            "ends_before_start",
            f"metric {name!r}: point ends {start_ns - time_ns} ns before it starts; "
            "take both times from one clock",
        )
    return None

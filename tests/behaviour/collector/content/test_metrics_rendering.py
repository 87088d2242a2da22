"""Every field of every kind of metric is stored as the clickhouseexporter stores it.

Messages and expected rows are both made from the same Python values; the row shares nothing with
the views. The texts of attributes come from `test_rendering`, which pins them for spans.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.otlp.metrics import Point
from collector.otlp.values import has_deep_values
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import key_values, metrics_request, store_request
from tests.support.collector.rendering import ATTRIBUTES, TEXTS, texts
from tests.support.examples import examples

KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_NAMES = itertools.count()

UINT32 = st.integers(0, 2**32 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
UINT64 = st.integers(0, 2**64 - 1)
COUNTS = st.lists(UINT64, max_size=4)
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats()
EXEMPLARS = st.lists(
    st.fixed_dictionaries(
        {
            "attributes": ATTRIBUTES,
            "time_ns": UINT64,
            "value": NUMBERS,
            "span_id": st.sampled_from([b"", b"\xab" * 8, b"abc"]),
            "trace_id": st.sampled_from([b"", b"\xcd" * 16, b"abc"]),
        }
    ),
    max_size=2,
)
COMMON = {
    "attributes": ATTRIBUTES,
    "start_ns": st.integers(0, NOW_NS - NS_PER_DAY),
    "time_ns": st.integers(NOW_NS - NS_PER_DAY, NOW_NS),
    "flags": UINT32,
}
SUMMED = {"count": UINT64, "sum": st.floats()}
MEASURED = {**COMMON, **SUMMED, "exemplars": EXEMPLARS, "min": st.floats(), "max": st.floats()}
FIELDS: dict[str, dict[str, Any]] = {
    "gauge": {**COMMON, "exemplars": EXEMPLARS, "value": NUMBERS},
    "sum": {**COMMON, "exemplars": EXEMPLARS, "value": NUMBERS},
    "histogram": {
        **MEASURED,
        "bucket_counts": COUNTS,
        "explicit_bounds": st.lists(st.floats(), max_size=4),
    },
    "exponential_histogram": {
        **MEASURED,
        "scale": INT32,
        "zero_count": UINT64,
        "positive": st.tuples(INT32, COUNTS),
        "negative": st.tuples(INT32, COUNTS),
    },
    "summary": {
        **COMMON,
        **SUMMED,
        "quantile_values": st.lists(st.tuples(st.floats(), st.floats()), max_size=3),
    },
}
POINTS = st.fixed_dictionaries(
    {kind: st.lists(st.fixed_dictionaries(FIELDS[kind]), max_size=2) for kind in KINDS}
)
HEADS = st.fixed_dictionaries(
    {
        "resource": ATTRIBUTES,
        "scope": ATTRIBUTES,
        "texts": st.lists(TEXTS, min_size=6, max_size=6),
        "dropped": UINT32,
        "temporality": INT32,
        "is_monotonic": st.booleans(),
    }
)


def number(value: int | float | None) -> dict[str, Any]:
    """Return the field that carries a number."""
    if value is None:
        return {}
    return {"as_int" if isinstance(value, int) else "as_double": value}


def message(kind: str, point: dict[str, Any]) -> Point:
    """Return one point as OTLP has it."""
    fields: dict[str, Any] = {
        "attributes": key_values(point["attributes"]),
        "start_time_unix_nano": point["start_ns"],
        "time_unix_nano": point["time_ns"],
        "flags": point["flags"],
    }
    if kind != "summary":
        fields["exemplars"] = [
            Exemplar(
                filtered_attributes=key_values(exemplar["attributes"]),
                time_unix_nano=exemplar["time_ns"],
                span_id=exemplar["span_id"],
                trace_id=exemplar["trace_id"],
                **number(exemplar["value"]),
            )
            for exemplar in point["exemplars"]
        ]
    if kind in ("gauge", "sum"):
        return NumberDataPoint(**fields, **number(point["value"]))
    fields |= {"count": point["count"], "sum": point["sum"]}
    if kind == "summary":
        quantiles = [
            SummaryDataPoint.ValueAtQuantile(quantile=quantile, value=value)
            for quantile, value in point["quantile_values"]
        ]
        return SummaryDataPoint(**fields, quantile_values=quantiles)
    fields |= {"min": point["min"], "max": point["max"]}
    if kind == "histogram":
        return HistogramDataPoint(
            **fields,
            bucket_counts=point["bucket_counts"],
            explicit_bounds=point["explicit_bounds"],
        )
    buckets = ExponentialHistogramDataPoint.Buckets
    return ExponentialHistogramDataPoint(
        **fields,
        scale=point["scale"],
        zero_count=point["zero_count"],
        positive=buckets(offset=point["positive"][0], bucket_counts=point["positive"][1]),
        negative=buckets(offset=point["negative"][0], bucket_counts=point["negative"][1]),
    )


def expected(kind: str, point: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one point, without the columns that all points of a request share."""
    row: dict[str, Any] = {
        "Attributes": texts(point["attributes"]),
        "StartTimeUnix": point["start_ns"],
        "TimeUnix": point["time_ns"],
        "Flags": point["flags"],
    }
    if kind != "summary":
        row |= expected_exemplars(point["exemplars"])
        if kind != "gauge":
            row["AggregationTemporality"] = head["temporality"]
    if kind in ("gauge", "sum"):
        row["Value"] = 0.0 if point["value"] is None else float(point["value"])  # -0.0 is a value
        return row | ({"IsMonotonic": head["is_monotonic"]} if kind == "sum" else {})
    row |= {"Count": point["count"], "Sum": point["sum"]}
    if kind == "summary":
        row["ValueAtQuantiles.Quantile"] = [pair[0] for pair in point["quantile_values"]]
        row["ValueAtQuantiles.Value"] = [pair[1] for pair in point["quantile_values"]]
        return row
    row |= {"Min": point["min"], "Max": point["max"]}
    if kind == "histogram":
        return row | {
            "BucketCounts": point["bucket_counts"],
            "ExplicitBounds": point["explicit_bounds"],
        }
    for side in ("positive", "negative"):
        offset, counts = point[side]
        row |= {
            f"{side.capitalize()}Offset": offset,
            f"{side.capitalize()}BucketCounts": counts,
        }
    return row | {"Scale": point["scale"], "ZeroCount": point["zero_count"]}


def expected_exemplars(exemplars: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns of exemplars; an id that is absent or too short is zeros."""
    return {
        "Exemplars.FilteredAttributes": [texts(e["attributes"]) for e in exemplars],
        "Exemplars.TimeUnix": [min(e["time_ns"], 2**63 - 1) for e in exemplars],
        "Exemplars.Value": [0.0 if e["value"] is None else float(e["value"]) for e in exemplars],
        "Exemplars.SpanId": [
            e["span_id"].hex() if len(e["span_id"]) == 8 else "0" * 16 for e in exemplars
        ],
        "Exemplars.TraceId": [
            e["trace_id"].hex() if len(e["trace_id"]) == 16 else "0" * 32 for e in exemplars
        ],
    }


NEGATIVE_ZERO: dict[str, list[dict[str, Any]]] = {
    **{kind: [] for kind in KINDS},
    "sum": [
        {"attributes": {}, "start_ns": 0, "time_ns": NOW_NS, "flags": 0, "exemplars": [],
         "value": -0.0}
    ],
}  # fmt: skip
PLAIN_HEAD: dict[str, Any] = {
    "resource": {}, "scope": {}, "texts": [""] * 6, "dropped": 0, "temporality": 0,
    "is_monotonic": False,
}  # fmt: skip


def comparable(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as text in a fixed order: NaN equals NaN there, and -0.0 differs from 0.0."""
    return sorted(repr(sorted(row.items())) for row in rows)


def stored(store: Connections, kind: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of one metric, times in Unix ns."""
    table = f"otel_metrics_{kind.replace('exponential', 'exp')}"
    exemplar_times = (
        ""
        if kind == "summary"
        else ", arrayMap(t -> toUnixTimestamp64Nano(t), Exemplars.TimeUnix) AS `Exemplars.TimeUnix`"
    )
    result = store.client().query(
        "SELECT * REPLACE (toUnixTimestamp64Nano(StartTimeUnix) AS StartTimeUnix,"
        f" toUnixTimestamp64Nano(TimeUnix) AS TimeUnix{exemplar_times})"
        f" FROM {table} WHERE MetricName = {{name:String}}",
        parameters={"name": name},
    )
    return list(result.named_results())


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=POINTS, head=HEADS)
@example(points=NEGATIVE_ZERO, head=PLAIN_HEAD)
def test_every_field_of_every_kind_is_stored(
    store: Connections, points: dict[str, list[dict[str, Any]]], head: dict[str, Any]
) -> None:
    """A metric of each kind in one request, so that none takes the fields of another."""
    scope_name, version, description, unit, resource_url, scope_url = head["texts"]
    names = {kind: f"{scope_name}{next(_NAMES)}" for kind in KINDS}
    request = metrics_request(resource=head["resource"])
    request.resource_metrics[0].schema_url = resource_url
    scoped = request.resource_metrics[0].scope_metrics[0]
    scoped.schema_url = scope_url
    scoped.scope.name, scoped.scope.version = scope_name, version
    scoped.scope.attributes.extend(key_values(head["scope"]))
    scoped.scope.dropped_attributes_count = head["dropped"]
    for kind in KINDS:
        metric = scoped.metrics.add(name=names[kind], description=description, unit=unit)
        data = getattr(metric, kind)
        data.SetInParent()
        data.data_points.extend(message(kind, point) for point in points[kind])
        if kind not in ("gauge", "summary"):
            data.aggregation_temporality = head["temporality"]
    scoped.metrics[1].sum.is_monotonic = head["is_monotonic"]

    store_request(store, request, received_ns=NOW_NS + 3)

    for kind in KINDS:
        shared = {
            "ResourceAttributes": {"service.name": "shop", **texts(head["resource"])},
            "ResourceSchemaUrl": resource_url,
            "ScopeName": scope_name,
            "ScopeVersion": version,
            "ScopeAttributes": texts(head["scope"]),
            "ScopeDroppedAttrCount": head["dropped"],
            "ScopeSchemaUrl": scope_url,
            "ServiceName": texts({"service.name": "shop", **head["resource"]})["service.name"],
            "MetricName": names[kind],
            "MetricDescription": description,
            "MetricUnit": unit,
            "received_ns": NOW_NS + 3,
        }
        rows = [{**shared, **expected(kind, point, head)} for point in points[kind]]
        assert comparable(stored(store, kind, names[kind])) == comparable(rows), kind


@pytest.mark.parametrize("kind", KINDS)
def test_deep_value_is_found_on_every_kind(kind: str) -> None:
    """What is missed here would be stored as base64 or null."""
    metric = Metric()
    point = getattr(metric, kind).data_points.add()
    assert not has_deep_values(Signal.METRICS, metrics_request(metric).SerializeToString())

    point.attributes.extend(key_values({"k": {"a": 1}}))
    assert has_deep_values(Signal.METRICS, metrics_request(metric).SerializeToString())
    if kind != "summary":
        point.ClearField("attributes")
        point.exemplars.add(filtered_attributes=key_values({"k": [[1]]}))
        assert has_deep_values(Signal.METRICS, metrics_request(metric).SerializeToString())


def test_a_replayed_insert_leaves_each_point_once(store: Connections) -> None:
    """The token passes the table in the middle and the view of each kind."""
    metrics = [Metric(name=f"again.{kind}") for kind in KINDS]
    for kind, metric in zip(KINDS, metrics, strict=True):
        getattr(metric, kind).data_points.add(time_unix_nano=NOW_NS)

    for _ in range(2):
        store_request(store, metrics_request(*metrics), token="segment-1")

    assert [len(stored(store, kind, f"again.{kind}")) for kind in KINDS] == [1] * 5


def test_metric_without_points_or_of_no_kind_stores_nothing(store: Connections) -> None:
    """A newer sender's kind must not cost the metrics beside it."""
    good = Metric(name="beside.gauge")
    good.gauge.data_points.add(time_unix_nano=NOW_NS, as_int=7)
    newer = Metric.FromString(b"\x0a\x05newer\x6a\x02\x0a\x00")  # field 13, which is not defined

    store_request(store, metrics_request(newer, Metric(name="empty"), good))

    assert [row["Value"] for row in stored(store, "gauge", "beside.gauge")] == [7.0]

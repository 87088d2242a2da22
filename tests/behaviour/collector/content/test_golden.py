"""Whole messages, stored and read back: every column equals what upb says of the same bytes.

Random spans and log records with any value in any field go through the receiver's check and the
real views, by both ways that spans have. `tests/behaviour/collector/content/test_rendering.py` has
the texts of values; here are the fields, and the lengths and widths at which the wire changes its
form.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.core.errors import DecodeError
from collector.otlp.check import Signal, check, limits_at
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.wal.frames import encode_frame
from collector.wal.log import Budget
from collector.write.blocks import BlockReader, block_readers
from collector.write.declared import WantedSpans
from collector.write.writer import StoreWriter
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    any_value,
    key_values,
    logs_request,
    new_span_id,
    new_trace_id,
    span,
    store_blocks,
    store_request,
    trace_request,
)
from tests.support.collector.golden import whole_spans
from tests.support.collector.rendering import ATTRIBUTES, TEXTS, VALUES, expected
from tests.support.examples import examples

KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
CODES = ["Unset", "Ok", "Error"]
# The lengths at which the length itself takes another byte, in a value and in the message around
# it. The next is 256 MiB, which no receiver takes.
LENGTHS = [0, 1, 124, 125, 126, 127, 128, 129, 16_380, 16_381, 16_382, 16_383, 16_384, 2_097_151,
           2_097_152]  # fmt: skip
WIDTHS = sorted({sign * 2**bits + off for bits in range(64) for off in (-1, 0, 1)
                 for sign in (1, -1) if -(2**63) <= sign * 2**bits + off < 2**63})  # fmt: skip

StoredBy = Callable[[Connections, ExportTraceServiceRequest], None]

SPAN_COLUMNS = """
SELECT
    SpanId, toUnixTimestamp64Nano(Timestamp) AS start_ns, ParentSpanId, TraceState, SpanName,
    SpanKind, ServiceName, ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes,
    SpanAttributes, Duration, StatusCode, StatusMessage,
    arrayMap(at -> toUnixTimestamp64Nano(at), Events.Timestamp) AS event_times,
    Events.Name, Events.Attributes, Links.TraceId, Links.SpanId, Links.TraceState,
    Links.Attributes, received_ns
FROM otel_traces
WHERE TraceId = {trace_id:String}
ORDER BY SpanId
"""
LOG_COLUMNS = """
SELECT
    SpanId, toUnixTimestamp64Nano(Timestamp) AS time_ns, TraceFlags, SeverityText, SeverityNumber,
    Body, LogAttributes, EventName, ResourceAttributes, ResourceSchemaUrl, ScopeSchemaUrl,
    ScopeName, ScopeVersion, ScopeAttributes
FROM otel_logs
WHERE TraceId = {trace_id:String}
ORDER BY SpanId
"""


def plain(value: AnyValue) -> object:
    """Return an AnyValue as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def texts(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """Return the column that attributes become."""
    return {pair.key: expected(plain(pair.value)) for pair in pairs}


def id_text(content: bytes) -> str:
    """Return an id as the exporter writes it: none for nothing but zeros."""
    return content.hex() if content.strip(b"\0") else ""


def span_row(request: ExportTraceServiceRequest, one: Span) -> tuple[object, ...]:
    """Return what SPAN_COLUMNS gives for one span."""
    group = request.resource_spans[0]
    scope = group.scope_spans[0].scope
    resource = texts(group.resource.attributes)
    return (
        one.span_id.hex(),
        one.start_time_unix_nano,
        id_text(one.parent_span_id),
        one.trace_state,
        one.name,
        KINDS[one.kind],
        resource.get("service.name", ""),
        resource,
        scope.name,
        scope.version,
        texts(scope.attributes),
        texts(one.attributes),
        one.end_time_unix_nano - one.start_time_unix_nano,
        CODES[one.status.code],
        one.status.message,
        [min(event.time_unix_nano, 2**63 - 1) for event in one.events],
        [event.name for event in one.events],
        [texts(event.attributes) for event in one.events],
        [id_text(link.trace_id) for link in one.links],
        [id_text(link.span_id) for link in one.links],
        [link.trace_state for link in one.links],
        [texts(link.attributes) for link in one.links],
        NOW_NS,
    )


def rows(store: Connections, columns: str, trace_id: str) -> list[tuple[object, ...]]:
    """Return the rows of one trace."""
    result = store.client().query(columns, parameters={"trace_id": trace_id})
    return [tuple(row) for row in result.result_rows]


@pytest.mark.parametrize("stored_by", [store_blocks, store_request], ids=["native", "protobuf"])
def test_any_spans_are_stored_as_upb_reads_them(store: Connections, stored_by: StoredBy) -> None:
    """Both ways into the store, and every field: a shifted column would have every row."""

    @settings(max_examples=examples(20), suppress_health_check=list(HealthCheck))
    @given(
        spans=st.lists(whole_spans(ATTRIBUTES), min_size=1, max_size=3),
        resource=ATTRIBUTES,
        scope=ATTRIBUTES,
    )
    def stored_as_read(spans: list[Span], resource: dict[str, Any], scope: dict[str, Any]) -> None:
        trace_id = new_trace_id()
        for one in spans:
            one.trace_id, one.span_id = bytes.fromhex(trace_id), bytes.fromhex(new_span_id())
        request = trace_request(*spans, resource=resource)
        request.resource_spans[0].scope_spans[0].scope.attributes.extend(key_values(scope))
        truth = ExportTraceServiceRequest.FromString(request.SerializeToString())

        stored_by(store, request)

        read = truth.resource_spans[0].scope_spans[0].spans
        assert rows(store, SPAN_COLUMNS, trace_id) == [span_row(truth, one) for one in read]

    stored_as_read()


@pytest.mark.parametrize("stored_by", [store_blocks, store_request], ids=["native", "protobuf"])
def test_values_of_every_length_and_width_are_stored(
    store: Connections, stored_by: StoredBy
) -> None:
    """A length grows by a byte at 2^7, 2^14 and 2^21, an integer at every seventh bit."""
    values: list[Any] = [*WIDTHS, [1]]
    values += ["ä" * (length // 2) + "x" * (length % 2) for length in LENGTHS]
    values += [bytes(range(256)) * (length // 256) + b"\0" * (length % 256) for length in LENGTHS]
    values += [True, False, None, 0.0, -0.0, 1.5, 1e21, 5e-324, float("inf"), float("nan")]
    attributes = {f"{number:04}": value for number, value in enumerate(values)}
    trace_id = new_trace_id()
    request = trace_request(span(trace_id=trace_id, attributes=attributes))

    stored_by(store, request)

    (row,) = rows(store, SPAN_COLUMNS, trace_id)
    stored: Any = row[11]
    wrong = {name for name in attributes if stored[name] != expected(attributes[name])}
    assert (len(stored), wrong) == (len(attributes), set())


@settings(
    max_examples=examples(20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    record=st.builds(
        LogRecord,
        time_unix_nano=st.integers(NOW_NS - 10**15, NOW_NS),
        severity_number=st.sampled_from([0, 1, 9, 24]),
        severity_text=TEXTS,
        event_name=TEXTS.filter(lambda name: name != "decision.outcome"),
        flags=st.integers(0, 2**32 - 1),
    ),
    body=VALUES,
    sets=st.tuples(ATTRIBUTES, ATTRIBUTES, ATTRIBUTES),
    urls=st.tuples(TEXTS, TEXTS),
)
def test_any_log_record_is_stored_as_upb_reads_it(
    store: Connections,
    record: LogRecord,
    body: object,
    sets: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
    urls: tuple[str, str],
) -> None:
    """Outcomes are log records, so a wrong field here is wrong money."""
    own, resource, scope = sets
    own.pop("event.name", None)
    trace_id, span_id = new_trace_id(), new_span_id()
    record.trace_id, record.span_id = bytes.fromhex(trace_id), bytes.fromhex(span_id)
    record.attributes.extend(key_values(own))
    record.body.CopyFrom(any_value(body))
    request = logs_request(record, resource=resource)
    group = request.resource_logs[0]
    group.schema_url, group.scope_logs[0].schema_url = urls
    group.scope_logs[0].scope.attributes.extend(key_values(scope))

    store_request(store, request)

    sent = group.scope_logs[0].scope
    assert rows(store, LOG_COLUMNS, trace_id) == [
        (
            span_id,
            record.time_unix_nano,
            record.flags & 0xFF,
            record.severity_text,
            record.severity_number,
            expected(body),
            texts(record.attributes),
            record.event_name,
            texts(group.resource.attributes),
            *urls,
            sent.name,
            sent.version,
            texts(sent.attributes),
        )
    ]


def mutants(seed: int, count: int) -> Iterable[bytes]:
    """Yield requests with bytes flipped, cut out, put in twice or cut off."""
    draw = random.Random(seed)
    sources = [
        trace_request(
            span(
                attributes={
                    "i": -5,
                    "s": "text" * draw.randrange(60),
                    "d": 1e300,
                    "b": True,
                    "y": b"\0\1",
                    **extra,
                },
                events=[Span.Event(name="e", attributes=key_values({"k": 2**40}))],
                links=[Span.Link(trace_id=bytes(16), attributes=key_values({"k": "v"}))],
            ),
            resource={"r": "x"},
        ).SerializeToString()
        for extra in ({}, {"l": [1, "2"]}, {"m": {"a": [None]}})
    ]
    for _ in range(count):
        body = bytearray(draw.choice(sources))
        for _ in range(draw.choice([1, 1, 1, 2, 8])):
            at = draw.randrange(len(body))
            match draw.randrange(4):
                case 0:
                    body[at] ^= 1 << draw.randrange(8)
                case 1:
                    body[at] = draw.randrange(256)
                case 2:
                    del body[at : at + draw.randrange(1, 9)]
                case _:
                    body[at:at] = body[at : at + draw.randrange(1, 30)]
            if not body:
                break
        yield bytes(body)


def store_mutants(
    store: Connections, directory: Path, seed: int, count: int, blocks: BlockReader | None
) -> tuple[int, int]:
    """Store mutants among good requests in one segment; return how many of each passed the check.

    Everything that passed is stored or quarantined, and every good request reads back as it was.
    """
    clock = ManualClock()
    limits = limits_at(NOW_NS, 30, AttributesConfig())
    counters = Counters()
    budget = Budget(2**30, counters.wal_bytes, clock)
    frames, neighbours, taken, items = [], [], 0, 0
    for number, body in enumerate(mutants(seed, count)):
        with contextlib.suppress(DecodeError):
            checked = check(Signal.TRACES, body, limits)
            if checked.accepted:
                taken += 1
                items += checked.accepted
                frames.append(encode_frame(checked.payload, NOW_NS, checked.accepted))
        if number % 20 == 0:
            good = trace_request(
                span(trace_id=new_trace_id(), attributes={"n": number, "t": "x" * (number % 300)})
            )
            neighbours.append(good.resource_spans[0].scope_spans[0].spans[0])
            checked = check(Signal.TRACES, good.SerializeToString(), limits)
            frames.append(encode_frame(checked.payload, NOW_NS, 1))
            items += 1
    path = directory / f"traces-{seed}.segment"
    path.write_bytes(b"".join(frames))
    budget.adopt(path.stat().st_size)
    writer = StoreWriter(Signal.TRACES, store, budget, counters, clock, Protection(), blocks=blocks)
    writer.submit(path)
    writer.start()
    assert writer.drain(60)
    writer.stop()
    assert writer.figures().stored + writer.figures().quarantined == items
    result = store.client().query(
        "SELECT SpanId, SpanAttributes FROM otel_traces WHERE SpanAttributes['n'] != ''"
    )
    stored: dict[str, dict[str, str]] = dict(result.result_rows)  # type: ignore[arg-type]  # rows of two
    for one in neighbours:
        assert stored[one.span_id.hex()] == texts(one.attributes)
    return taken, len(neighbours)


@pytest.mark.parametrize(
    "blocks",
    [block_readers(WantedSpans(AttributesConfig(), DecisionsConfig()))[Signal.TRACES], None],
    ids=["native", "protobuf"],
)
def test_mutants_cost_their_neighbours_nothing(
    store: Connections, tmp_path: Path, blocks: BlockReader | None
) -> None:
    """The check and the store judge bytes differently, and one of them must have the last word."""
    taken, neighbours = store_mutants(store, tmp_path, seed=7, count=1_000, blocks=blocks)

    assert taken > 100
    assert neighbours == 50

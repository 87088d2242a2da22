"""A block of log records of the compiled module, row for row against the store's own reader."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from collector.otlp.check import Signal
from collector.otlp.native.logs import make_log_block
from collector.store.connect import Connections
from collector.wal.frames import encode_frame, scan
from collector.write.reading import read_logs
from tests.conftest import NOW_NS
from tests.support.builders import any_value, key_values, logs_request, outcome
from tests.support.collector.golden import ANY_ID
from tests.support.collector.rendering import ATTRIBUTES, TEXTS, VALUES
from tests.support.collector.writer import accepted_mutants, stored_both_ways
from tests.support.examples import examples

OUTCOMES = st.fixed_dictionaries(
    {"outcome.id": st.sampled_from(["", "o-1", "o-2"])},
    optional={
        "event.name": st.just("decision.outcome"),
        "decision.id": st.sampled_from(["d", 7]),
        "outcome.key": st.just("k"),
        "outcome.revenue": st.sampled_from(["12.5", 3, "much"]),
        "outcome.kind": st.sampled_from(["sale", "refund", "gift"]),
    },
)
TIMES = st.sampled_from([0, NOW_NS - 10**15, NOW_NS - 5, NOW_NS])
RECORDS = st.builds(
    LogRecord,
    time_unix_nano=TIMES,
    observed_time_unix_nano=TIMES,
    severity_number=st.sampled_from([0, 1, 24]),
    severity_text=TEXTS,
    event_name=st.one_of(TEXTS, st.just("decision.outcome")),
    flags=st.integers(0, 2**32 - 1),
    trace_id=ANY_ID,
    span_id=ANY_ID,
    attributes=st.one_of(ATTRIBUTES, OUTCOMES).map(key_values),
    body=VALUES.map(any_value),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request of several resources and scopes, fields in the order of an encoder."""
    request = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(1, 2))):
        group = request.resource_logs.add(schema_url=draw(TEXTS))
        group.resource.attributes.extend(key_values(draw(ATTRIBUTES)))
        for _ in range(draw(st.integers(0, 2))):
            batch = group.scope_logs.add(schema_url=draw(TEXTS))
            batch.scope.name, batch.scope.version = draw(TEXTS), draw(TEXTS)
            batch.scope.attributes.extend(key_values(draw(ATTRIBUTES)))
            batch.log_records.extend(draw(st.lists(RECORDS, max_size=3)))
    return request.SerializeToString()


def test_rows_are_those_of_the_stores_reader(store: Connections, tmp_path: Path) -> None:
    """Every column of every table, outcomes and those that are rejected among them."""

    @settings(max_examples=examples(20), suppress_health_check=list(HealthCheck))
    @given(st.lists(requests(), min_size=5, max_size=20))
    def equal(bodies: list[bytes]) -> None:
        native, protobuf = stored_both_ways(store, tmp_path, bodies, Signal.LOGS)
        assert native == protobuf

    equal()


def test_rows_of_what_was_changed_on_the_wire_are_the_same(
    store: Connections, tmp_path: Path
) -> None:
    """Legal and not: whatever upb takes has one meaning, in either reader."""
    draw = random.Random(3)
    nested: dict[str, Any] = {"l": [1, [2.5, {"a": b"x", "b": None}]], "m": {"z": 1, "a": [[]]}}
    record = LogRecord(
        time_unix_nano=NOW_NS, flags=1, body=any_value(nested), trace_id=b"\x01" * 16,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO, severity_text="INFO", event_name="e",
        attributes=key_values(nested),
    )  # fmt: skip
    sources = [
        logs_request(record, outcome(), resource=nested).SerializeToString(),
        logs_request(*(outcome(outcome_id=f"o-{number}") for number in range(9)))
        .SerializeToString(),
    ]  # fmt: skip
    taken = accepted_mutants(Signal.LOGS, sources, draw)
    assert len(taken) > 500

    native, protobuf = stored_both_ways(store, tmp_path, taken, Signal.LOGS)

    assert native == protobuf


def test_of_two_outcomes_of_one_time_the_later_one_stays(
    store: Connections, tmp_path: Path
) -> None:
    """Whatever the names of their services: of one id and one time the revision is no other."""
    bodies = [
        logs_request(outcome(revenue=Decimal(usd)), service=service).SerializeToString()
        for service, usd in (("z", "1.00"), ("a", "2.00"))
    ]
    native, protobuf = stored_both_ways(store, tmp_path, bodies, Signal.LOGS)
    assert native == protobuf
    kept = store.client().query("SELECT revenue FROM outcomes FINAL").result_rows
    assert kept == [(Decimal("2.00"),)]


def test_rows_that_repeat_a_large_resource_are_refused_before_they_are_made() -> None:
    """Every record repeats its resource: 4 MiB of a request would be 40 GB of rows."""
    request = logs_request(*(LogRecord() for _ in range(20_000)), resource={"r": "x" * 2_000_000})
    content = request.SerializeToString()

    with pytest.raises(OverflowError, match="more than a block may"):
        make_log_block(content, [(0, len(content), NOW_NS)])


def test_unreadable_request_is_named_and_the_others_are_read() -> None:
    """By the frame that it lies in; a body that is there twice is made one by upb."""
    good = logs_request(outcome()).SerializeToString()
    body = b"\x2a\x03\x0a\x01x"  # a string
    record = b"\x12" + bytes([2 * len(body)]) + 2 * body
    group = b"\x12" + bytes([len(record)]) + record
    twice = b"\x0a" + bytes([len(group)]) + group
    content = b"".join(encode_frame(each, NOW_NS, 1) for each in (good, b"\x0a\xff\xff", twice))
    frames = scan(content).frames

    read = read_logs(content, frames)

    assert (list(read.frames), read.inserts[-1].rows) == ([frames[0], frames[2]], 2)
    ((frame, reason),) = read.refused
    assert frame == frames[1]
    assert "not an OTLP logs request" in reason

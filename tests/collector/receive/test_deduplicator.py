from __future__ import annotations

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.times import NS_PER_DAY, NS_PER_MS
from collector.receive.deduplicator import HEADER, TWICE_HEADER
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import new_trace_id, span, trace_request
from tests.support.collector.clients import PROTOBUF, WAIT_S, post

ONCE = {"content-type": PROTOBUF, HEADER.decode(): "1"}


def put(http: httpx.Client, *spans: Span) -> tuple[int, int]:
    """Send spans as an importer does; return how many were known, and how many refused."""
    body = trace_request(*spans).SerializeToString()
    answer = http.post("/v1/traces", content=body, headers=ONCE)
    assert answer.status_code == 200, answer.text
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return int(answer.headers[HEADER.decode()]), partial.rejected_spans


def counts(http: httpx.Client, *spans: Span) -> tuple[int, int, int]:
    """Send spans as an importer does; return how many were known, were twice, were refused."""
    body = trace_request(*spans).SerializeToString()
    answer = http.post("/v1/traces", content=body, headers=ONCE)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    known, twice = (int(answer.headers[each.decode()]) for each in (HEADER, TWICE_HEADER))
    return known, twice, partial.rejected_spans


def stored(service: CollectorService, store: Connections) -> tuple[int, int]:
    """Return the rows of spans, and how many spans they are."""
    assert service.flush(WAIT_S)
    sql = "SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces"
    return tuple(store.client().query(sql).result_rows[0])


def test_what_is_stored_is_not_stored_again(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """The same file, or one that overlaps it."""
    spans = [span(trace_id=new_trace_id()) for _ in range(5)]

    first, again = put(http, *spans[:3]), put(http, *spans)

    assert (first, again) == ((0, 0), (3, 0))
    assert stored(service, store) == (5, 5)


def test_what_came_live_and_waits_in_the_log_is_known(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """An answer means that a span is kept, not yet that the store has it."""
    live, new = span(trace_id=new_trace_id()), span(trace_id=new_trace_id())
    assert post(http, trace_request(live)).status_code == 200

    known = put(http, live, new)

    assert known == (1, 0)
    assert stored(service, store) == (2, 2)


def test_what_a_file_brings_is_no_sign_of_a_sender(
    service: CollectorService, http: httpx.Client
) -> None:
    """An import in the middle of an outage ended the alert that data have stopped."""
    put(http, span(trace_id=new_trace_id()))
    assert (service.live_ns(), service.newest_ns() is None) == (None, False)
    post(http, trace_request(span(trace_id=new_trace_id())))
    assert service.live_ns() == service.newest_ns()


def test_a_span_twice_in_one_request_is_stored_once(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """A file may hold the same answer of a query twice, and nothing of it was there already."""
    one, other = span(trace_id=new_trace_id()), span(trace_id=new_trace_id())

    assert counts(http, one, one, other) == (0, 1, 0)
    assert counts(http, one, one, other) == (3, 0, 0)
    assert stored(service, store) == (2, 2)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_that_share_an_id_and_differ_both_are_stored(
    service: CollectorService, http: httpx.Client, store: Connections, order: int
) -> None:
    """Its place in the file decided which of the two was dropped, as if it had been there."""
    trace_id = new_trace_id()
    short, long, tagged = (span(trace_id=trace_id, span_id="01" * 8) for _ in range(3))
    long.end_time_unix_nano += 100 * NS_PER_MS
    tagged.attributes.add(key="k").value.string_value = "v"
    twins = [short, long, tagged][::order]

    assert counts(http, *twins, short) == (0, 1, 0)
    assert stored(service, store) == (3, 1)
    assert counts(http, *twins) == (3, 0, 0)
    assert stored(service, store) == (3, 1)


def test_one_that_differs_from_what_is_stored_is_stored(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """A large file comes in several requests, and the two may stand in different ones."""
    live = span(trace_id=new_trace_id())
    other = Span()
    other.CopyFrom(live)
    other.end_time_unix_nano += 100 * NS_PER_MS

    assert [counts(http, live), counts(http, other), counts(http, other, live)] == [
        (0, 0, 0), (0, 0, 0), (2, 0, 0),
    ]  # fmt: skip
    assert stored(service, store) == (2, 1)


def test_one_that_is_refused_hides_none_of_its_id(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """The good one was lost at each import, and was said to be there already."""
    good = span(trace_id=new_trace_id())
    old = Span()
    old.CopyFrom(good)
    old.start_time_unix_nano -= 400 * NS_PER_DAY

    assert counts(http, old, good, old) == (0, 0, 2)
    assert stored(service, store) == (1, 1)


def test_times_that_a_file_has_cut_make_no_other_span(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """Jaeger and Zipkin have microseconds, and the live span has nanoseconds."""
    live = span(trace_id=new_trace_id(), start_ns=NOW_NS // 1000 * 1000 + 999)
    assert post(http, trace_request(live)).status_code == 200
    cut = Span()
    cut.CopyFrom(live)
    cut.start_time_unix_nano -= 999

    assert put(http, cut) == (1, 0)
    assert stored(service, store) == (1, 1)


def test_what_is_refused_is_refused_each_time(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """Neither an id of the wrong length nor a time out of range may pass for known."""
    bad = span(trace_id=new_trace_id())
    bad.span_id = b"\1\2\3"
    old = span(trace_id=new_trace_id(), start_ns=NOW_NS - 31 * NS_PER_DAY)
    future = span(trace_id=new_trace_id(), start_ns=NOW_NS + 2 * NS_PER_DAY)
    far = span(trace_id=new_trace_id())
    far.start_time_unix_nano = far.end_time_unix_nano = 2**64 - 1
    good = span(trace_id=new_trace_id())

    assert put(http, bad, bad, old, future, far, good) == (0, 5)
    assert put(http, bad, bad, old, future, far, good) == (1, 5)
    assert stored(service, store) == (1, 1)


def test_an_empty_request_is_answered(http: httpx.Client) -> None:
    """By it an importer finds out whom it asks."""
    assert put(http) == (0, 0)


@pytest.mark.parametrize("body", [b"\xff", ExportTraceServiceRequest().SerializeToString() + b"x"])
def test_what_is_no_request_is_refused_as_of_every_sender(http: httpx.Client, body: bytes) -> None:
    """One place says what is wrong with bytes."""
    with_header = http.post("/v1/traces", content=body, headers=ONCE)
    without = http.post("/v1/traces", content=body, headers={"content-type": PROTOBUF})

    assert with_header.status_code == without.status_code == 400
    assert with_header.content == without.content


def test_logs_are_taken_as_ever(http: httpx.Client) -> None:
    """A log record has no id to be known by."""
    answer = http.post("/v1/logs", content=b"", headers=ONCE)

    assert answer.status_code == 200
    assert HEADER.decode() not in answer.headers

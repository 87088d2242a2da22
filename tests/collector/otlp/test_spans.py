from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.config import AttributesConfig
from collector.otlp.check import Signal, check, limits_at
from collector.otlp.limits import Refusal
from collector.otlp.merged_scan import survey_spans
from collector.otlp.spans import LISTS_MARK, SCALAR_MARK, refuse_span, refuse_stamps, unmarked
from collector.otlp.values import has_deep_values
from tests.conftest import NOW_NS
from tests.support.builders import any_value, key_values, span, trace_request
from tests.support.collector.spans import odd_spans

LIMITS = limits_at(NOW_NS, 30, AttributesConfig(map={"decision.ts.egress": "shop.out"}))


def marked(request: ExportTraceServiceRequest) -> bytes:
    """Return what goes to the log."""
    return check(Signal.TRACES, request.SerializeToString(), LIMITS).payload


@given(spans=st.lists(odd_spans(), max_size=4), groups=st.integers(1, 2))
def test_look_at_all_spans_judges_as_a_look_at_each(spans: list[Span], groups: int) -> None:
    """What the survey lets pass would be stored unseen; what it stops is only looked at."""
    request = ExportTraceServiceRequest()
    for number in range(groups):
        request.resource_spans.extend(trace_request(*spans[number::groups]).resource_spans)
    each = Counter(
        refusal.reason for one in spans if (refusal := refuse_span(one, LIMITS) or stamps(one))
    )

    checked = check(Signal.TRACES, request.SerializeToString(), LIMITS)

    assert checked.refused == each
    assert checked.accepted == len(spans) - each.total()
    kept = ExportTraceServiceRequest.FromString(unmarked(checked.payload))
    left = [s for r in kept.resource_spans for b in r.scope_spans for s in b.spans]
    assert len(left) == checked.accepted
    assert not any(refuse_span(one, LIMITS) or stamps(one) for one in left)


def stamps(one: Span) -> Refusal | None:
    """Return why the stamps of a span are refused."""
    return refuse_stamps(one, LIMITS)


def test_span_with_a_field_twice_does_not_hide_one_without() -> None:
    """As many start times as spans must mean that each has one; of two the last counts."""
    twice = span(name="", start_ns=NOW_NS - 2, end_ns=NOW_NS)
    without = span(name="", end_ns=NOW_NS)
    without.ClearField("start_time_unix_nano")
    again = Span(start_time_unix_nano=NOW_NS - 1).SerializeToString()
    spans = [twice.SerializeToString() + again, without.SerializeToString()]
    batch = b"".join(b"\x12" + bytes([len(one)]) + one for one in spans)
    group = b"\x12" + length(batch) + batch

    checked = check(Signal.TRACES, b"\x0a" + length(group) + group, LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (1, {"time_out_of_range": 1})


def length(content: bytes) -> bytes:
    """Return the length of up to 16,383 bytes as Protobuf has it."""
    return bytes([len(content) & 0x7F | 0x80, len(content) >> 7])


def at_resource(pairs: list[KeyValue]) -> ExportTraceServiceRequest:
    """Return a request with attributes of its resource."""
    request = trace_request(span())
    request.resource_spans[0].resource.attributes.extend(pairs)
    return request


def at_scope(pairs: list[KeyValue]) -> ExportTraceServiceRequest:
    """Return a request with attributes of its scope."""
    request = trace_request(span())
    request.resource_spans[0].scope_spans[0].scope.CopyFrom(InstrumentationScope(attributes=pairs))
    return request


def at_span(pairs: list[KeyValue]) -> ExportTraceServiceRequest:
    """Return a request with attributes of its second span."""
    request = trace_request(span(attributes={"a": "b"}), span())
    request.resource_spans[0].scope_spans[0].spans[1].attributes.extend(pairs)
    return request


def at_event(pairs: list[KeyValue]) -> ExportTraceServiceRequest:
    """Return a request with attributes of an event."""
    return trace_request(span(events=[Span.Event(attributes=pairs), Span.Event(name="e")]))


def at_link(pairs: list[KeyValue]) -> ExportTraceServiceRequest:
    """Return a request with attributes of a link."""
    return trace_request(span(links=[Span.Link(attributes=pairs)]))


@pytest.mark.parametrize("place", [at_span, at_event, at_link])
@pytest.mark.parametrize(
    ("value", "mark"),
    [
        pytest.param(None, SCALAR_MARK, id="none"),
        pytest.param("2", SCALAR_MARK, id="text"),
        pytest.param(b"2\0", SCALAR_MARK, id="bytes"),
        pytest.param([], LISTS_MARK, id="empty array"),
        pytest.param([1, "2", None, b"2"], LISTS_MARK, id="flat array"),
        pytest.param({}, SCALAR_MARK, id="empty pairs, put in text"),
        pytest.param([[1]], SCALAR_MARK, id="array in array, put in text"),
        pytest.param({"a": [{}]}, SCALAR_MARK, id="deep, put in text"),
    ],
)
def test_mark_says_whether_every_value_is_a_scalar(
    place: Callable[[list[KeyValue]], ExportTraceServiceRequest], value: object, mark: bytes
) -> None:
    """The store takes the values of a scalar request as they lie: an array would be lost there."""
    payload = marked(place(key_values({"k": value})))

    assert payload.endswith(mark)
    survey = survey_spans(payload)
    assert (survey.inner == survey.outer == 0) == (mark == SCALAR_MARK)


@pytest.mark.parametrize("place", [at_resource, at_scope])
@pytest.mark.parametrize("value", [["java", "-jar"], [["a"]], {"a": 1}, {}])
def test_list_of_a_resource_is_put_in_text(
    place: Callable[[list[KeyValue]], ExportTraceServiceRequest], value: object
) -> None:
    """One command line must not cost the spans beside it the fast way."""
    payload = marked(place(key_values({"k": value})))

    assert payload.endswith(SCALAR_MARK)
    assert survey_spans(payload).outer == 0


def test_value_of_a_kind_that_is_not_known_goes_the_other_way() -> None:
    """A field that OTLP may get one day lies beside the value or in its place."""
    value = AnyValue()
    value.MergeFromString(any_value("a").SerializeToString() + b"\x40\x05")

    assert marked(at_span([KeyValue(key="k", value=value)])).endswith(LISTS_MARK)


PACKED = NOW_NS.to_bytes(8, "little")


@pytest.mark.parametrize("times", [b"\x3a\x03abc", b"\x3a\x08" + PACKED, b"\x42\x01a"])
def test_time_that_is_sent_as_bytes_is_no_time(times: bytes) -> None:
    """OTLP does not know such a field; a schema that gathers times takes it for a list of them."""
    none = span()
    none.ClearField("start_time_unix_nano")
    none.MergeFromString(times)
    body = trace_request(span(attributes={"k": {"a": 1}}), none).SerializeToString()

    checked = check(Signal.TRACES, body, LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (1, {"time_out_of_range": 1})
    assert has_deep_values(Signal.TRACES, body)


def test_sender_cannot_set_the_mark() -> None:
    """A mark at the end of what was sent is an unknown field of the sender's, no more."""
    request = at_span(key_values({"k": [1]}))
    body = request.SerializeToString() + SCALAR_MARK

    assert check(Signal.TRACES, body, LIMITS).payload == body + LISTS_MARK


def test_bytes_that_are_not_canonical_are_made_so() -> None:
    """The last of two values counts, and a length may be written longer than it is."""
    twice = b"\x0a\x01a" + any_value(7).SerializeToString()
    long_length = b"\x0a\x82\x00ab"
    pairs = [b"\x0a\x01k\x12" + bytes([len(value)]) + value for value in (twice, long_length)]
    body = trace_request(span()).SerializeToString()
    for pair in pairs:
        resource = b"\x0a" + bytes([len(pair)]) + pair
        group = b"\x0a" + bytes([len(resource)]) + resource
        body += b"\x0a" + bytes([len(group)]) + group

    payload = check(Signal.TRACES, body, LIMITS).payload

    assert payload.endswith(SCALAR_MARK)
    kept = ExportTraceServiceRequest.FromString(unmarked(payload))
    assert kept.SerializeToString() == unmarked(payload)
    values = [r.resource.attributes[-1].value for r in kept.resource_spans[1:]]
    assert values == [any_value(7), any_value("ab")]

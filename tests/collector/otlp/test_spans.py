from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.config import AttributesConfig
from collector.otlp.check import Signal, check, limits_at
from collector.otlp.limits import Refusal
from collector.otlp.spans import refuse_span, refuse_stamps
from collector.otlp.values import has_deep_values
from tests.conftest import NOW_NS
from tests.support.builders import span, trace_request
from tests.support.collector.spans import odd_spans

LIMITS = limits_at(NOW_NS, 30, AttributesConfig(map={"decision.ts.egress": "shop.out"}))


@given(spans=st.lists(odd_spans(), max_size=4), groups=st.integers(1, 2))
def test_request_is_judged_as_each_of_its_spans(spans: list[Span], groups: int) -> None:
    """Only spans that may have stamps are asked for them."""
    request = ExportTraceServiceRequest()
    for number in range(groups):
        request.resource_spans.extend(trace_request(*spans[number::groups]).resource_spans)
    each = Counter(
        refusal.reason for one in spans if (refusal := refuse_span(one, LIMITS) or stamps(one))
    )

    checked = check(Signal.TRACES, request.SerializeToString(), LIMITS)

    assert checked.refused == each
    assert checked.accepted == len(spans) - each.total()
    kept = ExportTraceServiceRequest.FromString(checked.payload)
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


def test_spans_that_may_have_stamps_are_found_in_any_order_of_fields() -> None:
    """Their bytes are cut out in the order of the wire, which is that of the parsed request."""
    good = span(attributes={"a": 1}).SerializeToString()
    bad = span(attributes={"decision.ts.ingress": 1}).SerializeToString()
    scope = b"\x0a\x03\x0a\x01s"
    batches = [
        b"".join(b"\x12" + bytes([len(one)]) + one for one in spans) + scope
        for spans in ([good, bad], [good])
    ]
    groups = [b"\x12" + length(batch) + batch for batch in batches]
    body = b"".join(b"\x0a" + length(group) + group for group in groups)

    checked = check(Signal.TRACES, body, LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (2, {"time_out_of_range": 1})

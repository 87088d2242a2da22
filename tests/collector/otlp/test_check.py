from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.config import AttributesConfig
from collector.core.errors import DecodeError
from collector.core.times import NS_PER_DAY
from collector.otlp.check import (
    Signal,
    check,
    count_items,
    limits_at,
    load_schema,
    normalise,
    response,
)
from collector.otlp.limits import Limits
from tests.conftest import NOW_NS
from tests.support.builders import (
    any_value,
    decision_span,
    key_values,
    logs_request,
    span,
    trace_request,
)

LIMITS = limits_at(NOW_NS, 30, AttributesConfig())
ZERO_TRACE_ID = "0" * 32
ZERO_SPAN_ID = "0" * 16


def refused_reasons(*spans: Span, limits: Limits = LIMITS) -> dict[str, int]:
    """Return what a request of these spans is refused for."""
    return dict(check(Signal.TRACES, trace_request(*spans).SerializeToString(), limits).refused)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(span(trace_id="abcd"), "trace_id_invalid", id="short trace id"),
        pytest.param(span(trace_id=""), "trace_id_invalid", id="no trace id"),
        pytest.param(span(trace_id=ZERO_TRACE_ID), "trace_id_invalid", id="zero trace id"),
        pytest.param(span(span_id="ab"), "span_id_invalid", id="short span id"),
        pytest.param(span(span_id=ZERO_SPAN_ID), "span_id_invalid", id="zero span id"),
        pytest.param(span(parent_span_id="ab"), "parent_span_id_invalid", id="short parent id"),
        pytest.param(
            span(end_ns=NOW_NS - NS_PER_DAY), "ends_before_start", id="ends before it starts"
        ),
        pytest.param(
            span(start_ns=NOW_NS - 30 * NS_PER_DAY - 1),
            "time_out_of_range",
            id="older than is kept",
        ),
        pytest.param(span(start_ns=NOW_NS + NS_PER_DAY + 1), "time_out_of_range", id="in two days"),
        pytest.param(span(start_ns=NOW_NS, end_ns=2**64 - 1), "time_out_of_range", id="never ends"),
        pytest.param(
            decision_span(stamps_ns=[NOW_NS, NOW_NS - 1]), "stamps_out_of_order", id="disorder"
        ),
        pytest.param(
            span(
                attributes={
                    "decision.ts.ingress": str(NOW_NS),
                    "decision.ts.egress": str(NOW_NS - 1),
                }
            ),
            "stamps_out_of_order",
            id="disorder as text, two stamps missing",
        ),
        pytest.param(
            decision_span(stamps_ns=[NOW_NS - 30 * NS_PER_DAY - 1]),
            "time_out_of_range",
            id="stamp older than is kept",
        ),
        pytest.param(
            decision_span(stamps_ns=[NOW_NS, NOW_NS + NS_PER_DAY + 1]),
            "time_out_of_range",
            id="stamp in two days",
        ),
        pytest.param(
            decision_span(attributes={"decision.ts.ingress": "1" * 5_000}),
            "time_out_of_range",
            id="stamp of more digits than Python reads",
        ),
    ],
)
def test_bad_span_is_refused_and_its_neighbour_kept(bad: Span, reason: str) -> None:
    """One bad span must not cost a batch, and must not vanish unsaid."""
    good = span(name="good")

    checked = check(Signal.TRACES, trace_request(bad, good).SerializeToString(), LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (1, {reason: 1})
    kept = ExportTraceServiceRequest.FromString(checked.payload)
    assert kept == trace_request(good)
    assert reason in checked.message


@pytest.mark.parametrize(
    "stamps_ns",
    [
        pytest.param([NOW_NS] * 4, id="all at once"),
        pytest.param([0, NOW_NS, 0, NOW_NS + 1], id="zero is no stamp"),
        pytest.param([NOW_NS], id="ingress alone"),
        pytest.param([], id="none"),
    ],
)
def test_ordered_stamps_are_taken(stamps_ns: list[int]) -> None:
    """A stamp that is missing says nothing about order."""
    assert refused_reasons(decision_span(stamps_ns=stamps_ns)) == {}


def test_stamp_under_a_customers_name_is_checked() -> None:
    """A mapped name is as good as ours, in what it is refused for too."""
    limits = limits_at(NOW_NS, 30, AttributesConfig(map={"decision.ts.transform": "shop.t1"}))
    bad = span(attributes={"decision.ts.ingress": NOW_NS, "shop.t1": NOW_NS - 1})

    assert refused_reasons(bad, limits=limits) == {"stamps_out_of_order": 1}


@pytest.mark.parametrize("ns_in_unit", [1_000, 1_000_000, 1_000_000_000])
def test_stamp_in_another_unit_is_refused_with_its_value(ns_in_unit: int) -> None:
    """Taken for nanoseconds it lies in 1970, and its decision is in no figure."""
    bad = decision_span(stamps_ns=[NOW_NS // ns_in_unit])

    checked = check(Signal.TRACES, trace_request(bad).SerializeToString(), LIMITS)

    assert f"decision.ts.ingress {NOW_NS // ns_in_unit} is outside [" in checked.message
    assert "stamp in Unix nanoseconds" in checked.message


@pytest.mark.parametrize(
    ("start_ns", "said"),
    [
        (
            NOW_NS - 400 * NS_PER_DAY,
            "span 'old' of 2032-04-13T03:33:20Z is before 2033-04-18T03:33:20Z, the oldest that "
            "collector.retention_days takes: raise it for old data, or set the clock of the sender",
        ),
        (
            NOW_NS + 2 * NS_PER_DAY,
            "span 'old' of 2033-05-20T03:33:20Z is after 2033-05-19T03:33:20Z, a day ahead of the "
            "collector; set the clock of the sender",
        ),
    ],
)
def test_time_out_of_range_is_readable_and_names_its_remedy(start_ns: int, said: str) -> None:
    """Whoever imported an old file was told to set a clock that was right."""
    bad = span(name="old", start_ns=start_ns, duration_ns=0)

    checked = check(Signal.TRACES, trace_request(bad).SerializeToString(), LIMITS)

    assert said in checked.message


def test_of_a_stamp_that_is_there_twice_the_first_is_judged() -> None:
    """The store has the first, so the last must not stand for it."""
    old = NOW_NS - 40 * NS_PER_DAY
    assert refused_reasons(_stamped_twice(old, NOW_NS)) == {"time_out_of_range": 1}
    assert refused_reasons(_stamped_twice(NOW_NS, old)) == {}


def _stamped_twice(*stamps_ns: int) -> Span:
    one = span()
    for stamp_ns in stamps_ns:
        one.attributes.extend(key_values({"decision.ts.ingress": stamp_ns}))
    return one


def test_zeros_before_a_stamp_change_nothing() -> None:
    """The store reads them like that, however many they are."""
    padded = decision_span(stamps_ns=[], attributes={"decision.ts.egress": f"{NOW_NS:05000}"})

    assert refused_reasons(padded) == {}


def test_text_that_is_no_number_is_no_stamp() -> None:
    """The view reads such text as no stamp, so the receiver does not judge it."""
    assert (
        refused_reasons(decision_span(stamps_ns=[], attributes={"decision.ts.egress": "²"})) == {}
    )


def test_good_request_goes_to_the_log_as_it_was_received() -> None:
    """Unknown fields of a newer sender survive in the log."""
    newer = b"\xf2\xbf\x01\x01x"
    body = trace_request(span(), decision_span()).SerializeToString() + newer

    assert check(Signal.TRACES, body, LIMITS).payload is body

    body = logs_request(LogRecord()).SerializeToString() + newer

    assert check(Signal.LOGS, body, LIMITS).payload is body


def test_log_record_out_of_range_is_refused() -> None:
    """Its row would be past the TTL and vanish as it is stored."""
    records = [
        LogRecord(time_unix_nano=1),
        LogRecord(observed_time_unix_nano=NOW_NS + 2 * NS_PER_DAY),
        LogRecord(time_unix_nano=NOW_NS, observed_time_unix_nano=1),
        LogRecord(),
    ]

    checked = check(Signal.LOGS, logs_request(*records).SerializeToString(), LIMITS)

    assert (checked.accepted, dict(checked.refused)) == (2, {"time_out_of_range": 2})


@pytest.mark.parametrize("signal", Signal)
@given(body=st.binary(max_size=200))
def test_any_bytes_raise_only_decode_error(signal: Signal, body: bytes) -> None:
    """Outside input never stops the process."""
    try:
        checked = check(signal, body, LIMITS)
        normalise(signal, body)
    except DecodeError:
        assert count_items(signal, body) == 0
    else:
        assert checked.accepted + checked.refused_count == count_items(signal, body)


def test_full_success_leaves_partial_success_unset() -> None:
    """OTLP: a sender logs a warning for every partial success that is set."""
    taken = check(Signal.TRACES, trace_request(span()).SerializeToString(), LIMITS)
    partly = check(Signal.TRACES, trace_request(span(trace_id="")).SerializeToString(), LIMITS)

    assert response(Signal.TRACES, taken).SerializeToString() == b""
    assert "rejected_spans: 1" in str(response(Signal.TRACES, partly))


def test_normalised_request_has_each_oneof_once() -> None:
    """The store's reader refuses a oneof twice, which Protobuf allows: the last one counts."""
    twice = b"\x0a\x01a" + any_value(7).SerializeToString()  # string_value, then int_value
    pair = b"\x0a\x01k\x12" + bytes([len(twice)]) + twice
    resource = b"\x0a" + bytes([len(pair)]) + pair
    group = b"\x0a" + bytes([len(resource)]) + resource
    body = b"\x0a" + bytes([len(group)]) + group

    once = ExportTraceServiceRequest.FromString(normalise(Signal.TRACES, body))

    assert once.resource_spans[0].resource.attributes[0].value == any_value(7)


def test_schema_is_sent_without_comments() -> None:
    """It travels with every insert, over HTTP in the URL."""
    for signal in Signal:
        schema = load_schema(signal)

        assert "//" not in schema
        assert f"message {signal.request_class.DESCRIPTOR.name} " in schema

"""Every kind of bad data: refused or quarantined by name, and its neighbours are stored as sent."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx
import pytest
from google.protobuf import json_format
from google.rpc import status_pb2  # type: ignore[import-untyped]  # ships no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.counters import Counters
from collector.core.times import NS_PER_DAY
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import (
    MILLISECOND_NS,
    SECOND_NS,
    decision_span,
    key_values,
    logs_request,
    metrics_request,
    outcome,
    span,
    trace_request,
)
from tests.support.collector.clients import PROTOBUF, WAIT_S, post

pytestmark = pytest.mark.integration

STARTED_NS = NOW_NS - SECOND_NS
MIXED = [STARTED_NS, STARTED_NS + 2 * MILLISECOND_NS, STARTED_NS + MILLISECOND_NS]


def without_wire_type() -> Span:
    """Return a span whose trace id is a number on the wire, which no reader takes for an id."""
    bad = span(name="bad", trace_id="")
    bad.MergeFromString(b"\x08\x07")
    return bad


REFUSED: Mapping[str, tuple[Span, str]] = {
    "wrong wire type": (without_wire_type(), "trace_id_invalid"),
    "short trace id": (span(name="bad", trace_id="ab"), "trace_id_invalid"),
    "trace id of zeros": (span(name="bad", trace_id="00" * 16), "trace_id_invalid"),
    "long span id": (span(name="bad", span_id="ab" * 9), "span_id_invalid"),
    "no span id": (span(name="bad", span_id=""), "span_id_invalid"),
    "short parent id": (span(name="bad", parent_span_id="ab"), "parent_span_id_invalid"),
    "end before start": (span(name="bad", duration_ns=-1), "ends_before_start"),
    "no start": (span(name="bad", start_ns=0), "time_out_of_range"),
    "older than kept": (span(name="bad", start_ns=NOW_NS - 31 * NS_PER_DAY), "time_out_of_range"),
    "after tomorrow": (span(name="bad", start_ns=NOW_NS + 2 * NS_PER_DAY), "time_out_of_range"),
    "stamp in milliseconds": (
        decision_span(stamps_ns=[STARTED_NS // MILLISECOND_NS]),
        "time_out_of_range",
    ),
    "stamp older than kept": (
        decision_span(stamps_ns=[NOW_NS - 31 * NS_PER_DAY]),
        "time_out_of_range",
    ),
    "stamps out of order": (decision_span(stamps_ns=MIXED), "stamps_out_of_order"),
}


def refused(counters: Counters, reason: str) -> float:
    """Return how many spans were refused for a reason."""
    labels = {"signal": "traces", "reason": reason}
    return counters.registry.get_sample_value("millworth_refused_total", labels) or 0.0


def answer_of(http: httpx.Client, *spans: Span) -> ExportTraceServiceResponse:
    """Send spans and return the answer, which is a success."""
    response = post(http, trace_request(*spans))
    assert response.status_code == 200, response.text
    return ExportTraceServiceResponse.FromString(response.content)


def test_bad_span_is_named_and_its_neighbours_are_stored(
    service: CollectorService, http: httpx.Client, store: Connections, counters: Counters
) -> None:
    """One sender's broken clock must not cost another span, in the same request or the next."""
    for kind, (bad, reason) in REFUSED.items():
        before = refused(counters, reason)
        neighbours = [
            span(name=f"{place} {kind}", kind="internal") for place in ("before", "after")
        ]
        answer = answer_of(http, neighbours[0], bad, neighbours[1])
        assert answer.partial_success.rejected_spans == 1, kind
        assert f"1 {reason}: " in answer.partial_success.error_message, kind
        assert refused(counters, reason) == before + 1, kind
    assert service.flush(WAIT_S)

    names = {
        str(row[0]) for row in store.client().query("SELECT SpanName FROM otel_traces").result_rows
    }
    assert names == {f"{place} {kind}" for kind in REFUSED for place in ("before", "after")}
    assert store.client().query("SELECT count() FROM decisions").result_rows == [(0,)]


def test_request_that_cannot_be_read_is_answered_400_and_holds_up_none(
    service: CollectorService, http: httpx.Client, store: Connections, counters: Counters
) -> None:
    """Nothing of it is stored or kept: the sender has it, and knows why."""
    good = trace_request(span(name="good"))
    name = trace_request(span(name="bad\x00\x00")).SerializeToString()
    document = json.loads(json_format.MessageToJson(good))
    bodies = {
        "cut off": (good.SerializeToString()[:-3], PROTOBUF),
        "no protobuf": (b"\xff\xff\xff", PROTOBUF),
        "group that never ends": (b"\x0b" * 50, PROTOBUF),
        "text that is no UTF-8": (name.replace(b"bad\x00\x00", b"bad\xc3\x28"), PROTOBUF),
        "no JSON": (b'{"resourceSpans": [', "application/json"),
        "JSON of another shape": (b'{"resourceSpans": {"a": 1}}', "application/json"),
        "JSON list": (b"[]", "application/json"),
        "JSON with an id that is no hex": (
            json.dumps(document).replace("traceId", "x").encode()[:-1]
            + b', "resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}',
            "application/json",
        ),
    }
    for kind, (body, content_type) in bodies.items():
        answer = http.post("/v1/traces", content=body, headers={"content-type": content_type})
        assert answer.status_code == 400, kind
        if content_type == PROTOBUF:
            assert status_pb2.Status.FromString(answer.content).message, kind
        else:
            assert answer.json()["message"], kind
        assert post(http, good).status_code == 200, kind
    assert refused(counters, "undecodable") == len(bodies)
    assert service.flush(WAIT_S)

    found = store.client().query("SELECT DISTINCT SpanName FROM otel_traces").result_rows
    assert found == [("good",)]
    assert store.client().query("SELECT count() FROM rejected").result_rows == [(0,)]


def test_last_refusal_is_told_with_whose_it_was(
    service: CollectorService, http: httpx.Client
) -> None:
    """A sender that hides its partial success hid which of its spans was wrong."""
    assert service.status().refused_last == ""
    request = trace_request(span(), span(name="bad", duration_ns=-1), service="till")
    assert post(http, request).status_code == 200
    last = service.status().refused_last
    assert last.startswith("traces of till at 20")
    assert ": 1 of 2 refused: 1 ends_before_start: span 'bad' ends 1 ns before it starts; " in last
    assert post(http, trace_request(span())).status_code == 200
    assert service.status().refused_last == last
    http.post("/v1/traces", content=b"\xff", headers={"content-type": PROTOBUF})
    assert ": the body is not an OTLP traces request (" in service.status().refused_last


def test_hundreds_of_days_in_one_request_cost_their_neighbours_nothing(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """A day is a partition, and the store refuses a whole insert of more than a hundred."""
    days = [span(name=f"day {n}", start_ns=NOW_NS - n * NS_PER_DAY) for n in range(400)]

    answer = answer_of(http, *days)

    assert answer.partial_success.rejected_spans == 369
    assert post(http, trace_request(span(name="neighbour"))).status_code == 200
    assert service.flush(WAIT_S)
    rows = store.client().query("SELECT SpanName FROM otel_traces").result_rows
    assert {row[0] for row in rows} == {"neighbour", *(f"day {n}" for n in range(31))}


def test_decision_that_cannot_be_one_is_quarantined_and_its_span_is_stored(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """It was acknowledged, so it is somewhere, with what is wrong and what to do."""
    schema = decision_span(decision_id="new", attributes={"decision.schema": "7"})
    ahead = decision_span(decision_id="ahead", stamps_ns=[NOW_NS + SECOND_NS])
    good = decision_span(decision_id="good", attributes={"decision.schema": "1"})
    assert not answer_of(http, schema, ahead, good).partial_success.rejected_spans
    assert service.flush(WAIT_S)

    client = store.client()
    assert client.query("SELECT decision_id FROM decisions").result_rows == [("good",)]
    found = client.query("SELECT reason_code, item_id, detail FROM rejected ORDER BY 1").result_rows
    assert [(row[0], row[1]) for row in found] == [
        ("ingress_after_end", f"{ahead.trace_id.hex()}:{ahead.span_id.hex()}"),
        ("schema_unknown", f"{schema.trace_id.hex()}:{schema.span_id.hex()}"),
    ]
    assert found[1][2] == (
        "decision.schema is 7, and not one of none, 0, 1; upgrade Millworth or the sender"
    )
    assert client.query("SELECT count() FROM otel_traces").result_rows == [(3,)]


NUMBERS = {
    "12.5": "12.5", "-3": "-3", "+.5": "0.5", "7.": "7", "1e3": "1000", "25E-1": "2.5",
    "9999999999.999999": "9999999999.999999", "-9999999999.9999994": "-9999999999.999999",
    "56.99999999999999": "57", "-5.699999999999999e1": "-57", "0.30000000000000004": "0.3",
    "0.0000005": "0.000001", "1e-7": "0", "-9999999999.9999999": None, "1e30": None,
    "10000000000": None, "-1e10": None, "999999999999.999999": None, "1e999999999": None,
    "1.2.3": None, "1.234.567": None, "1,5": None, "-": None, ".": None, "e5": None, "1e": None,
    "1 ": None, "0x10": None, "NaN": None, "inf": None, "1\n": None,
}  # fmt: skip


def test_amount_is_read_whole_or_unknown(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """A part of a text is no amount, and one that nobody earns is a unit that was mistaken."""
    records, roots = [], []
    for at, text in enumerate(NUMBERS):
        record = outcome(outcome_id=f"o{at}", revenue=None)
        record.attributes.extend(key_values({"outcome.revenue": text}))
        records.append(record)
        roots.append(decision_span(decision_id=f"d{at}", attributes={"decision.value_usd": text}))
    assert post(http, logs_request(*records), "/v1/logs").status_code == 200
    assert post(http, trace_request(*roots)).status_code == 200
    assert service.flush(WAIT_S)

    client = store.client()
    for sql, letter in (
        ("SELECT outcome_id, toString(revenue) FROM outcomes FINAL", "o"),
        ("SELECT decision_id, toString(value_usd) FROM decisions FINAL", "d"),
    ):
        found = {row[0]: row[1] for row in client.query(sql).result_rows}
        assert {text: found[f"{letter}{at}"] for at, text in enumerate(NUMBERS)} == NUMBERS
    named = client.query("SELECT item_id, reason_code, detail FROM rejected").result_rows
    texts = list(NUMBERS)
    assert {texts[int(row[0][1:])] for row in named} == {t for t in texts if NUMBERS[t] is None}
    assert {row[1] for row in named} == {"outcome_amount_unknown"}
    assert {row[2] for row in named if row[0] == f"o{texts.index('-1e10')}"} == {
        "outcome.revenue is -1e10, which is not a number below 10000000000, so it is unknown; "
        "correct it or its unit at the sender"
    }


def test_sale_whose_amount_is_no_number_is_a_sale(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """Of unknown worth: were it none, an odd amount would count as nothing earned."""
    stated: dict[str, dict[str, object]] = {
        "revenue": {"outcome.revenue": "12,50"},
        "margin": {"outcome.margin": "EUR 3"},
        "one of two": {"outcome.revenue": "12,50", "outcome.margin": "0"},
        "none": {},
        "zero": {"outcome.revenue": "0.00"},
        "not taken": {"outcome.revenue": "n/a", "outcome.converted": False},
        "taken": {"outcome.converted": "Yes"},
        "TRUE": {"outcome.converted": "TRUE"},
        "no": {"outcome.converted": "NO", "outcome.margin": "-"},
        "sale": {"outcome.kind": "sale", "outcome.revenue": "0.00"},
        "no sale": {"outcome.kind": "sale", "outcome.converted": False},
    }
    records = []
    for name, attributes in stated.items():
        record = outcome(outcome_id=name, kind="", revenue=None, margin=None, converted=None)
        record.attributes.extend(key_values(attributes))
        records.append(record)
    assert post(http, logs_request(*records), "/v1/logs").status_code == 200
    assert service.flush(WAIT_S)
    sold = store.client().query("SELECT outcome_id FROM outcomes FINAL WHERE is_sale").result_rows
    assert {row[0] for row in sold} == {"revenue", "margin", "one of two", "taken", "TRUE", "sale"}


def test_outcome_of_no_kind_or_currency_is_quarantined(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """As a file's line is refused: neither its sign nor its worth is known."""
    records = [
        outcome(outcome_id="a", kind="bogus"),
        outcome(outcome_id="b", currency="usd"),
        outcome(outcome_id="c", kind="refund", currency="EUR"),
        outcome(outcome_id="d", kind="", currency=""),
    ]
    assert post(http, logs_request(*records), "/v1/logs").status_code == 200
    assert service.flush(WAIT_S)

    client = store.client()
    taken = client.query("SELECT outcome_id, kind, currency FROM outcomes ORDER BY 1").result_rows
    assert taken == [("c", "refund", "EUR"), ("d", "sale", "USD")]
    named = client.query("SELECT item_id, detail FROM rejected ORDER BY reason_code DESC")
    assert named.result_rows == [
        ("a", "outcome.kind is bogus, and not one of sale, refund, correction; correct the sender"),
        ("b", "outcome.currency is usd, which is not an ISO 4217 code; write it like USD"),
    ]
    assert client.query("SELECT count() FROM otel_logs").result_rows == [(4,)]


def test_bad_records_and_points_are_named_likewise(
    service: CollectorService, http: httpx.Client, store: Connections
) -> None:
    """The other signals keep the same promise."""
    old, ahead = (
        outcome(time_ns=NOW_NS - 40 * NS_PER_DAY),
        outcome(time_ns=NOW_NS + 2 * NS_PER_DAY),
    )
    records = logs_request(old, outcome(outcome_id="kept"), ahead, outcome(outcome_id=""))
    answer = post(http, records, "/v1/logs")
    assert b"2 time_out_of_range: " in answer.content

    points = [
        NumberDataPoint(time_unix_nano=NOW_NS, as_int=1),
        NumberDataPoint(time_unix_nano=1, as_int=2),
        NumberDataPoint(time_unix_nano=NOW_NS, start_time_unix_nano=NOW_NS + 1, as_int=3),
    ]
    metric = Metric(name="queue", gauge=Gauge(data_points=points))
    answer = post(http, metrics_request(metric), "/v1/metrics")
    assert b"1 time_out_of_range: " in answer.content
    assert b"1 ends_before_start: " in answer.content
    assert service.flush(WAIT_S)

    client = store.client()
    assert client.query("SELECT outcome_id FROM outcomes").result_rows == [("kept",)]
    assert client.query("SELECT reason_code FROM rejected").result_rows == [("outcome_id_missing",)]
    assert client.query("SELECT Value FROM otel_metrics_gauge").result_rows == [(1.0,)]

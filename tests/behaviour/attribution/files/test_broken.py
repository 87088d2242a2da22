"""Files that are broken in one place: the place is named, and costs no more than itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.attribution.detect import answer, parse, read, split_file
from tests.support.attribution.trace_files import (
    BASE_US,
    TRACE,
    WRITERS,
    F,
    hex_id,
    jaeger_json,
    otlp_json,
    otlp_lines,
    otlp_protobuf,
    otlp_spans,
    zipkin_json,
)

SPANS = [F(1, 0, 0, 100, "Server"), F(2, 1, 10, 40), F(3, 1, 50, 90)]


def otlp(place: tuple[str | int, ...], value: object) -> bytes:
    """Return a request of three spans with another value in one place."""
    document = otlp_spans(SPANS)
    put(document, place, value)
    return json.dumps(document).encode()


def jaeger(place: tuple[str | int, ...], value: object) -> bytes:
    """Return an answer of Jaeger with another value in one place."""
    document = json.loads(jaeger_json(SPANS))
    put(document, place, value)
    return json.dumps(document).encode()


def zipkin(place: tuple[str | int, ...], value: object) -> bytes:
    """Return a file of Zipkin with another value in one place."""
    document = json.loads(zipkin_json(SPANS))
    put(document, place, value)
    return json.dumps(document).encode()


def put(document: Any, place: tuple[str | int, ...], value: object) -> None:  # noqa: ANN401 - any JSON
    """Put a value into a document."""
    for step in place[:-1]:
        document = document[step]
    if isinstance(document, list) and place[-1] == len(document):
        document.append(value)
    else:
        document[place[-1]] = value


SPAN = ("resourceSpans", 1, "scopeSpans", 0, "spans", 0)


@pytest.mark.parametrize(
    ("body", "kept", "reason"),
    [
        (otlp((*SPAN[:-1], 1), None), 3, "span 3: spans holds null, not an object"),
        (otlp(SPAN, None), 2, "spans holds null, not an object"),
        (otlp(SPAN, [1]), 2, "spans holds '[1]', not an object"),
        (otlp(SPAN[:-1], None), 2, ""),
        (otlp(SPAN[:-1], 7), 2, "spans is '7', not a list"),
        (otlp(SPAN[:4], None), 2, "scopeSpans[0] is null, not an object"),
        (otlp(SPAN[:3], "x"), 2, "scopeSpans is 'x', not a list"),
        (otlp(SPAN[:2], None), 2, "resourceSpans[1] is null, not an object"),
        (otlp(SPAN[:2], 5), 2, "resourceSpans[1] is '5', not an object"),
        (otlp((*SPAN[:2], "resource"), None), 3, ""),
        (otlp((*SPAN[:2], "resource"), 5), 3, "resource is '5', not an object"),
        (otlp((*SPAN[:2], "resource", "attributes"), 5), 3, "attributes is '5', not a list"),
        (otlp((*SPAN, "attributes"), [None]), 2, "attributes holds null, not an object"),
        (otlp((*SPAN, "attributes"), None), 3, ""),
        (otlp((*SPAN, "attributes"), [{"key": "a", "value": 5}]), 2, "'a' is '5', not an object"),
        (otlp((*SPAN, "attributes"), [{"key": "a", "value": None}]), 3, ""),
        (otlp((*SPAN, "links"), [None]), 2, "links holds null, not an object"),
        (otlp((*SPAN, "kind"), [2]), 2, "kind is '[2]', not a text"),
        (otlp((*SPAN, "name"), {}), 2, "name is '{}', not a text"),
        (otlp((*SPAN, "status"), [1]), 2, "status is '[1]', not an object"),
        (otlp((*SPAN, "spanId"), ["a"]), 2, "spanId is"),
        (otlp((*SPAN, "attributes"), [{"key": [1]}]), 2, "the name of an attribute is '[1]'"),
        (otlp((*SPAN, "spanId"), "xyz"), 2, "spanId is 'xyz', and not 16 hex digits"),
        (otlp((*SPAN, "spanId"), "1"), 2, "spanId is '1', and not 16 hex digits"),
        (otlp((*SPAN, "spanId"), "0" * 16), 2, "spanId is all zeros"),
        (otlp((*SPAN, "spanId"), None), 2, "spanId is missing"),
        (otlp((*SPAN, "spanId"), 12), 2, "spanId is '12', and not 16 hex digits"),
        (otlp((*SPAN, "traceId"), "0" * 32), 2, "traceId is all zeros"),
        (otlp((*SPAN, "traceId"), "g" * 32), 2, "and not 32 hex digits"),
        (otlp((*SPAN, "parentSpanId"), "12"), 2, "parentSpanId is '12', and not 16 hex digits"),
        (otlp((*SPAN, "startTimeUnixNano"), None), 2, "startTimeUnixNano is missing"),
        (otlp((*SPAN, "startTimeUnixNano"), "0"), 2, "startTimeUnixNano is missing"),
        (otlp((*SPAN, "endTimeUnixNano"), None), 2, "endTimeUnixNano is missing"),
        (otlp((*SPAN, "endTimeUnixNano"), "9" * 5_000), 2, "not a number"),
        (jaeger(("data", 0, "spans", 3), None), 3, "span 4: spans holds null, not an object"),
        (jaeger(("data", 0, "spans", 1, "spanID"), "0"), 2, "spanID is '0'"),
        (jaeger(("data", 0, "spans", 1, "spanID"), None), 2, "spanID is missing"),
        (jaeger(("data", 0, "spans", 1, "tags"), [None]), 2, "tags holds null, not an object"),
        (jaeger(("data", 0, "spans", 1, "tags"), 3), 2, "tags is '3', not a list"),
        (jaeger(("data", 0, "spans", 1, "references"), [None]), 2, "references holds null"),
        (jaeger(("data", 0, "spans", 1, "tags"), [{"key": [1]}]), 2, "the name of a tag is '[1]'"),
        (jaeger(("data", 0, "spans", 1, "processID"), [1]), 2, "processID is '[1]', not a text"),
        (jaeger(("data", 0, "spans", 1, "references"), [{"refType": [1]}]), 2, "refType is '[1]'"),
        (jaeger(("data", 0, "processes"), [1]), 3, "processes is a list, not an object"),
        (jaeger(("data", 0, "spans", 1, "startTime"), None), 2, "startTime is missing"),
        (jaeger(("data", 1), None), 3, "data[1] is null, not an object"),
        (jaeger(("data", 0, "processes", "shop@"), None), 3, "process 'shop@' is null"),
        (jaeger(("data", 0, "processes", "x"), {"tags": 3}), 3, "tags is '3', not a list"),
        (zipkin((3,), None), 3, "none of the formats: null"),
        (zipkin((1, "traceId"), [1]), 2, "traceId is '[1]', not a text"),
        (zipkin((1, "id"), ""), 2, "id is missing"),
        (zipkin((1, "timestamp"), None), 2, "timestamp is missing"),
        (zipkin((1, "tags"), [1]), 2, "tags is '[1]', not an object"),
        (zipkin((1, "localEndpoint"), "x"), 2, "localEndpoint is 'x', not an object"),
        (zipkin((1, "duration"), {}), 2, "duration is '{}', not a number"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 1])
def test_one_broken_place_costs_itself(
    body: bytes, kept: int, reason: str, indent: int | None
) -> None:
    """On one line and laid out over many, whatever is wrong is named and the rest is read."""
    found = parse("traces", json.dumps(json.loads(body), indent=indent).encode())

    assert len(found.spans) == kept
    assert [reason in line for line in found.refused] == ([True] if reason else [])


def test_line_of_a_broken_span_is_named() -> None:
    """In a file of a gigabyte a number alone says little."""
    lines = [otlp_json([each]) for each in SPANS]
    lines[1] = otlp(SPAN[:2], otlp_spans([replace(SPANS[1], end=5)])["resourceSpans"][0])

    assert parse("traces", b"\n".join(lines)).refused == [
        "line 2, span 3: it ends 5000 ns before it starts"
    ]
    laid_out = json.dumps(json.loads(lines[1]), indent=1)
    second = laid_out.index('"traceId"', laid_out.index('"traceId"') + 1)
    number = 1 + laid_out[:second].count("\n")
    assert parse("traces", laid_out.encode()).refused == [
        f"line {number - 1}, span 2: it ends 5000 ns before it starts"
    ]


def test_value_that_is_not_json_costs_its_span() -> None:
    """A template, or an editor: where the span ends can be told by its brackets."""
    body = otlp_json(SPANS).replace(hex_id(2).encode() + b'"', hex_id(2).encode() + b'" oops', 1)

    found = parse("traces", body)

    assert [span.span_id for span in found.spans] == [hex_id(1), hex_id(3)]
    assert "not JSON: Expecting ',' delimiter" in found.refused[0]


def test_line_that_is_no_document_costs_itself() -> None:
    """A log line among the requests."""
    first, *rest = otlp_lines(SPANS).splitlines()
    for line in (
        b"started",
        b"{}",
        b"[1, 2",
        b'{"resourceSpans": [{]',
        b"\xff\xfe",
        b'{"a": 1e999}',
    ):
        found = parse("traces", b"\n".join([first, line, *rest]))

        assert len(found.spans) == 3, line
        assert found.refused
        assert found.refused[0].startswith("line 2")


def test_resource_that_is_not_protobuf_costs_itself() -> None:
    """Its length says where the next one begins."""
    body = otlp_protobuf(SPANS)
    at = body.index(b"host.name")
    found = parse("traces", body[:at] + b"\xff" + body[at + 1 :])

    assert len(found.spans) == 2
    assert "not OTLP traces in Protobuf at byte 0" in found.refused[0]


def test_trace_of_jaeger_whose_id_stands_behind_its_spans() -> None:
    """Fields of an object have no order."""
    [trace] = json.loads(jaeger_json(SPANS))["data"]
    for each in trace["spans"]:
        del each["traceID"]
        for reference in each["references"]:
            del reference["traceID"]
    body = {"data": [{"spans": trace["spans"], "processes": trace["processes"], "traceID": TRACE}]}

    assert split_file(json.dumps(body).encode()) == split_file(otlp_json(SPANS))


def test_span_without_a_start_leaves_a_flag() -> None:
    """It was a decision of 54 years."""
    request = otlp_spans(SPANS)
    del request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"]

    shares, refused = answer(json.dumps(request).encode())

    assert "startTimeUnixNano is missing" in refused.lines[0]
    assert [(share["total_ns"], share["flags"]) for share in shares] == [
        (30_000, ["orphan", "refused_spans"]),
        (40_000, ["orphan", "refused_spans"]),
    ]
    assert [(share["refused_spans"], share["refused_in_file"]) for share in shares] == [(1, 1)] * 2


@pytest.mark.parametrize("name", ["otlp_json", "jaeger_json", "zipkin_json"])
def test_decision_that_lost_a_span_says_so_and_others_do_not(name: str) -> None:
    """Which figures are whole has to be told apart."""
    other = F(9, trace="1" * 32)
    body = WRITERS[name]([*SPANS, other]).replace(
        str(BASE_US + 50).encode(), str(-BASE_US).encode(), 1
    )

    shares, refused = answer(body)

    assert refused.count == 1
    flags = {share["trace_ids"][0]: share["flags"] for share in shares}
    assert flags == {TRACE: ["refused_spans"], "1" * 32: []}
    assert [share["refused_in_file"] for share in shares] == [1, 1]


def test_ids_in_base64_are_those_in_hex() -> None:
    """Tempo's answers have them so."""
    request = otlp_spans([replace(SPANS[0], span_id=0xAB)])
    span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span |= {"spanId": "AAAAAAAAAKs=", "traceId": "CvdlGRbNQ92ESOshHIAxnA=="}

    [found] = read(json.dumps(request).encode()).spans
    assert (found.trace_id, found.span_id) == (TRACE, hex_id(0xAB))


def test_list_of_addresses_is_one_machine_in_every_format() -> None:
    """Each format writes a list in its own way."""
    late = replace(SPANS[2], kind="Server", service="stock", start=90, end=130)
    apart = [replace(SPANS[0], host="A"), replace(late, host="B")]
    for write in (otlp_json, otlp_protobuf, jaeger_json):
        [share] = split_file(write(apart))
        assert share["flags"] == ["shifted"]
    request = otlp_spans(apart)
    for place, addresses in enumerate((["10.0.0.1", "a"], ["b", "10.0.0.1"])):
        values = [{"stringValue": each} for each in addresses]
        request["resourceSpans"][place]["resource"]["attributes"][1] = {
            "key": "host.ip", "value": {"arrayValue": {"values": values}},
        }  # fmt: skip
    assert split_file(json.dumps(request).encode())[0]["flags"] == []
    answer_ = json.loads(jaeger_json(apart))
    for name, text in (("shop@A", '["10.0.0.1","a"]'), ("stock@B", '["b","10.0.0.1"]')):
        tags = [{"key": "host.ip", "value": text}]
        answer_["data"][0]["processes"][name]["tags"] = tags
    assert split_file(json.dumps(answer_).encode())[0]["flags"] == []

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from attribution.files.protobuf import state_resource
from attribution.files.span import FileSpan, Origin
from attribution.path.spans import NONE
from collector.core.errors import DecodeError
from tests.support.attribution.detect import SPANS, parse, read, split_file
from tests.support.attribution.trace_files import (
    BASE_US,
    TRACE,
    WRITERS,
    F,
    hex_id,
    jaeger_json,
    otlp_json,
    otlp_protobuf,
    otlp_spans,
    zipkin_json,
)
from tests.support.examples import examples


def one(document: object) -> FileSpan:
    """Return the one span of a document."""
    [span] = read(json.dumps(document).encode()).spans
    return span


def refused(document: object) -> str:
    """Return why the one span of a document was refused."""
    found = parse("traces", json.dumps(document).encode())
    assert found.spans == []
    [line] = found.refused
    return line


def jaeger(**change: object) -> dict[str, Any]:
    """Return one trace of Jaeger with one span."""
    span = {"spanID": "b", "operationName": "work", "startTime": 1, "duration": 2} | change
    return {"traceID": "a", "spans": [span], "processes": {"p": {"serviceName": "shop"}}}


def zipkin(**change: object) -> list[dict[str, Any]]:
    """Return a Zipkin file with one span."""
    return [{"traceId": "a", "id": "b", "timestamp": 1, "duration": 2} | change]


def otlp(**change: object) -> dict[str, Any]:
    """Return an OTLP request with one span."""
    request = otlp_spans([F(1)])
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= change
    return request


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_says_the_same(name: str) -> None:
    """The same trace has the same split, whatever wrote it down."""
    [share] = split_file(WRITERS[name](SPANS))

    assert share == {
        "decision_id": TRACE,
        "trace_ids": [TRACE],
        "total_ns": 100_000,
        "classes": {"network": 20_000, "compute": 50_000, "store": 30_000, "untraced": 0},
        "stages": {"ingress": 0, "transform": 0, "decision": 100_000, "egress": 0},
        "spans": [
            {
                "span_id": hex_id(span_id),
                "on_path": True,
                "self_ns": sum(to - from_ for from_, to in sections) * 1000,
                "sections": [[(BASE_US + at) * 1000 for at in pair] for pair in sections],
                "shift_ns": 0,
            }
            for span_id, sections in (
                (1, [(0, 10), (40, 50), (90, 100)]),
                (2, [(10, 40)]),
                (3, [(50, 60), (80, 90)]),
                (4, [(60, 80)]),
            )
        ],
        "flags": [],
        "refused_spans": 0,
        "refused_in_file": 0,
    }


def test_content_tells_the_format() -> None:
    """A file is often renamed on its way."""
    assert {name: read(write(SPANS)).format for name, write in WRITERS.items()} == {
        "otlp_json": "OTLP JSON",
        "otlp_lines": "OTLP JSON",
        "otlp_protobuf": "OTLP Protobuf",
        "jaeger_json": "Jaeger JSON",
        "zipkin_json": "Zipkin JSON v2",
    }


@pytest.mark.parametrize("length", [ord("{"), ord("[")])
def test_protobuf_whose_length_is_a_brace_is_protobuf(length: int) -> None:
    """The bytes of such a request begin as a JSON file with an empty line does."""
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=bytes(15) + b"1", span_id=bytes(7) + b"1", end_time_unix_nano=1)
    )
    while request.ByteSize() < length + 2:
        span.name += "x"
    body = request.SerializeToString()
    assert body[:2] == bytes([0x0A, length])

    assert read(body).format == "OTLP Protobuf"


def test_list_of_traces_and_byte_order_mark() -> None:
    """Zipkin answers with lists of lists, and an editor may put a mark before them."""
    lists = f"[{zipkin_json(SPANS[:2]).decode()}, {zipkin_json(SPANS[2:]).decode()}]"

    assert read(b"\xef\xbb\xbf" + lists.encode()).spans == read(zipkin_json(SPANS)).spans


def test_microseconds_become_nanoseconds_exactly() -> None:
    """A float of this size moves in steps of 256 ns."""
    start = 1_764_000_000_000_001

    assert one(jaeger(startTime=start, duration=3)).end_ns == 1_764_000_000_000_004_000
    body = f'[{{"traceId": "a", "id": "b", "timestamp": {start}.125, "duration": 0.001}}]'
    [span] = read(body.encode()).spans
    assert (span.start_ns, span.end_ns) == (1_764_000_000_000_001_125, 1_764_000_000_000_001_126)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (otlp(endTimeUnixNano="1"), "before it starts"),
        (otlp(spanId=""), "spanId is missing, and not 16 hex digits"),
        (otlp(startTimeUnixNano="soon"), "startTimeUnixNano is 'soon', not a number"),
        (otlp(attributes=7), "attributes is '7', not a list"),
        (jaeger(startTime=-1), "startTime -1 is out of range"),
        (jaeger(duration=None), "duration is missing"),
        (jaeger(startTime=True), "startTime is 'true', not a number"),
        (jaeger(duration=0.0001), "parts of a nanosecond"),
        (zipkin(timestamp=2**63), "out of range"),
        (zipkin(timestamp=None), "timestamp is missing"),
    ],
)
def test_span_that_cannot_be_used_is_named(document: object, reason: str) -> None:
    """One bad span costs that span and not the file; a guessed time would hide in the figures."""
    assert reason in refused(document)


def test_number_that_is_short_to_write_and_long_to_expand() -> None:
    """A file of forty bytes must not take all memory."""
    body = json.dumps(jaeger(startTime=7)).replace("7", "1e999999999", 1)

    assert "out of range" in parse("traces", body.encode()).refused[0]


def test_time_of_otlp_that_is_left_out_is_zero() -> None:
    """Protobuf writes no zeros: the root of a trace whose clock begins at 0 has no start."""
    request = otlp(endTimeUnixNano="7")
    del request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"]

    assert (one(request).start_ns, one(request).end_ns) == (0, 7)


def test_ids_of_otlp_are_lower_case_and_zeros_are_no_parent() -> None:
    """Two spellings of one id would tear a trace apart."""
    span = one(otlp(spanId="00000000000000AB", parentSpanId="0" * 16, traceId=TRACE.upper()))

    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, "00000000000000ab", "")


def test_jaeger_parent_is_the_first_child_of_in_its_trace() -> None:
    """What Jaeger's pages show as parent is the parent; the rest are links."""
    references = [
        {"refType": "CHILD_OF", "traceID": "other", "spanID": "1"},
        {"refType": "FOLLOWS_FROM", "traceID": "a", "spanID": "2"},
        {"refType": "CHILD_OF", "traceID": "a", "spanID": "3"},
    ]

    span = one(jaeger(references=references))
    assert (span.parent_id, span.links) == ("3", (("other", "1"), ("a", "2")))
    span = one(jaeger(references=references[:2]))
    assert (span.parent_id, span.links) == ("2", (("other", "1"),))
    assert one(jaeger(references=[], parentSpanID="4")).parent_id == "4"


def test_jaeger_process_names_service_and_machine() -> None:
    """Skew is judged by the machine, which Jaeger's clients call `hostname`."""
    process = {"serviceName": "cart", "tags": [{"key": "hostname", "value": "node-7"}]}

    assert one(jaeger(processID="p")).origin.service == "shop"
    assert one(jaeger(processID="q")).origin.service == ""
    span = one(jaeger(process=process, tags=[{"key": "span.kind", "value": "server"}]))
    assert (span.origin.service, span.origin.host, span.kind) == ("cart", "node-7", "Server")


def test_bound_of_the_clock_is_read_in_every_format() -> None:
    """Of Jaeger it is a tag of the process, as it is an attribute of OTLP's resource."""
    process = {"serviceName": "cart", "tags": [{"key": "clock.error_ns", "value": 7_000}]}

    assert one(jaeger(process=process)).origin.clock_error_ns == 7_000
    assert one(jaeger()).origin.clock_error_ns == NONE


def test_words_of_opentracing_for_a_store_are_taken() -> None:
    """Traces of those years name their stores so."""
    tags = [{"key": "db.type", "value": "redis"}]

    assert one(jaeger(tags=tags)).attributes["db.system"] == "redis"
    assert one(zipkin(tags={"sql.query": "SELECT 1"})).attributes["db.system"] == "sql"


def test_zipkin_span_without_a_duration_is_an_instant() -> None:
    """A one-way call is sent and not waited for."""
    [without] = [span | {"duration": None} for span in zipkin()]

    assert one([without]).end_ns == one([without]).start_ns


def test_shared_span_id_of_zipkin_is_client_and_server() -> None:
    """Both halves of a call count: the server's within the client's, and its children in it."""
    ends = {"shop": {"serviceName": "shop"}, "stock": {"serviceName": "stock"}}

    def span(at: int, parent: str, start: int, duration: int, **more: object) -> dict[str, object]:
        return {
            "traceId": "a", "id": str(at), "timestamp": start, "duration": duration,
            **({"parentId": parent} if parent else {}), **more,
        }  # fmt: skip

    spans = [
        span(1, "", 0, 100, kind="SERVER", localEndpoint=ends["shop"]),
        span(2, "1", 10, 80, kind="CLIENT", localEndpoint=ends["shop"]),
        span(2, "1", 20, 60, kind="SERVER", localEndpoint=ends["stock"], shared=True),
        span(3, "2", 30, 20, localEndpoint=ends["stock"]),
        span(4, "2", 11, 4, localEndpoint=ends["shop"]),
    ]

    for order in (spans, spans[::-1]):
        [share] = split_file(json.dumps(order).encode())
        assert share["classes"] == {"network": 16_000, "compute": 84_000, "store": 0, "untraced": 0}
        assert [(s["span_id"].lstrip("0"), s["self_ns"]) for s in share["spans"]] == [
            ("1", 20_000), ("2", 16_000), ("4", 4_000), ("2", 40_000), ("3", 20_000),
        ]  # fmt: skip
        assert share["flags"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no spans"),
        (b"\x00\x00\x00\x09abc", "cut off"),
        (b"hello", "not OTLP traces in Protobuf"),
        (b"{", "not JSON"),
        (b"{}", "none of the formats"),
        (b"[1]", "none of the formats"),
        (b'{"resourceSpans": 5}', "resourceSpans is '5', not a list"),
        (b'{"data": ["x"]}', "data[0] is 'x', not an object"),
        (b"[\xff]", "not UTF-8"),
        (b"[" * 100_000, "a list in lists"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"resourceSpans": 1' + b"0" * 5_000 + b"}", "not a list"),
        (b"[1e" + b"9" * 40 + b"]", "none of the formats"),
        (b'{"data": null, "errors": [{"code": 404}]}', "none of the formats"),
        (b'{"data": {"result": []}}', "none of the formats"),
        (b"\x1f\x8b\x08", "gzip body ends early"),
        (b"\x28\xb5\x2f\xfdabc", "zstd body ends early"),
    ],
)
def test_file_that_is_none_is_named_with_the_remedy(body: bytes, reason: str) -> None:
    """One line tells which file, what is wrong and what to give."""
    with pytest.raises(DecodeError, match=r"^traces\.bin: ") as caught:
        parse("traces.bin", body)

    assert reason in str(caught.value)
    assert "give OTLP JSON or Protobuf, Jaeger JSON, or Zipkin JSON v2" in str(caught.value)


def test_text_that_cannot_be_written_is_replaced() -> None:
    """Half a surrogate pair in an id would end the command where it prints."""
    tags = [{"key": "decision.id", "value": "\udfff"}, {"key": "\ud801", "value": "\ud802"}]
    body = json.dumps(jaeger(spanID="b\ud800", operationName="\ud803", tags=tags)).encode()

    [share] = split_file(body)
    assert (share["decision_id"], share["spans"][0]["span_id"]) == ("?", "b?")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([
    "traceId", "spanId", "id", "parentId", "kind", "name", "attributes", "startTimeUnixNano",
    "endTimeUnixNano", "traceID", "spanID", "references", "startTime", "duration", "tags",
    "timestamp", "localEndpoint", "links", "status", "process", "processID", "shared",
])  # fmt: skip


@settings(max_examples=examples(150), deadline=None)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_only_decode_error(body: bytes) -> None:
    """Whatever is named as a file, the command ends in one line."""
    for given_ in (body, b"{" + body, b"\x0a" + body, b"\0\0\0" + body):
        try:
            parse("traces", given_)
        except DecodeError:
            continue


@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from(["otlp", "jaeger", "zipkin"]),
    st.dictionaries(FIELDS, JSON_VALUES, max_size=5),
)
def test_arbitrary_values_refuse_a_span_or_split_it(format_: str, change: dict[str, Any]) -> None:
    """A field of another shape than it should have never ends in a traceback."""
    build = {"otlp": otlp, "jaeger": jaeger, "zipkin": zipkin}[format_]
    try:
        found = parse("traces", json.dumps(build(**change)).encode())
    except DecodeError:
        return
    if not found.refused:
        for share in split_file(json.dumps(build(**change)).encode()):
            assert sum(share["classes"].values()) == share["total_ns"]


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from([otlp_json, otlp_protobuf, jaeger_json, zipkin_json]), st.data())
def test_damaged_file_raises_only_decode_error(write: Any, data: st.DataObject) -> None:  # noqa: ANN401 - one of the writers
    """A file that was cut or has a flipped byte is told, or read as far as it is whole."""
    body = bytearray(write(SPANS))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        parse("traces", bytes(body[: data.draw(st.integers(at, len(body)))]))
    except DecodeError:
        return


def test_span_of_jaeger_without_a_trace_is_named_by_its_own_line() -> None:
    """The id may stand behind the spans, so each was named by the last line of the file."""
    document = json.loads(jaeger_json([F(1), F(2, 1, 10, 40)]))
    [trace] = document["data"]
    del trace["traceID"]
    for span in trace["spans"]:
        del span["traceID"]
    text = json.dumps(document, indent=1)
    of_a_span = '     "spanID"'  # deeper in it there are those of references
    first, second = (
        index for index, line in enumerate(text.splitlines()) if line.startswith(of_a_span)
    )

    assert parse("traces", text.encode()).refused == [
        f"line {first}, span 1: traceID is missing; an id has a digit",
        f"line {second}, span 2: traceID is missing; an id has a digit",
    ]


def test_origin_of_protobuf_keeps_no_span() -> None:
    """What was kept of resources kept their spans: 400 MB of a file took as much memory."""
    sent, origin = ResourceSpans(), Origin()
    sent.resource.attributes.add(key="service.name").value.string_value = "shop"
    state_resource(origin, sent)
    sent.resource.Clear()  # were it a part of the message, it would be empty too
    assert isinstance(origin.raw, Resource)
    assert [each.key for each in origin.raw.attributes] == ["service.name"]

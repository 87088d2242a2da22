from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from dashboard.cli.imports.traces.messages import server_half
from dashboard.cli.imports.traces.requests import SPANS_MAX, divided
from tests.support.attribution.trace_files import (
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
from tests.support.builders import span, trace_request
from tests.support.dashboard.trace_requests import requests_of, tree_of
from tests.support.examples import examples

SPANS = [
    F(1, 0, 0, 100, "Server", "shop", host="10.0.0.1"),
    F(2, 1, 10, 90, "Client", "shop", host="10.0.0.1"),
    F(3, 2, 20, 80, "Server", "stock", host="10.0.0.2"),
]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_tree(name: str) -> None:
    """Ids, parents and services are what attribution rests on."""
    requests, refused = requests_of(WRITERS[name](SPANS))

    assert refused == []
    assert tree_of(requests) == {
        hex_id(1): ("shop", ""),
        hex_id(2): ("shop", hex_id(1)),
        hex_id(3): ("stock", hex_id(2)),
    }


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_file_gives_the_same_requests(name: str) -> None:
    """A receiver knows a request again by its bytes."""
    body = WRITERS[name](SPANS)

    once, again = requests_of(body), requests_of(body)

    assert [r.SerializeToString() for r in once[0]] == [r.SerializeToString() for r in again[0]]


VALUES: Any = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=examples(100))
@given(attributes=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_json_and_protobuf_give_what_was_exported(attributes: dict[str, Any]) -> None:
    """Of a file that another tool wrote no value may become another one on the way."""
    exported = trace_request(span(attributes=attributes), resource={"host.name": "a"})
    document = json_format.MessageToDict(exported)
    found = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    sent = exported.resource_spans[0].scope_spans[0].spans[0]
    found.update(traceId=sent.trace_id.hex(), spanId=sent.span_id.hex())
    whole = json.dumps(document).encode()
    lines = json.dumps(document, indent=1).encode()

    for body in (whole, lines, exported.SerializeToString()):
        [request], refused = requests_of(body)
        assert refused == []
        assert request == exported


def shared_zipkin(**server: object) -> list[dict[str, Any]]:
    """Return a call whose two halves have one id, and what the server calls."""
    client, half, below = json.loads(
        zipkin_json(
            [
                F(1, 0, 10, 90, "Client", "shop"),
                F(1, 0, 20, 80, "Server", "stock"),
                F(2, 1, 30, 40, "Client", "stock"),
            ]
        )
    )
    return [client, {**half, **server}, below]


def test_the_halves_of_a_call_become_two_spans() -> None:
    """By one id for both the second would pass for known, and its time would be lost."""
    body = json.dumps(shared_zipkin()).encode()
    half = server_half(bytes.fromhex(TRACE), bytes.fromhex(hex_id(1))).hex()

    requests, _ = requests_of(body)

    assert tree_of(requests) == {
        hex_id(1): ("shop", ""),
        half: ("stock", hex_id(1)),
        hex_id(2): ("stock", half),
    }


def test_halves_in_two_files_become_two_spans() -> None:
    """Two services export one trace each in a file of their own; together, or one after another."""
    client, half, below = shared_zipkin(shared=True)
    theirs, ours = json.dumps([client]).encode(), json.dumps([half, below]).encode()

    together, _ = requests_of(theirs, ours)
    first, _ = requests_of(theirs)
    then, _ = requests_of(ours)

    assert tree_of(together) == tree_of(first) | tree_of(then)
    assert len(tree_of(together)) == 3


def test_what_is_stated_behind_its_spans_counts() -> None:
    """Jaeger's answers name processes behind the spans; some writers of OTLP do so too."""
    jaeger = json.loads(jaeger_json(SPANS))
    [trace] = jaeger["data"]
    late = {"data": [{"spans": trace["spans"], "processes": trace["processes"]}]}
    otlp = {
        "resourceSpans": [
            dict(reversed(resource.items())) for resource in otlp_spans(SPANS)["resourceSpans"]
        ]
    }
    trees = [tree_of(requests_of(json.dumps(each, indent=1).encode())[0]) for each in (late, otlp)]

    assert trees[0] == trees[1] == tree_of(requests_of(otlp_json(SPANS))[0])


def test_requests_have_a_bound() -> None:
    """A receiver refuses what is too large, and each request is one insert."""
    body = otlp_protobuf([F(at + 1) for at in range(SPANS_MAX + 1)])

    requests, _ = requests_of(body)

    assert [len(tree_of([each])) for each in requests] == [SPANS_MAX, 1]


def test_large_spans_go_in_requests_of_their_own() -> None:
    """A few spans may hold megabytes."""
    body = otlp_protobuf([F(at + 1, attributes={"k": "x" * 5_000_000}) for at in range(3)])

    requests, _ = requests_of(body)

    assert [len(tree_of([each])) for each in requests] == [1, 1, 1]


def test_what_has_no_place_is_named_and_the_rest_goes_on() -> None:
    """One id by hand must not cost the file."""
    requests, refused = requests_of(jaeger_json([F(1), F(2, trace="by-hand"), F(3)]))

    assert set(tree_of(requests)) == {hex_id(1), hex_id(3)}
    assert refused == ["span 3: the trace id 'by-hand' is not 32 hex digits, or fewer"]


def test_a_request_that_is_too_large_is_divided() -> None:
    """A receiver may take less than the default."""
    [request], _ = requests_of(otlp_protobuf(SPANS))

    halves = divided(request.SerializeToString())
    parts = [ExportTraceServiceRequest.FromString(body) for body, _ in halves]

    assert [count for _, count in halves] == [1, 2]
    assert tree_of(parts) == tree_of([request])


def test_a_resource_that_is_not_otlp_is_named_and_its_spans_are_kept() -> None:
    """Its service is known; what else it says is lost, and that is said."""
    document = otlp_spans([F(1)])
    pair = {"key": "n", "value": {"intValue": "1e999"}}
    document["resourceSpans"][0]["resource"]["attributes"].append(pair)

    requests, refused = requests_of(json.dumps(document).encode())

    assert tree_of(requests) == {hex_id(1): ("shop", "")}
    [line] = refused
    assert line.startswith("what sent span 1: not OTLP: ")
    assert line.endswith("; of it service and host are imported")

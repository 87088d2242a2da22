"""A block of the compiled module, row for row against what the store's own reader makes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.spans import make_requests
from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig
from collector.otlp.check import Signal
from collector.otlp.native.spans import IS_THERE, SpanBlocks, SpanSelection, make_blocks
from collector.store.connect import Connections
from collector.wal.frames import encode_frame, scan
from collector.write.decision_spans import wanted_spans
from collector.write.insert_target import BLOCK_SETTINGS
from collector.write.reading import read_spans
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, key_values, new_span_id, span, trace_request
from tests.support.collector.golden import whole_spans
from tests.support.collector.rendering import ATTRIBUTES
from tests.support.collector.writer import accepted_mutants, stored_both_ways
from tests.support.examples import examples

NOTHING = SpanSelection((), ())
NAMES = st.sampled_from(["service.name", "decision.action", "decision.ts.ingress", "k", "é"])
SETS = st.one_of(ATTRIBUTES, st.dictionaries(NAMES, st.sampled_from(["", "a", 1, NOW_NS, [1]])))


def test_module_is_there() -> None:
    """Every test here is of it; the fallback has tests of its own."""
    assert IS_THERE


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request of several resources and scopes, fields in the order of an encoder."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(1, 2))):
        group = request.resource_spans.add()
        group.resource.attributes.extend(key_values(draw(SETS)))
        for _ in range(draw(st.integers(0, 2))):
            batch = group.scope_spans.add()
            batch.scope.name = draw(st.sampled_from(["", "s", "ü"]))
            batch.scope.attributes.extend(key_values(draw(SETS)))
            for one in draw(st.lists(whole_spans(SETS), max_size=3)):
                one.trace_id = draw(st.sampled_from([b"\x01" * 16, b"\xfe" * 16]))
                one.span_id = bytes.fromhex(new_span_id())
                batch.spans.append(one)
    return request.SerializeToString()


def test_rows_are_those_of_the_stores_reader(store: Connections, tmp_path: Path) -> None:
    """Every column of every table, with any value in any field."""

    @settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))
    @given(st.lists(requests(), min_size=5, max_size=20))
    def equal(bodies: list[bytes]) -> None:
        native, protobuf = stored_both_ways(store, tmp_path, bodies)
        assert native == protobuf

    equal()


def test_trace_index_says_in_which_hours_spans_began(store: Connections, tmp_path: Path) -> None:
    """A clock that is off by days makes no trace of all that is between."""
    starts = [0, 1, 3600 * 10**9 - 1, 3600 * 10**9, 10**18, NOW_NS, NOW_NS - 7200 * 10**9, NOW_NS]
    spans = [span(start_ns=each + 5) for each in starts]
    other = span(trace_id="ab" * 16, start_ns=NOW_NS)
    bodies = [trace_request(each).SerializeToString() for each in (*spans, other, *spans[:3])]
    native, protobuf = stored_both_ways(store, tmp_path, bodies)
    assert native == protobuf
    assert len(native["otel_traces_trace_id_ts"]) == 6


def test_rows_of_what_was_changed_on_the_wire_are_the_same(
    store: Connections, tmp_path: Path
) -> None:
    """Legal and not: whatever upb takes has one meaning, in either reader."""
    draw = random.Random(3)
    sources = list(make_requests(5, 4, 16, NOW_NS, decisions=True))
    nested: dict[str, Any] = {"l": [1, [2.5, {"a": b"x", "b": None}]], "m": {"z": 1, "a": [[]]}}
    sources.append(trace_request(span(attributes=nested), resource=nested).SerializeToString())
    taken = accepted_mutants(Signal.TRACES, sources, draw)
    assert len(taken) > 500

    native, protobuf = stored_both_ways(store, tmp_path, taken)

    assert native == protobuf


def test_large_texts_and_many_kinds_are_the_same(store: Connections, tmp_path: Path) -> None:
    """A dictionary of more than 256 names and of more than 65,536, and texts of 2 MiB.

    No roots: of decisions of one id and instant, which came in one request, either may be kept.
    """
    many = {f"name {number}": number for number in range(300)}
    large = {"t": "ü" * 2**20, "b": bytes(range(256)) * 2**13}
    bodies = [trace_request(span(attributes=each)).SerializeToString() for each in (many, large)]
    bodies.append(
        trace_request(
            *(span(name=f"{number}", parent_span_id="1" * 16) for number in range(66_000))
        ).SerializeToString()
    )

    native, protobuf = stored_both_ways(store, tmp_path, bodies)

    assert native == protobuf


def test_block_is_in_the_order_of_its_table(store: Connections) -> None:
    """The engine does not sort it again; a part out of order would be read wrongly."""
    client = store.client()
    key = sorting_key(client)
    draw = random.Random(1)
    bodies = list(make_requests(3, 16, 256, NOW_NS, decisions=True))
    bodies += [
        trace_request(span(name=name, start_ns=NOW_NS - draw.randrange(10**12)), service=service)
        .SerializeToString()
        for name in ("", "a", "B", "ä", "aa") for service in ("", "z", "Z", "ü")
    ]  # fmt: skip
    draw.shuffle(bodies)
    places, at = [], 0
    for body in bodies:
        places.append((at, at + len(body), NOW_NS + draw.randrange(5 * 10**9)))
        at += len(body)
    made = make_blocks(b"".join(bodies), places, NOTHING)
    assert isinstance(made, SpanBlocks)
    client.command("CREATE TABLE laid ENGINE = Memory AS SELECT * FROM otel_traces LIMIT 0")
    client.raw_insert("laid", insert_block=made.spans, fmt="Native", settings=BLOCK_SETTINGS)

    (laid,) = client.query(
        f"SELECT groupArray(({key})) FROM laid SETTINGS max_threads = 1"
    ).result_rows
    (ordered,) = client.query(f"SELECT arraySort(groupArray(({key}))) FROM laid").result_rows

    client.command("DROP TABLE laid")
    assert made.span_rows == 256 + 20
    assert laid == ordered


def sorting_key(client: Client) -> str:
    """Return the sorting key of the table of spans."""
    sql = (
        "SELECT sorting_key FROM system.tables"
        " WHERE database = currentDatabase() AND name = 'otel_traces'"
    )
    return str(client.query(sql).result_rows[0][0])


def test_same_requests_give_the_same_bytes() -> None:
    """By their token alone the store takes a block again for the one that it has."""
    body = trace_request(*(span(name="same", span_id=new_span_id()) for _ in range(500)))
    content = body.SerializeToString()

    made = [make_blocks(content, [(0, len(content), NOW_NS)], NOTHING) for _ in range(3)]

    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("rule", "is_wanted"),
    [
        pytest.param(DecisionMatch(service="router"), True, id="service"),
        pytest.param(DecisionMatch(service="other"), False, id="another service"),
        pytest.param(DecisionMatch(span_name="GET /price", kind="server"), True, id="both"),
        pytest.param(DecisionMatch(span_name="GET /price", kind="client"), False, id="kind"),
        pytest.param(DecisionMatch(attributes={"route": "a"}), True, id="attribute"),
        pytest.param(DecisionMatch(attributes={"other": "a"}), False, id="another attribute"),
        pytest.param(DecisionMatch(attributes={"other": ""}), True, id="none of that name"),
    ],
)
def test_views_are_asked_about_every_span_that_a_rule_names(
    rule: DecisionMatch, is_wanted: bool
) -> None:
    """And about no other, or its planning would be paid with every insert."""
    wanted = wanted_spans(AttributesConfig(), DecisionsConfig(match=(rule,)))
    content = trace_request(span(attributes={"route": "b"})).SerializeToString()

    made = make_blocks(content, [(0, len(content), NOW_NS)], wanted)

    assert isinstance(made, SpanBlocks)
    assert made.decision_rows == is_wanted


def test_action_under_any_of_its_names_makes_a_decision() -> None:
    """Ours and a customer's own."""
    own = AttributesConfig(map={"decision.action": "shop.act"})
    wanted = wanted_spans(own, DecisionsConfig())
    spans = [decision_span(), span(attributes={"shop.act": "price"}), span()]
    content = trace_request(*spans).SerializeToString()

    made = make_blocks(content, [(0, len(content), NOW_NS)], wanted)

    assert isinstance(made, SpanBlocks)
    assert (made.span_rows, made.decision_rows) == (3, 2)


def test_every_cut_and_every_flipped_bit_is_read_within_its_bounds() -> None:
    """The module says no, or makes rows; it never reads on."""
    nested: dict[str, Any] = {"l": [1, [2.5]], "m": {"a": {"b": b"x"}}, "t": "é"}
    event = Span.Event(name="e", attributes=key_values(nested))
    link = Span.Link(trace_id=bytes(16), attributes=key_values(nested))
    body = trace_request(
        span(attributes=nested, events=[event], links=[link]), resource=nested
    ).SerializeToString()
    for index in range(len(body)):
        make_blocks(body[:index], [(0, index, NOW_NS)], NOTHING)
        for bit in range(8):
            flipped = body[:index] + bytes([body[index] ^ 1 << bit]) + body[index + 1 :]
            make_blocks(flipped, [(0, len(flipped), NOW_NS)], NOTHING)


@pytest.mark.parametrize("place", [(1, 0, 1), (0, 2**63, 1), (2**64 - 1, 2**64 - 1, 1)])
def test_place_outside_of_the_content_is_not_read(place: tuple[int, int, int]) -> None:
    """Offsets come of a scan of a file."""
    assert make_blocks(b"\x0a\x00", [place], NOTHING) == [0]


def test_rows_that_would_fill_the_memory_are_refused() -> None:
    """Every span repeats its resource: 4 MiB of a request would be 40 GB of rows."""
    request = trace_request(*(Span() for _ in range(20_000)), resource={"r": "x" * 2_000_000})
    content = request.SerializeToString()

    with pytest.raises(OverflowError, match="more than a block may"):
        make_blocks(content, [(0, len(content), NOW_NS)], NOTHING)


def test_values_deeper_than_upb_reads_are_left_to_it() -> None:
    """Its limit is a hundred messages, ours is a stack that no sender can fill."""
    value = b"\x0a\x01x"
    for _ in range(60):
        item = b"\x0a" + varint(len(value)) + value
        value = b"\x2a" + varint(len(item)) + item
    content = value
    for number in (2, 9, 2, 2, 1):  # of an attribute, in a span, in a batch, in a group
        content = bytes([number << 3 | 2]) + varint(len(content)) + content

    assert make_blocks(content, [(0, len(content), NOW_NS)], NOTHING) == [0]


def varint(number: int) -> bytes:
    """Return a number below 16,384 as Protobuf has it."""
    return bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, number >> 7])


def test_unreadable_request_is_named_and_the_others_are_read() -> None:
    """By the frame that it lies in; nothing of it is in a block."""
    good = trace_request(span()).SerializeToString()
    content = b"".join(encode_frame(body, NOW_NS, 1) for body in (good, b"\x0a\xff\xff", good))
    frames = scan(content).frames

    read = read_spans(content, frames, NOTHING)

    assert (list(read.frames), read.inserts[-1].rows) == ([frames[0], frames[2]], 2)
    ((frame, reason),) = read.refused
    assert frame == frames[1]
    assert "not an OTLP traces request" in reason

"""Broken requests cost their sender alone; `millworth bench hostile` sends a hundred thousand."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from google.protobuf import message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.hostile.mutations import (
    JSON_MUTATIONS,
    MUTATIONS,
    break_text,
    deep_value,
    lie_about_length,
    put_together,
    repeat_field,
    take_apart,
)
from collector.bench.hostile.requests import make_neighbour, make_victim, to_json
from collector.bench.hostile.run import Answers, hostile, make_mutant
from collector.core.errors import DecodeError
from collector.otlp.check import Signal
from collector.otlp.json import decode_json
from tests.conftest import NOW_NS
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF

SEEDS = 30


@pytest.mark.integration
def test_mutants_cost_their_neighbour_nothing(tmp_path: Path) -> None:
    """Everyone gets an answer, the process lives, and what was acknowledged is stored as sent."""
    said: list[str] = []

    with ThreadPoolExecutor(2) as pool:
        figures = hostile(tmp_path, range(SEEDS), pool, said.append)

    assert figures["mutants"] == figures["accepted"] + figures["refused"] == SEEDS, said
    assert figures["accepted"] > 0
    assert figures["refused"] > 0
    assert figures["neighbours"] >= 9
    zero = (
        "crashes", "unexpected", "unaccounted",
        "neighbours_refused", "neighbours_lost", "neighbours_twice",
    )  # fmt: skip
    assert {key: figures[key] for key in zero} == dict.fromkeys(zero, 0), said


@pytest.mark.parametrize("signal", list(Signal))
def test_request_is_taken_apart_and_put_together_again(signal: Signal) -> None:
    """Otherwise a mutation would change more than it says."""
    body = make_victim(random.Random(1), signal, NOW_NS).SerializeToString()
    fields = take_apart(body)

    assert fields is not None
    assert put_together(fields) == body


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_apart_or_are_no_message(content: bytes) -> None:
    """Text that happens to read as fields is put together as it was, but for its varints."""
    fields = take_apart(content)
    if fields is not None:
        assert len(put_together(fields)) <= len(content)


def test_every_mutation_is_drawn_and_changes_what_it_is_given() -> None:
    """A mutation that no seed draws would be a promise that nothing holds."""
    names = Counter[str]()
    for seed in range(600):
        draw = random.Random(seed)
        mutant = make_mutant(draw, draw.choice(list(Signal)), NOW_NS)
        names[mutant.name.removesuffix(", gzip")] += 1

    assert set(names) == {
        *[name for name, _ in MUTATIONS],
        *[f"json {name}" for name, _ in JSON_MUTATIONS],
    }


def test_mutant_repeats_with_its_seed() -> None:
    """A failure that is reported by its seed can be looked at; gzip alone puts the time in."""
    first, again = [
        [make_mutant(random.Random(seed), Signal.TRACES, NOW_NS) for seed in range(100)]
        for _ in range(2)
    ]

    assert [(m.name, m.body[10:]) for m in first] == [(m.name, m.body[10:]) for m in again]


def test_lie_about_a_length_leaves_everything_else() -> None:
    """A parser that believes it reads past the end, or into the next field."""
    body = make_victim(random.Random(1), Signal.TRACES, NOW_NS).SerializeToString()
    wrong = 0
    for seed in range(50):
        lie = lie_about_length(random.Random(seed), body)
        assert abs(len(lie) - len(body)) < 12
        try:
            ExportTraceServiceRequest.FromString(lie)
        except message.DecodeError:
            wrong += 1

    assert wrong > 25


def test_broken_text_is_seen_by_the_parser_alone() -> None:
    """The framing is right, so a request that is refused is refused for its text or its ids."""
    body = make_victim(random.Random(1), Signal.LOGS, NOW_NS).SerializeToString()

    assert all(take_apart(break_text(random.Random(seed), body)) for seed in range(50))


def test_field_that_is_repeated_inside_itself_has_an_end() -> None:
    """What is repeated may hold the place where it goes."""
    body = make_victim(random.Random(1), Signal.METRICS, NOW_NS).SerializeToString()

    assert all(len(repeat_field(random.Random(seed), body)) > len(body) for seed in range(300))


def test_deep_value_nests_as_deep_as_it_says() -> None:
    """From a hundred on a parser refuses."""
    fields = take_apart(deep_value(30))
    depth = 0
    while fields and isinstance(fields[-1].value, list):
        fields = fields[-1].value
        depth += 1

    assert depth > 30


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"\\ud800": 1}', id="half a pair as a name"),
        pytest.param(b'{"resourceSpans": [{"schemaUrl": "\\uDFFF"}]}', id="half a pair as text"),
        pytest.param(b'{"\xed\xa0\x80": 1}', id="half a pair in bytes"),
        pytest.param(b'{"\xff": 1}', id="no UTF-8"),
    ],
)
def test_json_that_is_no_unicode_is_refused(body: bytes) -> None:
    """Half of a surrogate pair ended the parser in a SystemError, which is nobody's answer."""
    with pytest.raises(DecodeError, match="not an OTLP/JSON traces request"):
        decode_json(Signal.TRACES, body)


@pytest.mark.integration
def test_attribute_whose_name_is_no_text_is_refused(refusing: httpx.Client) -> None:
    """The rules on personal data see it before the check does, and have to leave it to that."""
    body = trace_request(span(attributes={"key": 1})).SerializeToString().replace(b"key", b"k\xff!")

    answer = refusing.post("/v1/traces", content=body, headers={"content-type": PROTOBUF})

    assert answer.status_code == 400
    assert answer.content.count(b"not an OTLP traces request") == 1


def test_whole_pair_is_text() -> None:
    """What JSON spells as two escapes is one character."""
    request = ExportTraceServiceRequest.FromString(
        decode_json(Signal.TRACES, b'{"resourceSpans": [{"schemaUrl": "\\ud83d\\ude00"}]}')
    )

    assert request.resource_spans[0].schema_url == "\U0001f600"


def test_neighbours_differ_in_signal_and_say_every_kind_of_value() -> None:
    """A loss would show in any of them, in what is stored of each value."""
    neighbours = [make_neighbour(number, NOW_NS) for number in range(3)]

    assert {neighbour.signal for neighbour in neighbours} == set(Signal)
    for neighbour in neighbours:
        in_json = json.dumps(to_json(neighbour.message)).encode()
        assert decode_json(neighbour.signal, in_json) == neighbour.message.SerializeToString()
        assert {"none", "double", "bytes", "map"} < set(neighbour.said)


def test_answers_add_up() -> None:
    """Workers report a slice each."""
    total = Answers()
    for answers in (Answers(Counter({"200": 2})), Answers(Counter({"500": 1}), ["seed 3"])):
        total.add(answers)

    assert (total.codes, total.unexpected) == (Counter({"200": 2, "500": 1}), ["seed 3"])

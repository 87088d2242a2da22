"""Files that end early, are compressed, large or shuffled: what is whole is read, in pieces."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.errors import DecodeError
from tests.support.attribution.detect import answer, parse, split_file
from tests.support.attribution.trace_files import (
    WRITERS,
    F,
    jaeger_json,
    otlp_json,
    otlp_lines,
    zipkin_json,
)
from tests.support.examples import examples

SPANS = [F(1, 0, 0, 100, "Server"), F(2, 1, 10, 40), F(3, 1, 50, 90)]


@pytest.mark.parametrize("cut", [30, 200, 400])
def test_cut_last_line_costs_that_line(cut: int) -> None:
    """What a killed exporter leaves: whole requests, and the beginning of one."""
    body = otlp_lines(SPANS)[: -cut - 1]

    shares, refused = answer(body)

    assert "line 3" in refused.lines[0]
    assert "the file ends inside it" in refused.lines[0]
    assert [len(share["spans"]) for share in shares] == [2]
    # Where the trace of what was cut can be told its decisions say so.
    assert ("refused_spans" in shares[0]["flags"]) is (cut < 400)


@pytest.mark.parametrize("name", ["otlp_json", "jaeger_json", "zipkin_json"])
def test_file_that_ends_early_is_read_as_far_as_it_is_whole(name: str) -> None:
    """A disk that was full cuts one long line, and all before the cut is there."""
    body = WRITERS[name]([F(at, 1 if at > 1 else 0) for at in range(1, 40)])

    found = parse("traces", body[: len(body) * 3 // 4])

    assert 20 < len(found.spans) < 39
    [line] = found.refused
    assert "the file ends inside it" in line


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_compressed_file_that_ends_early_is_read_as_far_as_it_is_whole(
    compress: Any,  # noqa: ANN401 - one of the two
) -> None:
    """The end of a stream that was not closed is missing, not what is before it."""
    rng = random.Random(1)
    spans = [F(rng.getrandbits(60), 0, at, at + 100) for at in range(2_000)]
    body = compress(otlp_lines(spans))

    found = parse("traces", body[: len(body) * 3 // 4])

    assert 900 < len(found.spans) < 1_600
    assert "body ends early" in found.refused[-1]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("fill", [b" ", b"\n", b"[", b'{"a":1},'])
def test_bomb_is_refused(compress: Any, fill: bytes) -> None:  # noqa: ANN401 - one of the two
    """Half a megabyte that stands for a gigabyte is no trace file, and is not held."""
    body = compress(b"[" + fill * (2**27 // len(fill)))

    reason = "first 10000 parts" if fill[:1] == b"{" else "traces do not become 250 times smaller"
    with pytest.raises(DecodeError, match=reason):
        parse("traces", body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b" \n" * 9, "no spans in it"),
        (b"\xef\xbb\xbf", "no spans in it"),
        (b"\0" * 40, "a request of 0 bytes at byte 0 cannot be one"),
        (b'{"resourceSpans": {}}', "resourceSpans is '{}', not a list"),
        (b'{"data": {}}', "none of the formats"),
        (b'{"data": [[1]]}', "data[0] is"),
    ],
)
def test_file_without_anything_to_use_is_refused(body: bytes, reason: str) -> None:
    """Exit 0 and no spans would be read as a quiet day."""
    with pytest.raises(DecodeError) as caught:
        parse("traces", body)

    assert reason in str(caught.value)


def test_what_follows_a_compressed_stream_costs_itself() -> None:
    """A copy that went on too long has bytes behind its end."""
    found = parse("traces", gzip.compress(otlp_json(SPANS)) + b"garbage")

    assert len(found.spans) == 3
    assert "the body is not gzip" in found.refused[0]


def test_long_value_that_is_not_json_takes_no_memory() -> None:
    """Where it ends is looked for without going back over each of its characters."""
    body = otlp_json(SPANS).replace(b'"work"', b'"' + b"x" * 2**22 + b'" oops', 1)

    tracemalloc.start()
    found = parse("traces", body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(found.spans) == 2
    assert most < 2**26


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("indent", [None, 1])
def test_size_of_the_pieces_makes_no_difference(name: str, indent: int | None) -> None:
    """A pipe hands out what it has, and a character may be cut in two."""
    body = WRITERS[name]([replace(each, name="größe") for each in SPANS])
    if indent and name in ("otlp_json", "jaeger_json", "zipkin_json"):
        body = json.dumps(json.loads(body), indent=indent, ensure_ascii=False).encode()

    whole = parse("traces", body)
    assert [span.name for span in whole.spans] == ["größe"] * 3
    for size in (1, 7, 100):
        assert parse("traces", body, size) == whole


@pytest.mark.parametrize("name", ["otlp_json", "jaeger_json", "zipkin_json"])
@pytest.mark.parametrize("is_last", [False, True], ids=["before", "behind"])
def test_document_larger_than_the_window(name: str, is_last: bool) -> None:
    """It is walked through, and what sends the spans may stand behind them."""
    spans = [F(at, at // 2, at, 9_000 - at, service=f"s{at % 3}", host=f"h{at % 2}",
               attributes={"note": "x" * 400}) for at in range(1, 4_000)]  # fmt: skip
    document = json.loads(WRITERS[name](spans))
    if name == "otlp_json":
        groups: dict[str, Any] = {}
        for each in document["resourceSpans"]:
            key = json.dumps(each["resource"])
            groups.setdefault(key, {"resource": each["resource"], "scopeSpans": [{"spans": []}]})
            groups[key]["scopeSpans"][0]["spans"] += each["scopeSpans"][0]["spans"]
        places = [dict(sorted(each.items(), reverse=is_last)) for each in groups.values()]
        document = {"resourceSpans": places}
    if name == "jaeger_json":
        document["data"] = [dict(sorted(document["data"][0].items(), reverse=not is_last))]
    assert split_file(json.dumps(document).encode()) == split_file(otlp_lines(spans))


def tree(rng: random.Random) -> list[F]:
    """Return a trace in which ids come twice with different content, roots as well."""
    count, length = rng.randint(1, 9), rng.choice([1, 8, 40])
    spans = []
    for number in [*range(1, count + 1), *rng.choices(range(1, count + 1), k=rng.randint(1, 4))]:
        start = rng.randint(0, length)
        spans.append(
            F(
                number,
                rng.choice([0, 77, *range(1, count + 1)]) if number > 1 else 0,
                start,
                start + rng.randint(0, length),
                rng.choice(["Internal", "Server", "Client", "Producer", "Consumer", "Unspecified"]),
                rng.choice(["shop", "cart"]),
                rng.choice(["work", "rest"]),
                rng.choice(["", "a", "b"]),
                attributes=rng.choice([{}, {}, {"latency.class": "store"}, {"decision.id": "d"},
                                       {"decision.stage": "egress"}, {"db.system": "x"}]),
            )
        )  # fmt: skip
    return spans


@settings(max_examples=examples(60), deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([otlp_json, jaeger_json, zipkin_json]))
def test_ids_that_come_twice_give_one_answer_in_every_order(rng: random.Random, write: Any) -> None:  # noqa: ANN401 - one of the writers
    """Two programs that read one trace have to agree, whatever wrote its spans in which order."""
    spans = tree(rng)
    answers = [split_file(write(rng.sample(spans, len(spans)))) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]

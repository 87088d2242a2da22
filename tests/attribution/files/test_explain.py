from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from attribution.files.explain import DecisionShare
from attribution.path.oracle import PlainSpan, plain_path
from dashboard.settings.settings import Settings
from tests.support.attribution.detect import answer, split, split_file
from tests.support.attribution.trace_files import (
    BASE_US,
    TRACE,
    WRITERS,
    F,
    hex_id,
    jaeger_json,
    otlp_json,
    otlp_protobuf,
)

OTHER = "1bf7651916cd43dd8448eb211c80319c"
SKEW_MAX_NS = 10_000_000_000


def at(*sections: tuple[int, int]) -> list[list[int]]:
    """Return sections in Unix ns of these in microseconds from BASE_US."""
    return [[(BASE_US + from_) * 1000, (BASE_US + to) * 1000] for from_, to in sections]


def sections(share: DecisionShare) -> dict[str, list[list[int]]]:
    """Return the sections of each span on the path, by the last digits of its id."""
    return {s["span_id"].lstrip("0"): s["sections"] for s in share["spans"] if s["on_path"]}


def settings(**sections_: Any) -> Settings:  # noqa: ANN401 - what a TOML file may hold
    """Return settings as a file would give them."""
    return Settings.model_validate(sections_)


def assert_adds_up(share: DecisionShare) -> None:
    """Assert all that holds of every decision."""
    assert sum(share["classes"].values()) == share["total_ns"] == sum(share["stages"].values())
    covered = sorted(pair for span in share["spans"] for pair in span["sections"])
    assert all(left[1] <= right[0] for left, right in pairwise(covered))
    for span in share["spans"]:
        assert span["self_ns"] == sum(to - from_ for from_, to in span["sections"])
        assert span["on_path"] or not span["sections"]
    uncovered = share["total_ns"] - sum(span["self_ns"] for span in share["spans"])
    assert uncovered == share["classes"]["untraced"]


def test_parentless_span_is_a_decision_where_nothing_else_is() -> None:
    """Public traces carry none of our attributes."""
    shares = split([F(1), F(2, 1, 10, 20), F(3, 0, 30, 40), F(4, 9, 32, 35), F(1, trace=OTHER)])

    assert [share["decision_id"] for share in shares] == [
        f"{TRACE}:{hex_id(1)}", OTHER, f"{TRACE}:{hex_id(3)}",
    ]  # fmt: skip
    assert [len(share["spans"]) for share in shares] == [2, 1, 2]
    assert shares[2]["flags"] == ["orphan"]


def test_parentless_spans_of_one_trace_are_told_apart_whatever_id_they_carry() -> None:
    """Where no rule says what a decision is, both may carry the id of the one they are parts of."""
    named = {"decision.id": "d-1"}
    spans = [F(1, attributes=named), F(2, 0, 30, 40, attributes=named)]

    assert [share["decision_id"] for share in split(spans)] == [
        f"{TRACE}:{hex_id(1)}", f"{TRACE}:{hex_id(2)}",
    ]  # fmt: skip
    assert [share["decision_id"] for share in split(spans[:1])] == ["d-1"]


def test_orphan_is_a_decision_only_without_a_parentless_span() -> None:
    """A trace whose top was lost is still a trace."""
    assert [share["decision_id"] for share in split([F(2, 9), F(3, 2)])] == [TRACE]
    assert [share["decision_id"] for share in split([F(2, 9), F(3, 8, 1)])] == [
        f"{TRACE}:{hex_id(2)}", f"{TRACE}:{hex_id(3)}",
    ]  # fmt: skip


def test_cycle_is_cut_at_its_earliest_span() -> None:
    """A trace of nothing but a cycle has no span without a parent, and must still end."""
    [share] = split([F(1, 3, 0, 100), F(2, 1, 10, 60), F(3, 2, 20, 50), F(4, 3, 30, 40)])

    assert share["flags"] == ["cycle"]
    assert sections(share) == {
        "1": at((0, 10), (60, 100)), "2": at((10, 20), (50, 60)), "3": at((20, 30), (40, 50)),
        "4": at((30, 40)),
    }  # fmt: skip
    assert [each["decision_id"] for each in split([F(7, 7)])] == [TRACE]


def test_root_by_attribute_leaves_other_traces_alone() -> None:
    """Where a file says which spans are decisions, the rest are traces and no more."""
    root = F(2, 1, 10, 60, attributes={"decision.action": "offer", "decision.id": "d-1"})

    [share] = split([F(1), root, F(3, 2, 20, 30), F(1, trace=OTHER)])

    assert share["decision_id"] == "d-1"
    assert share["trace_ids"] == [TRACE]
    assert sections(share) == {"2": at((10, 20), (30, 60)), "3": at((20, 30))}


def test_decision_without_an_id_has_that_of_its_trace() -> None:
    """As in the store, by which both are joined; two such in one trace are told apart."""
    root = F(1, attributes={"decision.action": "offer"})
    named = {"decision.action": "price", "decision.id": "d-2"}
    inner = [F(2, 1, 10, 40, attributes=named), F(3, 1, 50, 60, attributes=named)]
    other = F(4, 1, 70, 80, attributes={"decision.action": "stock"})

    assert [share["decision_id"] for share in split([root, *inner])] == [TRACE, "d-2", "d-2"]
    assert [share["decision_id"] for share in split([root, inner[0], other])] == [
        f"{TRACE}:{hex_id(1)}", "d-2", f"{TRACE}:{hex_id(4)}",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["jaeger_json", "zipkin_json"])
def test_id_without_its_leading_zeros_is_the_same(name: str) -> None:
    """Both formats leave them out, and a writer may do so of a span and not where it is named."""
    whole = short = WRITERS[name]([F(1), F(2, 1, 10, 40), F(3, 2, 20, 30)])
    for key in (b'"spanID": "', b'"id": "'):
        short = short.replace(key + hex_id(2).encode(), key + b"2", 1)
    assert short != whole
    assert split_file(short) == split_file(whole)


def test_rules_names_and_classes_of_the_settings_apply() -> None:
    """The file is split as the service would split it."""
    spans = [
        F(1, name="POST /checkout", kind="Server"),
        F(2, 1, 10, 40, service="prices", attributes={"team.step": "egress"}),
        F(3, 1, 50, 60, attributes={"shop.op": "price"}),
    ]
    by_rule = settings(
        decisions={"match": [{"span_name": "POST /checkout", "kind": "server", "service": "shop"}]},
        attributes={"map": {"decision.stage": "team.step"}},
        attribution={"rules": [{"service": "^prices$", "latency_class": "network"}]},
    )
    by_name = settings(attributes={"map": {"decision.action": "shop.op"}})

    [share] = split(spans, by_rule)
    assert share["classes"] == {"network": 30_000, "compute": 70_000, "store": 0, "untraced": 0}
    assert share["stages"] == {"ingress": 0, "transform": 0, "decision": 70_000, "egress": 30_000}
    assert [list(sections(each)) for each in split(spans, by_name)] == [["3"]]


def test_stamps_cut_stages_and_time_before_the_root_is_untraced() -> None:
    """Latency begins where the request came in, though no span was there yet."""
    stamps = {
        f"decision.ts.{stage}": str((BASE_US + us) * 1000)
        for stage, us in (("ingress", -20), ("transform", 10), ("decision", 30), ("egress", 90))
    }

    [share] = split([F(1, attributes={"decision.action": "offer", **stamps}), F(2, 1, 20, 40)])

    assert share["total_ns"] == 120_000
    assert share["classes"] == {"network": 0, "compute": 100_000, "store": 0, "untraced": 20_000}
    assert share["stages"] == {
        "ingress": 30_000, "transform": 20_000, "decision": 60_000, "egress": 10_000,
    }  # fmt: skip
    assert_adds_up(share)


def test_decision_of_two_traces_names_both() -> None:
    """A consumer in a trace of its own belongs by the id that it carries."""
    root = F(1, attributes={"decision.action": "offer", "decision.id": "d-1"})
    other = F(2, 0, 10, 30, trace=OTHER, attributes={"decision.id": "d-1"})

    [share] = split([other, root])

    assert share["trace_ids"] == [TRACE, OTHER]
    assert sections(share) == {"1": at((0, 10), (30, 100)), "2": at((10, 30))}


def test_children_that_touch_and_instants_are_on_the_path() -> None:
    """`<=`, not `<`: the earlier of two that touch was waited for as well."""
    [share] = split([F(1), F(2, 1, 10, 40), F(3, 1, 40, 70), F(4, 1, 80, 80)])

    assert sections(share) == {
        "1": at((0, 10), (70, 80), (80, 100)), "2": at((10, 40)), "3": at((40, 70)), "4": [],
    }  # fmt: skip


def test_ties_go_to_the_latest_start_then_the_smallest_id() -> None:
    """Two programs that read one file have to name the same spans."""
    [share] = split([F(1), F(4, 1, 10, 40), F(3, 1, 20, 40), F(2, 1, 20, 40)])

    assert sections(share) == {"1": at((0, 20), (40, 100)), "2": at((20, 40))}


def test_span_of_a_machine_with_a_skewed_clock_is_shifted() -> None:
    """Sections are given after the shift, and the shift beside them."""
    [share] = split([F(1, host="a"), F(2, 1, -30, 20, "Server", "stock", host="b")])

    assert share["flags"] == ["shifted"]
    assert [span["shift_ns"] for span in share["spans"]] == [55_000, 0]
    assert sections(share) == {"1": at((0, 25), (75, 100)), "2": at((25, 75))}


def test_nothing_is_shifted_where_no_machine_is_named() -> None:
    """Work that outlives its parent looks as skew does; without machines there is no telling."""
    [share] = split([F(1), F(2, 1, 50, 120, "Server", "stock")])

    assert share["flags"] == []
    assert sections(share) == {"1": at((0, 50)), "2": at((50, 100))}


def test_call_without_a_kind_is_told_by_its_place() -> None:
    """Old exporters leave the kind out, and the wire would be counted as compute."""
    spans = [
        F(1, kind="Unspecified"),
        F(2, 1, 10, 60, "Unspecified"),
        F(3, 2, 20, 50, "Unspecified", "stock"),
        F(4, 3, 30, 40, "Unspecified", "stock"),
        F(5, 3, 40, 50, "Internal", "stock"),
    ]

    assert split(spans)[0]["classes"]["network"] == 20_000
    assert split_file(otlp_protobuf(spans))[0]["classes"]["network"] == 20_000
    coarse = [F(1, kind="Unspecified"), F(3, 1, 20, 50, "Unspecified", "stock")]
    assert split(coarse)[0]["classes"]["compute"] == 100_000


def test_consumer_below_a_producer_is_not_waited_for_unless_it_says_so() -> None:
    """Messages are async by nature, and an explicit word wins over inference."""
    waits = {"latency.blocking": "true"}
    spans = [F(1, kind="Producer"), F(2, 1, 10, 40, "Consumer")]

    assert list(sections(split(spans)[0])) == ["1"]
    assert split(spans)[0]["flags"] == ["async"]
    [share] = split([spans[0], F(2, 1, 10, 40, "Consumer", attributes=waits)])
    assert list(sections(share)) == ["1", "2"]


@pytest.mark.parametrize(
    ("us", "why"),
    [
        ((10, 60, 40, 90), f"decision.ts.decision {(BASE_US + 40) * 1000} is before "
         f"decision.ts.transform {(BASE_US + 60) * 1000}; stamp ingress, transform, decision, "
         "egress in this order"),
        ((-33 * 86_400_000_000, 10, 30, 90), " is far from its span; stamp in Unix nanoseconds"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("write", WRITERS.values())
def test_stamps_that_the_collector_refuses_are_of_no_decision(
    write: Callable[..., bytes], us: tuple[int, ...], why: str
) -> None:
    """The file was split as the service never splits it, and nothing said so."""
    stamps = {
        f"decision.ts.{stage}": str((BASE_US + at) * 1000)
        for stage, at in zip(("ingress", "transform", "decision", "egress"), us, strict=True)
    }
    offer = {"decision.action": "offer"}

    shares, refused = answer(write([F(1, attributes={**offer, **stamps}), F(2, 1, 20, 40)]))

    assert (shares, refused.count) == ([], 1)
    assert why in refused.lines[0]


def test_span_id_that_comes_twice() -> None:
    """A retry counts once; of two contents the longer counts, and the flag says so."""
    spans = [F(1), F(2, 1, 10, 40)]

    assert split([*spans, *spans]) == split(spans)
    [share] = split([F(1), F(2, 1, 10, 20), F(2, 1, 10, 40)])
    assert sections(share) == sections(split(spans)[0])
    assert share["flags"] == ["duplicate_span"]


def test_root_that_cannot_be_a_decision_is_named() -> None:
    """Its clock or its unit is wrong, and no span of it would add up."""
    action = {"decision.action": "offer"}
    late = F(1, attributes={**action, "decision.ts.ingress": "4" + "0" * 18})
    future = F(2, attributes={**action, "decision.schema": "7"})

    shares, refused = answer(otlp_json([late, future, F(3, attributes=action)]))

    assert "lies after its end" in refused.lines[0]
    assert "schema is '7'" in refused.lines[1]
    [share] = shares
    assert (share["flags"], share["refused_spans"]) == (["orphan", "refused_spans"], 2)


def test_ids_need_not_be_hex() -> None:
    """Traces written by hand name their spans as they like."""
    body = (
        jaeger_json([F(1), F(2, 1, 10, 40)])
        .replace(hex_id(1).encode(), b"span-A")
        .replace(hex_id(2).encode(), b"span-B")
    )

    assert sections(split_file(body)[0]) == {
        "span-A": at((0, 10), (40, 100)),
        "span-B": at((10, 40)),
    }


def test_decision_longer_than_32_bits_of_nanoseconds() -> None:
    """4.29 s is where half the trace viewers wrap around."""
    hour_us = 3_600_000_000

    [share] = split_file(otlp_protobuf([F(1, end=hour_us), F(2, 1, 10, hour_us - 10)]))

    assert share["total_ns"] == hour_us * 1000
    assert sections(share) == {
        "1": at((0, 10), (hour_us - 10, hour_us)),
        "2": at((10, hour_us - 10)),
    }


@pytest.mark.parametrize("shape", ["chain", "fan"])
def test_trace_of_ten_thousand_spans(shape: str) -> None:
    """Deep or wide, one decision of this size must neither recurse nor take minutes."""
    count = 10_000
    spans = [F(1, end=3 * count)]
    for number in range(2, count + 1):
        if shape == "chain":
            spans.append(F(number, number - 1, number, 3 * count - number))
        else:
            spans.append(F(number, 1, 2 * number, 2 * number + 1))

    [share] = split_file(otlp_protobuf(spans))

    assert_adds_up(share)
    assert sum(span["on_path"] for span in share["spans"]) == count
    assert share["total_ns"] == 3 * count * 1000


def random_trace(rng: random.Random) -> list[F]:
    """One trace with overlaps, orphans, skew, async spans, ties and instants; 1 is its root."""
    count, length = rng.randint(1, 14), rng.choice([1, 8, 40, 200])
    spans = [F(1, 0, 0, length, rng.choice(["Server", "Producer"]), host=rng.choice(["a", "b"]))]
    for number in range(2, count + 1):
        start = rng.randint(-4, length + 4)
        spans.append(
            F(
                number,
                rng.choice([*range(1, count + 1), 77]),
                start,
                start + rng.choice([0, 1, 2, rng.randint(0, length + 6)]),
                rng.choice(["Internal", "Server", "Client", "Producer", "Consumer"]),
                rng.choice(["shop", "cart"]),
                host=rng.choice(["", "a", "b"]),
                attributes=rng.choice(
                    [{}, {}, {"latency.blocking": rng.choice(["true", "false"])}]
                ),
            )
        )
    return spans


def plain(span: F) -> PlainSpan:
    """Return the span as the oracle takes it."""
    says = span.attributes.get("latency.blocking")
    return PlainSpan(
        span.span_id,
        span.parent,
        (BASE_US + span.start) * 1000,
        (BASE_US + span.end) * 1000,
        span.kind,
        span.host,
        span.service,
        None if says is None else says == "true",
    )


@pytest.mark.parametrize("seed", range(60))
def test_file_agrees_with_the_oracle_and_with_itself_shuffled(seed: int) -> None:
    """Parts sum exactly, plain Python finds the same path, and no order of spans changes it."""
    rng = random.Random(seed)
    spans = random_trace(rng)
    shares = split(spans)
    for share in shares:
        assert_adds_up(share)
    shuffled = rng.sample(spans, len(spans))
    assert split(shuffled) == shares
    assert split_file(jaeger_json(shuffled)) == shares

    [share] = shares
    path = plain_path([plain(span) for span in spans], 1, BASE_US * 1000, SKEW_MAX_NS)
    expected = {
        hex_id(number): [list(pair) for pair in found] for number, found in path.sections.items()
    }
    assert {s["span_id"]: s["sections"] for s in share["spans"] if s["on_path"]} == expected

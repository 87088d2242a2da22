"""What is read of skeletons is what `otel_traces` says, down to spans that came twice."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import attribution.read.reader as reader_module
from attribution.core.config import AttributionConfig
from attribution.path.columns import Table, traces_with_repeats
from attribution.path.rows import attribute, attribution_rows
from attribution.read.reader import Reader
from attribution.read.window import ReceivedWindow
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, declared_only
from tests.support.attribution.rows_read import rows_read
from tests.support.attribution.stored import Stored, decision, put_spans, trace_id
from tests.support.examples import examples

_WHOLE = sql("whole_spans", reader_module.__file__)
_NAMES = {
    "class_name": "latency.class", "stage_name": "decision.stage",
    "blocking_name": "latency.blocking", "id_name": "decision.id",
}  # fmt: skip
_ATTRIBUTES: tuple[dict[str, str], ...] = (
    {}, {"db.system": "mysql"}, {"latency.class": "store"}, {"decision.stage": "egress"},
    {"latency.blocking": "false"}, {"messaging.operation": "receive"}, {"rpc.service": "S3"},
    {"latency.class": "", "decision.stage": "none"}, {"decision.id": trace_id("t1")},
)  # fmt: skip
_RESOURCES: tuple[dict[str, str], ...] = (
    {}, {"host.name": "a"}, {"host.id": "b", "host.name": "a", "clock.error_ns": "2000"},
    {"host.ip": '["10.0.0.1","127.0.0.1"]'}, {"service.instance.id": "i", "clock.error_ns": "x"},
)  # fmt: skip


def spans_of(draw: random.Random) -> list[Stored]:
    """Return decisions with spans of any kind, some retried, some under an id that is taken."""
    storeds: list[Stored] = []
    for number in range(6):
        trace = f"t{number}"
        storeds += decision(trace, draw.randrange(50), 80 + draw.randrange(40))
        names = ["root", "get", "post"]
        for at_span in range(draw.randrange(6)):
            one = Stored(
                f"s{at_span}", draw.choice([*names, "gone", ""]), draw.randrange(100),
                draw.randrange(60), draw.choice(["Internal", "Client", "Server", "Consumer"]),
                trace, draw.choice(["shop", "edge"]), draw.choice(["work", "wait"]),
                draw.choice(_ATTRIBUTES), draw.choice(_RESOURCES),
                received_s=1 + draw.randrange(40),
                links=((f"t{draw.randrange(6)}", "root"),) if draw.random() < 0.2 else (),
            )  # fmt: skip
            names.append(one.span_id)
            storeds.append(one)
    for each in draw.sample(storeds, draw.randrange(4)):
        again = {"received_s": each.received_s + draw.randrange(60)}
        if draw.random() < 0.5:
            again["duration_ms"] = each.duration_ms + draw.randrange(5)
        fields = {name: getattr(each, name) for name in Stored.__slots__}
        storeds.append(Stored(**{**fields, **again}))
    draw.shuffle(storeds)
    return storeds


def in_order(spans: Table) -> list[dict[str, object]]:
    """Return rows in an order of their own."""
    return sorted(spans.to_pylist(), key=repr)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(4)))
def test_skeletons_are_what_the_spans_say(store: Connections, seed: int) -> None:
    """Column by column, and by what comes out: late, retried and clashing spans are in it."""
    declared_only(store)
    draw = random.Random(seed)
    spans = spans_of(draw)
    cut = draw.randrange(len(spans))
    for part in (spans[:cut], spans[cut:]):
        if part:
            put_spans(store, part)
    reader = Reader(store, AttributesConfig())
    traces = [trace_id(f"t{number}") for number in range(6)]
    parameters = {"trace_ids": traces, "from_ns": at(-10), "to_ns": at(10)}

    read = reader.spans(traces, at(-10), at(10))
    whole = (
        store.client().query_arrow(_WHOLE, parameters={**parameters, **_NAMES}).cast(read.schema)
    )

    again = set(traces_with_repeats(whole).to_pylist())
    is_once = pc.invert(pc.is_in(read["trace_id"], pa.array(sorted(again), pa.string())))
    assert not any(read.filter(is_once)["content"].to_pylist())
    columns = [name for name in read.column_names if name != "content"]
    assert in_order(read.select(columns)) == in_order(whole.select(columns))
    decisions = reader.decisions(traces, at(-10), at(10), ReceivedWindow.empty(at(1_000)))
    ours, theirs = (
        attribution_rows(attribute(decisions, each, AttributionConfig())) for each in (read, whole)
    )
    assert ours.equals(theirs)
    assert len(ours) == 6


def test_trace_has_a_repeat_where_one_id_is_there_twice_in_it(store: Connections) -> None:
    """The same id in another trace is no repeat."""
    put_spans(store, [*decision("a"), *decision("b"), Stored("get", "root", trace="b")])
    reader = Reader(store, AttributesConfig())
    spans = reader.spans([trace_id("a"), trace_id("b")], at(-10), at(10))

    assert traces_with_repeats(spans).to_pylist() == [trace_id("b")]
    assert sum(each != 0 for each in spans["content"].to_pylist()) == 4


_DAY_OF_DECISIONS = """
INSERT INTO decisions
    (ingress_ns, decision_id, trace_id, root_span_id, start_ns, end_ns, action, received_ns)
SELECT {first_ns:Int64} + number * 200000000 AS ingress_ns, lower(hex(sipHash128(number))) AS id,
    id, lower(hex(sipHash64(number))), ingress_ns, ingress_ns + 60000000, 'offer', ingress_ns
FROM numbers({rows:UInt64})
"""


def test_what_some_seconds_ask_for_is_read_from_them_however_full_the_day_is(
    store: Connections,
) -> None:
    """Filters say nothing of thousands of ids: all decisions of two days were read each time."""
    count, some = 400_000, 5_000
    first_ns = at(0) - count * NS_PER_S // 5
    store.client().command(_DAY_OF_DECISIONS, parameters={"first_ns": first_ns, "rows": count})
    last = store.client().query(
        "SELECT trace_id, ingress_ns FROM decisions ORDER BY ingress_ns DESC LIMIT {some:UInt64}",
        parameters={"some": some},
    )
    ids, began_ns = map(list, zip(*last.result_rows, strict=True))
    reader = Reader(store, AttributesConfig())
    from_ns, to_ns = min(began_ns), max(began_ns)
    received = ReceivedWindow.empty(at(0))

    found, read = rows_read(store, lambda: reader.decisions(ids, from_ns, to_ns, received))
    assert sorted(found["trace_id"].to_pylist()) == sorted(ids)
    assert read < count / 4
    seconds, read = rows_read(store, lambda: reader.outcome_seconds(ids, (), from_ns))
    assert seconds == {each - each % NS_PER_S for each in began_ns}
    assert read < count / 4


def test_an_id_is_looked_for_before_the_last_minutes_where_it_is_not_in_them(
    store: Connections,
) -> None:
    """By a key a decision of any time may be meant, as an outcome of a day later says."""
    put_spans(store, [
        *decision("old", 0, decision__id="mine", outcome__key="order"),
        *decision("new", 90_000, received_s=91, decision__id="mine"),
        *decision("lone", 1_000, decision__id="alone"),
    ])  # fmt: skip
    reader = Reader(store, AttributesConfig())

    assert reader.outcome_seconds(["mine"], (), at(60)) == {at(90)}
    assert reader.outcome_seconds(["mine", "alone", "none"], (), at(60)) == {at(90), at(1)}
    assert reader.outcome_seconds(["mine"], ["order"], at(60)) == {at(90), at(0)}
    assert reader.outcome_seconds([], [], at(60)) == set()


def test_decisions_of_traces_that_are_linked_or_named_are_found_a_day_away(
    store: Connections,
) -> None:
    """And each once, by whatever it is asked for."""
    put_spans(store, [
        *decision("a", 0), *decision("b", 80_000_000, received_s=80_001),
        *decision("c", 70_000_000, received_s=70_001, decision__id="named"),
    ])  # fmt: skip
    reader = Reader(store, AttributesConfig())

    def asked(**far: list[Any]) -> list[str]:
        received = ReceivedWindow.empty(at(90_000))
        found = reader.decisions([trace_id("a")], at(0), at(1), received, **far)
        return sorted(found["trace_id"].to_pylist())

    assert asked() == [trace_id("a")]
    assert asked(far_traces=[trace_id("b")]) == sorted(map(trace_id, "ab"))
    assert asked(decision_ids=["named", trace_id("a")]) == sorted(map(trace_id, "ac"))

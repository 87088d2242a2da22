"""What is read of skeletons is what `otel_traces` says, down to spans that came twice."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import attribution.read.reader as reader_module
from attribution.core.config import AttributionConfig
from attribution.path.columns import Table, traces_with_repeats
from attribution.path.rows import attribute, attribution_rows
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, declared_only
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
    found: list[Stored] = []
    for number in range(6):
        trace = f"t{number}"
        found += decision(trace, draw.randrange(50), 80 + draw.randrange(40))
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
            found.append(one)
    for each in draw.sample(found, draw.randrange(4)):
        again = {"received_s": each.received_s + draw.randrange(60)}
        if draw.random() < 0.5:
            again["duration_ms"] = each.duration_ms + draw.randrange(5)
        fields = {name: getattr(each, name) for name in Stored.__slots__}
        found.append(Stored(**{**fields, **again}))
    draw.shuffle(found)
    return found


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
    asked = {"trace_ids": traces, "from_ns": at(-10), "to_ns": at(10)}

    read = reader.spans(traces, at(-10), at(10))
    whole = store.client().query_arrow(_WHOLE, parameters={**asked, **_NAMES}).cast(read.schema)

    again = set(traces_with_repeats(whole).to_pylist())
    is_once = pc.invert(pc.is_in(read["trace_id"], pa.array(sorted(again), pa.string())))
    assert not any(read.filter(is_once)["content"].to_pylist())
    columns = [name for name in read.column_names if name != "content"]
    assert in_order(read.select(columns)) == in_order(whole.select(columns))
    decisions = reader.decisions(traces, [], (at(-10), at(10)), at(1_000))
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

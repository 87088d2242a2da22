"""All that is known of one span."""

from __future__ import annotations

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.decision.chosen_span import ChosenSpan, SpanLog, Verdict, read_span
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference

SPAN, TRACE = f"{10:015x}3", f"{10:032x}"


def chosen(store: Connections, span_id: str = SPAN) -> ChosenSpan:
    """Return one span of decision d-10."""
    reader = Reader(store)
    facts = reader.decision("d-10")
    assert facts is not None
    listing = DecisionList(reader, AttributionConfig(), Reference(80_000_000, {}))
    return read_span(reader, listing, facts, TRACE, span_id)


def test_logs_of_the_span_and_of_no_other(own_world: Connections) -> None:
    """A record names its span; one of the same trace is another's."""
    found = chosen(own_world)
    assert found.sent is not None
    at_ns = found.sent.start_ns + 1_000
    names = ["Timestamp", "TraceId", "SpanId", "SeverityText", "Body", "LogAttributes"]
    records = [
        [at_ns, TRACE, SPAN, "WARN", "slow shard", {"shard": "7"}],
        [at_ns, TRACE, "f" * 16, "INFO", "of another", {}],
        [at_ns + 3_600 * NS_PER_S, TRACE, SPAN, "INFO", "an hour later", {}],
    ]
    own_world.client().insert("otel_logs", records, column_names=names)
    assert chosen(own_world).logs == [SpanLog(at_ns, "WARN", "slow shard", {"shard": "7"})]


def test_verdict_on_the_seal_of_its_decision(own_world: Connections) -> None:
    """What was said of the sealed event of its trace, also of a span below it."""
    found = chosen(own_world)
    assert found.sent is not None
    row = ["pricing", "e1", 4, "", "tampered", 1, "tag", "k1", TRACE, "", 0, found.sent.start_ns, 1]
    names = [
        "producer", "epoch", "seq", "item_id", "verdict", "count", "reason", "kid", "trace_id",
        "span_id", "ended_ns", "received_ns", "revision",
    ]  # fmt: skip
    own_world.client().insert("provenance_events", [row], column_names=names)
    assert chosen(own_world).verdicts == [Verdict("tampered", "tag", "k1", "pricing", "e1", 4, "")]


def test_money_is_that_of_the_whole_decision(own_world: Connections) -> None:
    """A span has no dollars of its own, and the page says so."""
    found = chosen(own_world)
    assert found.money is not None
    assert (found.money.decision_id, found.money.worst) == ("d-10", "decision/store")
    assert found.placed is not None
    assert found.placed.span_name == "ZRANGE offers"


def test_span_that_nobody_sent_is_nothing(own_world: Connections) -> None:
    """The route answers 404 then."""
    found = chosen(own_world, "f" * 16)
    assert (found.sent, found.placed, found.kin, found.logs) == (None, None, None, [])

"""I/O: all that is known of one span of a decision, for the panel beside the waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.core.times import NS_PER_MINUTE
from dashboard.read.decisions.listing import DecisionList, DecisionRow
from dashboard.read.packet_rows import SpanEvidence
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts, PathSpan, TraceSpan

LOGS_MAX: Final = 50
_VERDICTS_MAX: Final = 20
# Spans of its kind are looked for in the decisions of this long before and after.
_KIN_NS: Final = 5 * NS_PER_MINUTE
# A log record is written while its span runs, by a clock that may be a little off.
_LOG_ROOM_NS: Final = NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class SpanLog:
    """A log record that names the span."""

    at_ns: int
    severity: str
    body: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SpanKin:
    """Spans of the same service and name in the decisions of ten minutes, itself among them."""

    spans: int
    at_most: int  # that took no longer than it
    p50_ns: int
    p95_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one sealed event of the decision's trace."""

    verdict: str
    reason: str
    kid: str
    producer: str
    epoch: str
    seq: int
    span_id: str


@dataclass(frozen=True, slots=True)
class ChosenSpan:
    """One span; null is what is not stored or not known."""

    decision_id: str
    trace_id: str
    span_id: str
    sent: TraceSpan | None  # as sent, with its attributes, events and links
    placed: PathSpan | None  # as assembled
    evidence: list[SpanEvidence]
    logs: list[SpanLog]  # the first LOGS_MAX
    kin: SpanKin | None
    verdicts: list[Verdict]
    money: DecisionRow | None  # of the whole decision: a span has no dollars of its own


def read_span(
    reader: Reader, listing: DecisionList, facts: DecisionFacts, trace_id: str, span_id: str
) -> ChosenSpan:
    """Read one span of a decision; `trace_id` is where it was sent."""
    sent = next(iter(reader.trace_spans(trace_id, span_id)), None)
    placed = next(iter(reader.path_spans(facts, span_id)), None)
    evidence = [each for each in reader.path_evidence(facts) if each.span_id == span_id]
    return ChosenSpan(
        decision_id=facts.decision_id,
        trace_id=trace_id,
        span_id=span_id,
        sent=sent,
        placed=placed,
        evidence=evidence,
        logs=[] if sent is None else _logs(reader, trace_id, sent),
        kin=None if placed is None else _kin(reader, facts, placed),
        verdicts=_verdicts(reader, facts),
        money=listing.row_of(facts.decision_id, facts.ingress_ns),
    )


def _logs(reader: Reader, trace_id: str, span: TraceSpan) -> list[SpanLog]:
    parameters = {
        "trace_id": trace_id,
        "span_id": span.span_id,
        "from_ns": max(0, span.start_ns - _LOG_ROOM_NS),
        "to_ns": span.start_ns + span.duration_ns + _LOG_ROOM_NS,
        "rows_max": LOGS_MAX,
    }
    return [SpanLog(**row) for row in reader.ask("logs", __file__, parameters)]


def _kin(reader: Reader, facts: DecisionFacts, span: PathSpan) -> SpanKin | None:
    parameters = {
        "service_name": span.service_name,
        "span_name": span.span_name,
        "duration_ns": span.duration_ns,
        "from_ns": max(0, facts.ingress_ns - _KIN_NS),
        "to_ns": facts.ingress_ns + _KIN_NS,
    }
    [row] = reader.ask("kin", __file__, parameters)
    if not row["spans"]:
        return None
    return SpanKin(row["spans"], row["at_most"], round(row["p50_ns"]), round(row["p95_ns"]))


def _verdicts(reader: Reader, facts: DecisionFacts) -> list[Verdict]:
    parameters = {
        "trace_id": facts.trace_id,
        "from_ns": max(0, facts.ingress_ns - _KIN_NS),
        "rows_max": _VERDICTS_MAX,
    }
    return [Verdict(**row) for row in reader.ask("verdict", __file__, parameters)]

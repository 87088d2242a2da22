"""I/O: all that is known of one decision, for its page, `/api/v1/decisions/ID` and `trace`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from attribution.path.missing_spans import MissingSpan
from dashboard.read.decision.missing_spans import read_missing
from dashboard.read.packet_rows import Burst, SpanEvidence, SpanFlow
from dashboard.read.reader import Reader
from dashboard.read.rows import Attribution, DecisionFacts, Outcome, PathSpan, Revision, SentSpan
from dashboard.read.workers import SharedReads

_SHARED_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision with its split, its spans, what it earned, and its packets' exchanges."""

    facts: DecisionFacts
    trace_ids: list[str]  # that of the root first
    attribution: Attribution | None
    classes: dict[str, int]  # ns, which sum to the total; empty before it is attributed
    stages: dict[str, int]  # likewise
    spans: list[PathSpan]
    outcomes: list[Outcome]
    flows: list[SpanFlow]
    evidence: list[SpanEvidence]  # network and store time by what proves it
    missing: list[MissingSpan]  # what is not there of its trace, and why
    bursts: list[Burst]  # on the wire while it ran; none unless packet.link_mbit is set
    revisions: list[Revision]  # what late spans changed of its split, the latest last


def read_shared(
    reader: Reader,
    shared: SharedReads,
    decision_id: str,
    now_ns: int,
    keep_s: float = _SHARED_S,
) -> tuple[Decision, Sequence[SentSpan]] | None:
    """Return a decision and the spans of its root's trace, None where nothing has that id.

    Its page and its waterfall ask at the same time for the same; what is read ahead of both is to
    be kept for longer (`keep_s`).
    """
    made = partial(_read_whole, reader, decision_id, now_ns)
    return shared.read(("decision", decision_id), keep_s, made)


def _read_whole(
    reader: Reader, decision_id: str, now_ns: int
) -> tuple[Decision, Sequence[SentSpan]] | None:
    facts = reader.decision(decision_id)
    if facts is None:
        return None
    sent = reader.sent_spans(facts.trace_id)
    return read_decision(reader, facts, sent, now_ns), sent


def read_decision(
    reader: Reader, facts: DecisionFacts, sent: Sequence[SentSpan], now_ns: int
) -> Decision:
    """Read what there is beside the facts; `sent` are the spans of its root's trace."""
    split, spans = reader.attribution(facts), reader.path_spans(facts)
    return Decision(
        facts=facts,
        trace_ids=[facts.trace_id, *sorted({span.trace_id for span in spans} - {facts.trace_id})],
        attribution=split,
        classes=split.by_class() if split else {},
        stages=split.by_stage() if split else {},
        spans=spans,
        outcomes=reader.outcomes(facts),
        flows=reader.span_flows(facts),
        evidence=reader.path_evidence(facts),
        missing=read_missing(reader, facts, split, spans, sent, now_ns),
        bursts=reader.bursts(facts.ingress_ns, facts.end_ns),
        revisions=reader.revisions(facts, split),
    )

"""I/O: reads what is needed to say which spans of a decision are not there, and why."""

from __future__ import annotations

from collections.abc import Sequence

from attribution.path.missing_spans import (
    ANSWERS,
    AnswerRate,
    Assembled,
    GapEvidence,
    MissingSpan,
    Sent,
    missing_spans,
)
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE
from dashboard.read.reader import Reader
from dashboard.read.rows import Attribution, DecisionFacts, PathSpan, SentSpan

# Spans of a decision come within seconds; a sender that buffers for longer is late by any measure.
YOUNG_NS = NS_PER_MINUTE
_HABIT_NS = 10 * NS_PER_MINUTE
_REJECTED_NS = NS_PER_HOUR
_LINKED_TRACES_MAX = 10


def read_missing(
    reader: Reader,
    facts: DecisionFacts,
    split: Attribution | None,
    spans: Sequence[PathSpan],
    sent: Sequence[SentSpan],
    now_ns: int,
) -> list[MissingSpan]:
    """Return every gap of one decision; none while it is not attributed."""
    if split is None:
        return []
    calls = {
        (span.service_name, span.span_name)
        for span in spans
        if span.span_kind in ("Client", "Producer") and span.latency_class == "network"
    }
    traces = {facts.trace_id, *(span.trace_id for span in spans)}
    # What a message brought about is of a trace of its own, and links to who sent it.
    answers = {span.span_id for span in spans if span.span_kind in ANSWERS}
    others = [
        each
        for trace_id in sorted(traces - {facts.trace_id})[:_LINKED_TRACES_MAX]
        for each in reader.sent_spans(trace_id)
    ]
    around = (max(0, facts.ingress_ns - _HABIT_NS), facts.ingress_ns + _HABIT_NS)
    habits = reader.call_habits(sorted(calls), *around) if calls else {}
    known = GapEvidence(
        span_count=split.span_count,
        root_span_id=facts.root_span_id,
        is_root_missing="root_missing" in split.flags,
        is_young=now_ns - facts.end_ns < YOUNG_NS,
        habits={name: AnswerRate(*counts) for name, counts in habits.items()},
        rejected=reader.rejected_spans(
            sorted(traces), max(0, facts.ingress_ns - _REJECTED_NS), facts.end_ns + _REJECTED_NS
        ),
        linked={
            each for span in (*sent, *others) if span.span_id in answers for each in span.linked
        },
    )
    return missing_spans(
        [
            Assembled(
                each.span_id,
                each.parent_span_id,
                each.service_name,
                each.span_name,
                each.span_kind,
                each.duration_ns,
                each.clock_bound_ns,
                each.latency_class,
            )
            for each in spans
        ],
        [Sent(each.span_id, each.parent_span_id, each.trace_state) for each in sent],
        known,
    )

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
_LINKING_MAX = 1_000


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
        linked=_linked(reader, spans),
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


def _linked(reader: Reader, spans: Sequence[PathSpan]) -> set[str]:
    """Return the spans that the decision's answers link to.

    What a message brought about may be of a trace of its own, and says by a link who sent it. That
    trace may be large, as of a consumer of batches: of it these spans alone are read.
    """
    answers = [span for span in spans if span.span_kind in ANSWERS][:_LINKING_MAX]
    if not any(span.span_kind == "Producer" for span in spans) or not answers:
        return set()
    asked = {
        "trace_ids": sorted({span.trace_id for span in answers}),
        "span_ids": [span.span_id for span in answers],
    }
    return {str(row["span_id"]) for row in reader.ask("linked_calls", __file__, asked)}

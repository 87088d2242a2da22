"""Pure: what is not there of a decision's trace, and why, as far as that can be told.

A gap is a span that names a parent nobody sent, a call whose other side sent no span, a root that
did not come, or a span that a clock took out. Each is given the first reason that fits; where none
does, it says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# OpenTelemetry's consistent probability sampling: the rejection threshold; 0 keeps everything.
_THRESHOLD = re.compile(r"(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})")
_CALLS = ("Client", "Producer")
ANSWERS = ("Server", "Consumer")


class Reason(StrEnum):
    """Why a span is not there."""

    REJECTED = "lost at ingest"  # quarantined, with its reason
    CLOCK = "clock-excluded"
    LAPSED = "lapsed"  # spans are kept for fewer days than what was computed from them
    LATE = "late"  # may still come
    NEVER_SENT = "never sent"  # nothing of its kind ever was
    SAMPLED = "sampled"  # the trace says that spans of it are dropped at random
    LOST = "lost before ingest"  # others of its kind came


@dataclass(frozen=True, slots=True)
class Assembled:
    """One span of the tree, as stored."""

    span_id: str
    parent_span_id: str
    service_name: str
    span_name: str
    span_kind: str
    duration_ns: int
    clock_bound_ns: int | None
    latency_class: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One span as it was sent."""

    span_id: str
    parent_span_id: str
    trace_state: str


@dataclass(frozen=True, slots=True)
class AnswerRate:
    """How often calls of one service and name were answered by a span of the other side."""

    calls: int
    answered: int


@dataclass(frozen=True, slots=True)
class MissingSpan:
    """One gap."""

    span_id: str  # of what is not there, where that is known, else of the span that shows the gap
    what: str  # root, parent, answer or span
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class GapEvidence:
    """What is known beside the spans."""

    span_count: int  # spans that the decision was split from
    root_span_id: str
    is_root_missing: bool
    is_young: bool  # spans may still come
    habits: Mapping[tuple[str, str], AnswerRate]  # by service and span name
    rejected: Mapping[str, str]  # reason by span id
    linked: Collection[str] = ()  # ids of calls that a span of the other side links to


def missing_spans(
    spans: Sequence[Assembled], sent: Sequence[Sent], facts: GapEvidence
) -> list[MissingSpan]:
    """Return every gap of one decision, in the order of its spans.

    Args:
        spans: as assembled.
        sent: the spans of its traces as they were sent.
        facts: what is known beside them.
    """
    if facts.span_count and not spans:
        detail = f"it was split from {facts.span_count} spans, which are no longer kept"
        return [MissingSpan(facts.root_span_id, "spans", Reason.LAPSED, detail)]
    by_id = {each.span_id: each for each in sent}
    answered = {each.parent_span_id for each in spans if each.span_kind in ANSWERS}
    answered.update(facts.linked)
    gaps = []
    noted = set[str]()
    if facts.is_root_missing:
        noted.add(facts.root_span_id)
        gaps.append(_gap(facts.root_span_id, "root", "", facts))
    for span in spans:
        as_sent = by_id.get(span.span_id)
        state = as_sent.trace_state if as_sent else ""
        above = as_sent.parent_span_id if as_sent else ""
        is_orphan = bool(above) and above not in by_id and span.span_id != facts.root_span_id
        if is_orphan and above not in noted:
            noted.add(above)
            gaps.append(_gap(above, "parent", state, facts))
        if span.clock_bound_ns is not None and span.clock_bound_ns > span.duration_ns:
            detail = f"{span.duration_ns} ns long, its clock known to {span.clock_bound_ns} ns"
            gaps.append(MissingSpan(span.span_id, "span", Reason.CLOCK, detail))
        is_call = span.span_kind in _CALLS and span.latency_class == "network"
        if is_call and span.span_id not in answered:
            habit = facts.habits.get((span.service_name, span.span_name), AnswerRate(0, 0))
            gaps.append(_gap(span.span_id, "answer", state, facts, habit))
    return gaps


def _gap(
    span_id: str, what: str, trace_state: str, facts: GapEvidence, habit: AnswerRate | None = None
) -> MissingSpan:
    """Give one gap the first reason that fits."""
    if span_id in facts.rejected:
        return MissingSpan(span_id, what, Reason.REJECTED, facts.rejected[span_id])
    if habit is not None and habit.answered == 0:
        detail = f"of {habit.calls} such calls none was answered by a span: not instrumented"
        return MissingSpan(span_id, what, Reason.NEVER_SENT, detail)
    if share := kept_share(trace_state):
        return MissingSpan(span_id, what, Reason.SAMPLED, f"{share:.3%} of traces are kept")
    if facts.is_young:
        return MissingSpan(span_id, what, Reason.LATE, "the decision is young; it may still come")
    detail = "neither stored nor rejected"
    if habit is not None:
        detail += f"; of {habit.calls} such calls {habit.answered} were answered by a span"
    return MissingSpan(span_id, what, Reason.LOST, detail)


def kept_share(trace_state: str) -> float | None:
    """Return the share of traces that consistent sampling keeps; None where it keeps all.

    Source: OpenTelemetry, TraceState handling: `th` is a rejection threshold of 56 bits, trailing
    zeros left out.
    """
    match = _THRESHOLD.search(trace_state)
    if match is None:
        return None
    threshold = int(match[1].ljust(14, "0"), 16)
    return 1 - threshold / 2**56 if threshold else None

"""Pure: one decision as columns, for what draws its spans and packets over time.

Every time is in ns since the decision's ingress: an absolute one has more digits than a number of
JavaScript. A list of a `...Columns` has one place a span, exchange or packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from attribution.core.segments import CLASSES, STAGES
from attribution.path.missing_spans import MissingSpan
from dashboard.read.decision.detail import Decision
from dashboard.read.decision.exchange_marks import (
    ExchangeColumns,
    PacketColumns,
    exchange_marks,
)
from dashboard.read.decision.tree import dearest, path_node, tree_order
from dashboard.read.packet_rows import Packet, SpanEvidence
from dashboard.read.rows import Attribution, DecisionFacts, PathSpan, SentSpan
from dashboard.units import count, shorten

# More rows are megabytes, and nobody scrolls through them.
ROWS_MAX: Final = 20_000
# A row shows less; the panel of a span has the whole name.
NAME_CHARS: Final = 200
_MISSING_ABOVE: Final = ("parent", "root")


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """Spans in the order of the tree, and with them those that are known to be missing."""

    span_id: list[str] = field(default_factory=list)
    trace_id: list[int] = field(default_factory=list)  # place in trace_ids
    name: list[int] = field(default_factory=list)  # place in names
    service: list[int] = field(default_factory=list)  # place in services
    kind: list[int] = field(default_factory=list)  # place in kinds
    stage: list[int] = field(default_factory=list)  # place in stages, -1 for none
    latency_class: list[int] = field(default_factory=list)  # place in classes, -1 for none
    depth: list[int] = field(default_factory=list)
    start_ns: list[int] = field(default_factory=list)  # after the shift
    duration_ns: list[int] = field(default_factory=list)
    self_ns: list[int] = field(default_factory=list)  # on the critical path
    shift_ns: list[int] = field(default_factory=list)
    clock_bound_ns: list[int | None] = field(default_factory=list)  # null: not known
    is_error: list[int] = field(default_factory=list)
    is_missing: list[int] = field(default_factory=list)  # nobody sent it; what it spans is a guess
    gap: list[int] = field(default_factory=list)  # place in gaps, -1 for none
    sections: list[int] = field(default_factory=list)  # how many of the section columns are its own


@dataclass(frozen=True, slots=True)
class SectionColumns:
    """The critical path: sections in the order of their spans."""

    from_ns: list[int] = field(default_factory=list)
    to_ns: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EvidenceColumns:
    """What packets or the kernel prove of the time of a span."""

    row: list[int] = field(default_factory=list)
    rtt_ns: list[int] = field(default_factory=list)
    retransmission_ns: list[int] = field(default_factory=list)
    zero_window_ns: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the decision: where it begins, and its time on the critical path."""

    name: str
    at_ns: int
    took_ns: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One decision over time: spans, the critical path, packets, and what is missing."""

    decision_id: str
    trace_ids: list[str]
    version: str  # another one: more is known than before
    ingress_ns: int  # Unix ns; all other times count from it
    total_ns: int
    from_ns: int  # of the first that is drawn
    to_ns: int
    span_count: int
    left_out: str  # what is cut, in words; empty for nothing
    names: list[str]
    services: list[str]
    kinds: list[str]
    stages: list[str]
    classes: list[str]
    spans: SpanColumns
    sections: SectionColumns
    gaps: list[MissingSpan]
    stage_marks: list[Stage]
    exchanges: ExchangeColumns
    packets: PacketColumns
    evidence: EvidenceColumns


class _Words:
    """Each different text once, and the place of it."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Return the place of a text, which is cut where it is very long."""
        return self.texts.setdefault(shorten(text, NAME_CHARS), len(self.texts))


def waterfall_version(detail: Decision) -> str:
    """Return what changes when more is known of a decision than before."""
    revision = detail.attribution.revision if detail.attribution else 0
    parts = (revision, len(detail.spans), len(detail.flows), len(detail.evidence))
    return ".".join(map(str, parts))


def waterfall(
    detail: Decision,
    sent: Sequence[SentSpan],
    packets: Sequence[Packet],
    rows_max: int = ROWS_MAX,
) -> Waterfall:
    """Return one decision as columns; of more than `rows_max` spans those that took longest."""
    facts, spans = detail.facts, dearest(detail.spans, rows_max)
    ordered = tree_order(_with_missing(spans, detail.missing, sent), path_node)
    rows = {span.span_id: row for row, (_, span) in enumerate(ordered)}
    names, services, kinds = _Words(), _Words(), _Words()
    columns, sections = SpanColumns(), SectionColumns()
    errors = {each.span_id for each in sent if each.status == "Error"}
    gaps = {gap.span_id: place for place, gap in enumerate(detail.missing)}
    kept_ids = {span.span_id for span in spans}
    traces = {trace_id: place for place, trace_id in enumerate(detail.trace_ids)}
    for depth, span in ordered:
        columns.span_id.append(span.span_id)
        columns.trace_id.append(traces.get(span.trace_id, 0))
        columns.name.append(names.place(span.span_name))
        columns.service.append(services.place(span.service_name))
        columns.kind.append(kinds.place(span.span_kind))
        columns.stage.append(STAGES.index(span.stage) if span.stage in STAGES else -1)
        of_class = span.latency_class
        columns.latency_class.append(CLASSES.index(of_class) if of_class in CLASSES else -1)
        columns.depth.append(depth)
        columns.start_ns.append(span.shown_ns - facts.ingress_ns)
        columns.duration_ns.append(span.duration_ns)
        columns.self_ns.append(span.self_ns)
        columns.shift_ns.append(span.shift_ns)
        columns.clock_bound_ns.append(span.clock_bound_ns)
        columns.is_error.append(int(span.span_id in errors))
        columns.is_missing.append(int(span.span_id not in kept_ids))
        columns.gap.append(gaps.get(span.span_id, -1))
        columns.sections.append(len(span.sections))
        sections.from_ns.extend(begin - facts.ingress_ns for begin, _ in span.sections)
        sections.to_ns.extend(end - facts.ingress_ns for _, end in span.sections)
    exchanges, marks = exchange_marks(detail.flows, packets, rows, facts.ingress_ns)
    starts, lengths = columns.start_ns, columns.duration_ns
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    total_ns = facts.end_ns - facts.ingress_ns
    return Waterfall(
        decision_id=facts.decision_id,
        trace_ids=detail.trace_ids,
        version=waterfall_version(detail),
        ingress_ns=facts.ingress_ns,
        total_ns=detail.attribution.total_ns if detail.attribution else total_ns,
        from_ns=min([0, *starts]),
        to_ns=max([total_ns, 1, *ends]),
        span_count=len(detail.spans),
        left_out=_left_out(len(spans), len(detail.spans)),
        names=list(names.texts),
        services=list(services.texts),
        kinds=list(kinds.texts),
        stages=list(STAGES),
        classes=list(CLASSES),
        spans=columns,
        sections=sections,
        gaps=detail.missing,
        stage_marks=stage_marks(facts, detail.attribution, spans),
        exchanges=exchanges,
        packets=marks,
        evidence=_evidence(detail.evidence, rows),
    )


def stage_stamps(facts: DecisionFacts) -> list[tuple[str, int]]:
    """Return where each stage of which there is a stamp begins, as Unix ns."""
    stamps = (
        ("ingress", facts.ingress_ns),
        ("transform", facts.transform_ns),
        ("decision", facts.decision_ns),
        ("egress", facts.egress_ns),
    )
    return [(name, at_ns) for name, at_ns in stamps if at_ns]


def stage_marks(
    facts: DecisionFacts, split: Attribution | None, spans: Sequence[PathSpan]
) -> list[Stage]:
    """Return the stages that took time or were stamped, in their order.

    One without a stamp begins with the first of its spans on the critical path.
    """
    stamped = dict(stage_stamps(facts))
    began = dict(stamped)
    for span in spans:
        if span.stage not in stamped and span.sections:
            begin = min(begin for begin, _ in span.sections)
            began[span.stage] = min(began.get(span.stage, begin), begin)
    took = split.by_stage() if split else {}
    return [
        Stage(name, began[name] - facts.ingress_ns, took.get(name, 0))
        for name in STAGES
        if name in stamped or (name in began and took.get(name, 0))
    ]


def _with_missing(
    spans: Sequence[PathSpan], missing: Sequence[MissingSpan], sent: Sequence[SentSpan]
) -> list[PathSpan]:
    """Return spans, with one in the place of each parent and root that nobody sent.

    What it spans is what its children do; they hang under it, and it where they hung.
    """
    lost = {gap.span_id: gap for gap in missing if gap.what in _MISSING_ABOVE}
    if not lost:
        return list(spans)
    above = {each.span_id: each.parent_span_id for each in sent}
    found: list[PathSpan] = []
    children: dict[str, list[PathSpan]] = {}
    for span in spans:
        parent = above.get(span.span_id, "")
        if parent in lost and parent != span.span_id:
            children.setdefault(parent, []).append(span)
            span = replace(span, parent_span_id=parent)
        found.append(span)
    here = {span.span_id for span in spans}
    for span_id, of in children.items():
        if span_id in here:
            continue
        begin = min(span.shown_ns for span in of)
        end = max(span.shown_ns + span.duration_ns for span in of)
        name = "missing root" if lost[span_id].what == "root" else "missing span"
        first = of[0]
        found.append(
            PathSpan(
                trace_id=first.trace_id,
                span_id=span_id,
                parent_span_id=first.parent_span_id,
                service_name="",
                span_name=name,
                span_kind="",
                start_ns=begin,
                duration_ns=end - begin,
                shift_ns=0,
                clock_bound_ns=None,
                on_path=0,
                self_ns=0,
                stage="",
                latency_class="",
                sections=[],
            )
        )
    return found


def _evidence(found: Sequence[SpanEvidence], rows: dict[str, int]) -> EvidenceColumns:
    columns = EvidenceColumns()
    for each in found:
        if each.span_id in rows:
            columns.row.append(rows[each.span_id])
            columns.rtt_ns.append(each.rtt_ns)
            columns.retransmission_ns.append(each.retransmission_ns)
            columns.zero_window_ns.append(each.zero_window_ns)
    return columns


def _left_out(shown: int, spans: int) -> str:
    if shown == spans:
        return ""
    return (
        f"the {count(shown)} of {count(spans)} spans that took longest, with what called them; "
        f"{count(spans - shown)} are left out here, and are in the trace"
    )

"""Pure: what packets prove, what is missing of a trace, what late spans changed: a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from dash import html

from attribution.path.evidence import OUTSIDE_SPAN, PARTLY_ON_PATH, SHARED, TCP_INFO
from attribution.path.missing_spans import MissingSpan
from dashboard.pages.parts import Component
from dashboard.read.decision.link_wording import EVIDENCE, evidence_totals, unseen_part
from dashboard.read.decision.revision_wording import revision_line
from dashboard.read.packet_rows import SpanEvidence
from dashboard.read.rows import PathSpan, Revision
from dashboard.units import ms


def evidence_line(
    spans: Sequence[SpanEvidence],
    segments_ns: Sequence[int],
    *,
    is_linked: bool,
    is_settled: bool,
) -> Component | str:
    """Return what network and store time was, and on the pointer of which span.

    Args:
        spans: what proves the time of each.
        segments_ns: of the decision, in the order of SEGMENTS; empty before it is attributed.
        is_linked: whether an exchange of the decision is known.
        is_settled: whether nothing more comes.
    """
    if not spans and not is_linked:
        return "no packets of it are kept"
    by_kernel = sum(each.method == TCP_INFO for each in spans)
    if not spans:  # packets are linked first and weighed seconds later
        return "none of its waits has packets" if is_settled else "linked, being weighed"
    parts = [name for name in EVIDENCE if any(getattr(each, f"{name}_ns") for each in spans)]
    rows = [asdict(each) for each in spans]
    totals = evidence_totals(rows)
    if is_settled:  # until then packets of other calls may be on their way
        totals += unseen_part(segments_ns, rows)
    told = [f"{name} {ms(ns, 3)}" for name, ns in totals]
    lines = [
        f"{each.stage}/{each.latency_class} {each.span_id}: "
        + ", ".join(
            f"{name.replace('_', ' ')} {ms(getattr(each, f'{name}_ns'), 3)}"
            for name in parts
            if getattr(each, f"{name}_ns")
        )
        + _limit(each)
        for each in spans[:20]
    ]
    if by_kernel:
        told.append(f"{by_kernel} of {len(spans)} by the kernel, at the least")
    odd = sum(each.finding == OUTSIDE_SPAN for each in spans)
    if odd:
        told.append(f"{odd} disagree with their packets")
    return html.Span(", ".join(told), title="\n".join(lines))


def _limit(span: SpanEvidence) -> str:
    """Return what limits the split of one span, empty for nothing."""
    if span.finding == OUTSIDE_SPAN:
        return f"; packets lie {ms(span.outside_ns, 3)} outside of it"
    if span.method != TCP_INFO:
        return ""
    limits = {SHARED: ", which other calls used too", PARTLY_ON_PATH: ", partly on the path"}
    return f"; by the kernel's figures of its connection{limits.get(span.finding, '')}"


def missing_line(gaps: Sequence[MissingSpan]) -> Component | str:
    """Return how many spans are not there, and on the pointer which and why."""
    if not gaps:
        return "none"
    reasons = Counter(str(gap.reason) for gap in gaps)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    title = "\n".join(f"{gap.what} {gap.span_id}: {gap.reason}; {gap.detail}" for gap in gaps[:20])
    return html.Span(told, title=title)


def revisions_line(revisions: Sequence[Revision], spans: Sequence[PathSpan]) -> Component:
    """Return what the latest revision changed, and on the pointer what each did."""
    names = {span.span_id: span.span_name for span in spans}
    lines = [revision_line(each, names) for each in revisions]
    return html.Span(lines[-1], title="\n".join(lines), className="whole-line")

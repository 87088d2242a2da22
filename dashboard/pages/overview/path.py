"""I/O: the panel of the reference decision path: of the pickers, else of an alert."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from attribution.core.segments import SEGMENTS
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE
from dashboard.pages.charts.figures import decision_path, worst_segment
from dashboard.pages.context import PageContext
from dashboard.pages.overview.top import Incident, TopReading
from dashboard.pages.parts import Component, table
from dashboard.read.alerts.losses import Loss, losses
from dashboard.read.rows import Range, SegmentMeans
from dashboard.read.scope import Scope
from dashboard.units import UNKNOWN, count, counted, ms, signed_ms, usd

# Decisions of this long before the window's end give the reference of each segment.
REFERENCE_WINDOW_NS = NS_PER_DAY
# The modes of the newest decisions: a canary that ended an hour ago is not on the path.
_MODES_NS: Final = 15 * NS_PER_MINUTE
_KEPT_MAX: Final = 32
OUTPUTS = (
    "overview-path.figure",
    "overview-path-box.aria-label",
    "overview-path-said.children",
    "overview-path-table.children",
    "overview-path-note.children",
)


@dataclass(frozen=True, slots=True)
class PathRead:
    """Everything that one reading of the panel found."""

    view: Range
    path_of: Range
    of_alert: Incident | None
    why: str  # it is of this alert
    observed: SegmentMeans | None
    reference: SegmentMeans | None
    reference_of: Range
    modes: list[str]
    lost: Loss | None


def read(
    context: PageContext,
    scope: Scope,
    top: TopReading,
    picked: str = "",
    *,
    is_pinned: bool = False,
) -> PathRead:
    """Read the path of an alert that is pointed at, else of the pickers or the dearest alert."""
    view = scope.range_at(top.to_ns)
    alert, why = top.picked(picked), "pinned, click again to let go" if is_pinned else "this row"
    if alert is None:
        alert, why = top.dearest, "following the costliest open alert"
        alert = None if view.action or view.region else alert
    path_of = path_range(view, alert)
    lookback = dataclasses.replace(
        path_of, from_ns=max(0, view.to_ns - REFERENCE_WINDOW_NS), to_ns=view.to_ns
    )
    reader = context.reader
    expected = _normal(context, lookback)
    if expected is None and lookback.region:
        # Nothing there has ever met its target; the same action elsewhere shows what is possible.
        lookback = dataclasses.replace(lookback, region="")
        expected = _normal(context, lookback)
    newest = dataclasses.replace(path_of, from_ns=max(path_of.from_ns, path_of.to_ns - _MODES_NS))
    return PathRead(
        view=view,
        path_of=path_of,
        of_alert=alert,
        why=why if alert is not None else "",
        observed=reader.segment_means(path_of),
        reference=expected,
        reference_of=lookback,
        modes=reader.modes(newest),
        lost=losses(reader, [path_of])[0],
    )


def _normal(context: PageContext, lookback: Range) -> SegmentMeans | None:
    """Return the mean of the decisions that met their target, read once a minute.

    It is of a day, and takes longest of all; who points at rows asks for it at each.
    """
    key = (lookback.action, lookback.region, lookback.to_ns // NS_PER_MINUTE)
    kept = context.normal
    if key not in kept:
        means = context.reader.reference_means(lookback, context.reference)
        while len(kept) >= _KEPT_MAX:
            kept.pop(next(iter(kept)), None)
        kept[key] = means
    return kept[key]


def path_range(view: Range, alert: Incident | None) -> Range:
    """Return which decisions the path shows: those of an alert, else those of the pickers.

    An incident of one region would drown in the mean over all of them.
    """
    if alert is None:
        return view
    to_ns = alert.until_ns or view.to_ns
    from_ns = min(max(view.from_ns, alert.from_ns), to_ns)
    return Range(from_ns, to_ns, alert.action, alert.region)


def show(panel: PathRead) -> Mapping[str, Any]:
    """Return a value for each of OUTPUTS."""
    blamed = panel.of_alert.blamed if panel.of_alert is not None else None
    # What an alert says of its cause is of when it last changed; this is of all since.
    is_since = panel.of_alert is not None and panel.path_of.from_ns > panel.view.from_ns
    since = " since its loss began" if is_since else ""
    summary = path_summary(panel.observed, panel.reference, since)
    return {
        "overview-path.figure": decision_path(panel.observed, panel.reference, blamed),
        "overview-path-box.aria-label": f"Reference decision path. {summary}",
        "overview-path-said.children": summary,
        "overview-path-table.children": _path_table(panel.observed, panel.reference),
        "overview-path-note.children": _path_note(panel),
    }


def path_summary(
    observed: SegmentMeans | None, reference: SegmentMeans | None, since: str = ""
) -> str:
    """Return the path's figure in a sentence, of decisions ` since` something."""
    if observed is None:
        return "No attributed decision in this window."
    text = f"Over {counted(observed.decisions, 'decision')}{since}: mean {ms(observed.total_ns)}"
    if reference is None:
        return text + "; no decision met its target, so there is no reference."
    text += f" against {ms(reference.total_ns)}"
    worst = worst_segment(observed, reference)
    if worst is None:
        return text + "; no segment stands out."
    excess = observed.segments_ns[worst] - reference.segments_ns[worst]
    return text + f"; {'/'.join(SEGMENTS[worst])} is slower by {ms(excess)} than normal."


def _path_note(panel: PathRead) -> str:
    class_name = " · ".join(part for part in (panel.path_of.action, panel.path_of.region) if part)
    parts = [class_name or "all decisions"]
    if panel.why:
        parts.append(panel.why)
    if panel.modes:
        parts.append("mode " + " and ".join(panel.modes))
    if panel.lost is not None and panel.lost.is_known:
        parts.append(_loss_of_each(panel.lost))
    elsewhere = " in any region" if panel.reference_of.region != panel.path_of.region else ""
    if panel.reference is not None:
        normal = count(panel.reference.decisions)
        parts.append(f"grey: normal = mean of {normal} on target in 24 h{elsewhere}")
        if panel.reference.sample is not None:
            read, of_all = panel.reference.sample
            parts.append(f"in a sample of {count(read)} of {count(of_all)} decisions")
    elif panel.observed is not None:
        parts.append("no decision met its target: no reference")
    return " · ".join(parts)


def _loss_of_each(lost: Loss) -> str:
    valued = lost.decisions - lost.unvalued
    of_these = " of known value" if lost.unvalued else ""
    text = f"loses {usd(lost.loss_usd / valued)} a decision{of_these}"
    if "unknown" not in lost.slope_sources:
        return text
    if not lost.loss_usd:
        return "what lateness costs is unknown"
    return f"{text}, without lateness of unknown cost"


def _path_table(observed: SegmentMeans | None, reference: SegmentMeans | None) -> Component:
    if observed is None:
        return "No attributed decision in this window."
    expected = reference.segments_ns if reference else [None] * len(SEGMENTS)
    rows = [
        (
            "/".join(segment),
            ms(mean_ns, 3),
            UNKNOWN if base is None else ms(base, 3),
            UNKNOWN if base is None else signed_ms(mean_ns - base),
        )
        for segment, mean_ns, base in zip(SEGMENTS, observed.segments_ns, expected, strict=True)
    ]
    return table(("Segment", "Observed", "Reference", "Excess"), rows, numeric=(1, 2, 3))

"""Rows of `path_columns` from spans that a test wrote down one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attribution.compact.rows import PATH_SHIFT, STAGE_SHIFT
from attribution.core.segments import CLASSES, STAGES
from attribution.path.spans import KINDS


def path_rows(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a decision.

    Args:
        spans: with the columns of `path_spans`; of each decision one has no parent, and a parent
            that is not among them is that one.
    """
    decisions: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for span in spans:
        decisions.setdefault((span["ingress_ns"], span["decision_id"]), []).append(span)
    return [_row(own) for own in decisions.values()]


def _row(unordered: list[dict[str, Any]]) -> dict[str, Any]:
    spans = sorted(unordered, key=lambda span: span["parent_span_id"] != "")
    at = {span["span_id"]: place for place, span in enumerate(spans)}
    above = [at.get(span["parent_span_id"], 0) for span in spans]
    starts = [span["start_ns"] + span["shift_ns"] for span in spans]
    marks = [
        KINDS.index(span["span_kind"])
        | STAGES.index(span["stage"]) << STAGE_SHIFT
        | span["on_path"] << PATH_SHIFT
        for span in spans
    ]
    return {
        **{name: spans[0][name] for name in ("ingress_ns", "decision_id", "trace_id", "revision")},
        "base_ns": min(starts),
        "parent": above,
        "parent_id": [int(spans[place]["span_id"], 16) for place in above],
        "offset_ns": [start - min(starts) for start in starts],
        "traits": [CLASSES.index(span["class"]) for span in spans],
        "marks": marks,
        "span_id": [int(span["span_id"], 16) for span in spans],
        "clock_bound_ns": [-1] * len(spans),
        **{
            name: [span[name] for span in spans]
            for name in (
                "duration_ns", "service_name", "span_name", "shift_ns", "self_ns",
            )
        },
        "sections": [
            [(begin - min(starts), end - min(starts)) for begin, end in span["sections"]]
            for span in spans
        ],
    }  # fmt: skip

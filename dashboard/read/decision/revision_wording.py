"""Pure: what one revision of a decision's attribution changed, as one line of text."""

from __future__ import annotations

from collections.abc import Mapping

from attribution.core.segments import SEGMENTS
from dashboard.read.rows import Revision
from dashboard.units import ms, named

_SPANS_MAX = 3
_SEGMENTS = {f"{stage}_{of}_ns": f"{stage}/{of}" for stage, of in SEGMENTS}


def revision_line(revision: Revision, span_names: Mapping[str, str]) -> str:
    """Return what came and went, and which parts of the latency that moved.

    Args:
        revision: the later of the two.
        span_names: names of the decision's spans, by id.
    """
    parts = [
        f"{len(ids)} {'span' if len(ids) == 1 else 'spans'} {verb} ({_named(ids, span_names)})"
        for ids, verb in ((revision.spans_added, "came"), (revision.spans_removed, "went"))
        if ids
    ]
    if not parts:
        parts.append("computed anew from the same spans")
    for change in revision.changes:
        before, after = change["before"], change["after"]
        if change["name"] in _SEGMENTS:
            parts.append(f"{_SEGMENTS[change['name']]} {_ms(before)} → {_ms(after)}")
        elif change["name"] == "total_ns":
            parts.append(f"latency {_ms(before)} → {_ms(after)}")
        elif change["name"] != "span_count":
            name = change["name"].replace("_", " ")
            parts.append(f"{name} {before or 'none'} → {after or 'none'}")
    return f"{revision.revision}: " + ", ".join(parts)


def _named(ids: list[str], span_names: Mapping[str, str]) -> str:
    return named([span_names.get(each, each) for each in ids], _SPANS_MAX)


def _ms(ns: str) -> str:
    return ms(int(ns), 3)

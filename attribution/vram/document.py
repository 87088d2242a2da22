"""Pure: the VRAM model as a document: what it says, what it rests on, and how two differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from attribution.vram.allocation import Ranked
from attribution.vram.ranking import CurvePoint, Weight, Worth

Document: TypeAlias = dict[str, Any]

FORMAT = 5
# Digits that are told: a figure with an interval of a factor of two has no more.
_DIGITS = 6
# What says when and under which number, not what.
_IDENTITY = ("version", "computed_ns")


def document(
    lineage: Mapping[str, Any],
    groups: Sequence[Worth],
    curves: Mapping[str, Sequence[CurvePoint]],
    weights: Sequence[Weight],
    unknown: Sequence[str],
    unsampled: Sequence[str],
    bases: Mapping[str, str],
) -> Document:
    """Return a model as it is stored, without version and instant.

    Args:
        lineage: what it was made of: window, decisions, slope.
        groups: the dearest first.
        curves: expected revenue velocity by shift, of each group.
        weights: of the segments.
        unknown: groups whose decisions have no known value: they are in no figure.
        unsampled: groups of known value of which no decision is in the sample: likewise.
        bases: what the slope of each group rests on.
    """
    content: Document = _rounded(
        {
            "format": FORMAT,
            "lineage": dict(lineage),
            "groups": [
                {
                    **asdict(each),
                    "slope_basis": bases[each.name],
                    "curve": [asdict(point) for point in curves[each.name]],
                }
                for each in groups
            ],
            "weights": [asdict(each) for each in weights],
            "unknown": list(unknown),
            "unsampled": list(unsampled),
        }
    )
    return content


def ranked(content: Document) -> list[Ranked]:
    """Return the groups of a model with what they are ranked by."""
    return [
        Ranked(
            each["name"],
            each.get("kind", ""),
            each["marginal_usd_per_ms_hour"]["median"],
            each["marginal_usd_per_ms_hour"]["low"],
        )
        for each in content["groups"]
    ]


def content_hash(document_: Document) -> str:
    """Return what names the content of a model, whatever its number."""
    content = {name: value for name, value in document_.items() if name not in _IDENTITY}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def differences(before: Document, after: Document) -> list[Document]:
    """Return what changed between two models, the largest change of money first.

    A group or segment that only one of them has stands with null for the other.
    """
    figures = {
        "group": [
            {each["name"]: each["marginal_usd_per_ms_hour"]["median"] for each in content["groups"]}
            for content in (before, after)
        ],
        "segment": [
            {each["segment"]: each["gain_usd_per_hour"] for each in content["weights"]}
            for content in (before, after)
        ],
        "lineage": [before["lineage"], after["lineage"]],
    }
    changes: list[Document] = [
        {"kind": kind, "name": name, "before": old.get(name), "after": new.get(name)}
        for kind, (old, new) in figures.items()
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return sorted(changes, key=_size, reverse=True)


def _size(change: Document) -> float:
    if change["kind"] == "lineage":
        return -1.0
    return abs(float(change["after"] or 0.0) - float(change["before"] or 0.0))


def _rounded(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return JSON whose figures have as many digits as are told."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value

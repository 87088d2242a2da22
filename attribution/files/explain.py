"""Pure: what was computed -> one object a decision, as `attribute --json` prints it.

Times are absolute Unix ns after the shift, intervals half-open. Off the path a span has no self
time and no sections. Self times, and what no span covers, sum to the total.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict

import numpy as np

from attribution.core.segments import CLASSES, STAGES
from attribution.files.tables import Names
from attribution.path.split import Attributed, flag_names

# Spans whose texts and numbers are held at once.
_SPANS_MAX = 65_536


class SpanShare(TypedDict):
    """One span of a decision."""

    span_id: str
    on_path: bool
    self_ns: int
    sections: list[list[int]]  # [from_ns, to_ns], ascending
    shift_ns: int


class DecisionShare(TypedDict):
    """One decision; `classes` and `stages` each sum to `total_ns`."""

    decision_id: str
    trace_ids: list[str]  # that of the root first
    total_ns: int
    classes: Mapping[str, int]
    stages: Mapping[str, int]
    spans: list[SpanShare]  # by start before the shift, then span id
    flags: list[str]
    refused_spans: int  # of its traces, by what could be read of them
    refused_in_file: int  # all that could not be used


@dataclass(frozen=True, slots=True)
class Summary:
    """One decision without its spans."""

    decision_id: str
    total_ns: int
    classes: list[int]  # by CLASSES
    flags: list[str]


def summaries(done: Attributed, names: Names) -> Iterator[Summary]:
    """Yield every decision without its spans, in the order of its begin."""
    parts = done.budgets.segment_ns.reshape(-1, len(STAGES), len(CLASSES)).sum(axis=1).tolist()
    numbers = zip(done.budgets.total_ns.tolist(), parts, done.flags.tolist(), strict=True)
    for decision_id, (total_ns, classes, bits) in zip(names.decision_ids, numbers, strict=True):
        yield Summary(decision_id, total_ns, classes, flag_names(bits))


def explain(
    done: Attributed,
    names: Names,
    refused_by_trace: Mapping[str, int],
    refused_in_file: int,
) -> Iterator[DecisionShare]:
    """Yield every decision, in the order of its begin.

    Args:
        done: what was computed.
        names: how its spans are spelled.
        refused_by_trace: how many spans of a trace could not be used.
        refused_in_file: how much of the file could not be used.
    """
    count = len(names.decision_ids)
    first = np.searchsorted(done.trees.decision, np.arange(count + 1))
    sections = _Sections(done)
    ids, traces = names.decision_ids, names.root_traces
    parts = done.budgets.segment_ns.reshape(count, len(STAGES), len(CLASSES))
    by_class, by_stage = parts.sum(axis=1).tolist(), parts.sum(axis=2).tolist()
    total_ns, flags = done.budgets.total_ns.tolist(), done.flags.tolist()
    begin = 0
    while begin < count:
        fits = int(np.searchsorted(first, first[begin] + _SPANS_MAX, side="right")) - 1
        end = min(max(fits, begin + 1), count)
        of_trace, spans = _spans(done, names, sections, int(first[begin]), int(first[end]))
        for index in range(begin, end):
            span_rows = slice(
                int(first[index] - first[begin]), int(first[index + 1] - first[begin])
            )
            trace_ids = [traces[index], *sorted(set(of_trace[span_rows]) - {traces[index]})]
            yield DecisionShare(
                decision_id=ids[index],
                trace_ids=trace_ids,
                total_ns=total_ns[index],
                classes=dict(zip(CLASSES, by_class[index], strict=True)),
                stages=dict(zip(STAGES, by_stage[index], strict=True)),
                spans=spans[span_rows],
                flags=flag_names(flags[index]),
                refused_spans=sum(refused_by_trace.get(each, 0) for each in trace_ids),
                refused_in_file=refused_in_file,
            )
        begin = end


def json_line(share: DecisionShare) -> str:
    """Return one decision as JSON; what is of one shape is not looked at value by value."""
    spans = ", ".join(
        f'{{"span_id": {_quoted(each["span_id"])}, '
        f'"on_path": {"true" if each["on_path"] else "false"}, "self_ns": {each["self_ns"]}, '
        f'"sections": {each["sections"]}, "shift_ns": {each["shift_ns"]}}}'
        for each in share["spans"]
    )
    rest = json.dumps({**share, "spans": 0}, ensure_ascii=False)
    before, behind = rest.split(', "spans": 0, ', 1)
    return f'{before}, "spans": [{spans}], {behind}'


def _quoted(text: str) -> str:
    return f'"{text}"' if text.isalnum() else json.dumps(text, ensure_ascii=False)


class _Sections:
    """The sections of the spans, a run of them for each."""

    def __init__(self, done: Attributed) -> None:
        self._path = done.path
        self._order = np.argsort(done.path.section_row, kind="stable")
        counts = np.bincount(done.path.section_row, minlength=len(done.trees))
        self._first = np.zeros(len(done.trees) + 1, np.int64)
        np.cumsum(counts, out=self._first[1:])

    def between(self, begin: int, end: int) -> list[list[list[int]]]:
        """Return the sections of the spans from one row to another."""
        bounds = self._first[begin : end + 1]
        sections = self._order[bounds[0] : bounds[-1]]
        both = (self._path.section_from_ns[sections], self._path.section_to_ns[sections])
        pairs = np.stack(both, axis=1).tolist()
        cuts = (bounds - bounds[0]).tolist()
        return [pairs[from_:to] for from_, to in pairwise(cuts)]


def _spans(
    done: Attributed, names: Names, sections: _Sections, begin: int, end: int
) -> tuple[list[str], list[SpanShare]]:
    """Return the traces and the shares of the spans from one row of the trees to another."""
    rows = done.trees.row[begin:end]
    shares: list[SpanShare] = [
        {
            "span_id": span_id,
            "on_path": on_path,
            "self_ns": self_ns,
            "sections": own_ns,
            "shift_ns": shift,
        }
        for span_id, on_path, self_ns, own_ns, shift in zip(
            names.span_ids(rows),
            done.path.on_path[begin:end].tolist(),
            done.path.self_ns[begin:end].tolist(),
            sections.between(begin, end),
            done.trees.shift_ns[begin:end].tolist(),
            strict=True,
        )
    ]
    return names.trace_ids(rows), shares

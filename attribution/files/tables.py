"""Pure: spans of a file -> the tables that attribution computes on, as the store's queries give.

The roots are those that the store's view would find, by the same settings. Where a file holds none,
every parentless span is a decision, and an orphan where its trace has no parentless span.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from attribution.core.segments import CLASSES, STAGES, UNTRACED
from attribution.files.span import TIME_LIMIT_NS, FileSpan
from attribution.path.columns import Table
from attribution.path.spans import CLIENT, INTERNAL, KINDS, NONE, SERVER, UNSPECIFIED
from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig
from collector.core.event_schema import accepts, names_of

_STAMPS = STAGES[1:]
_BLOCKING = {"true": 1, "false": 0}

# One clock for a trace in which no span names its machine: nothing tells skew from work that
# outlives its parent, so nothing is shifted.
_ONE_CLOCK = "unnamed"

_Trace = dict[str, FileSpan]  # the spans of one trace by key, of each the first in the file


@dataclass(frozen=True, slots=True)
class FileTables:
    """What rows.attribute takes. A row of `spans` is that of the same place in the file."""

    decisions: Table
    spans: Table
    refused: list[str]  # roots that cannot be decisions, a line each


@dataclass(frozen=True, slots=True)
class _Root:
    span: FileSpan
    own_id: str
    ingress_ns: int
    stamps: dict[str, int]


def tables_of(
    spans: Sequence[FileSpan], attributes: AttributesConfig, decisions: DecisionsConfig
) -> FileTables:
    """Find the decisions of a file and bring everything into columns."""
    traces: defaultdict[str, _Trace] = defaultdict(dict)
    for span in spans:
        traces[span.trace_id].setdefault(_key(span), span)
    found = [
        span
        for trace in traces.values()
        for span in trace.values()
        if _value(span, "decision.action", attributes) or _matches(span, decisions.match)
    ]
    is_ruled = bool(found)
    if not found:
        found = [span for trace in traces.values() for span in _tops(trace)]
    roots, refused = [], []
    for span in found:
        root = _root(span, attributes)
        if isinstance(root, str):
            refused.append(root)
        else:
            roots.append(root)
    codes = _id_codes(spans)
    return FileTables(
        _decision_table(roots, codes, is_ruled=is_ruled),
        _span_table(spans, attributes, codes),
        refused,
    )


def _tops(trace: _Trace) -> list[FileSpan]:
    """Return what begins a trace: its parentless spans; else its orphans; else cuts of its cycles.

    A cycle is cut at its earliest span, and of equals the smallest id, as assembly cuts it.
    """
    parentless = [span for span in trace.values() if not span.parent_id]
    if parentless:
        return parentless
    orphans = [span for span in trace.values() if span.parent_id not in trace]
    if orphans:
        return orphans
    tops, seen = [], set[str]()
    for key in trace:
        trail: dict[str, None] = {}
        while key not in seen:
            seen.add(key)
            trail[key] = None
            key = trace[key].parent_id
        if key in trail:
            walked = list(trail)
            cycle = walked[walked.index(key) :]
            tops.append(trace[min(cycle, key=lambda each: (trace[each].start_ns, each))])
    return tops


def _matches(span: FileSpan, rules: Iterable[DecisionMatch]) -> bool:
    """Return whether any rule names this span; a rule without a condition names none."""
    return any(
        (rule.service or rule.span_name or rule.kind or rule.attributes)
        and rule.service in ("", span.service)
        and rule.span_name in ("", span.name)
        and rule.kind.capitalize() in ("", span.kind)
        and all(span.attributes.get(name, "") == value for name, value in rule.attributes.items())
        for rule in rules
    )


def _root(span: FileSpan, attributes: AttributesConfig) -> _Root | str:
    """Return a root, or why it is none."""
    where = f"span {span.span_id} of trace {span.trace_id}"
    schema = _value(span, "decision.schema", attributes)
    if not accepts(schema):
        return f"{where}: decision.schema is {schema!r}; 1 is accepted"
    stamped_ns = _stamp(_value(span, "decision.ts.ingress", attributes))
    if stamped_ns > span.end_ns:
        return (
            f"{where}: decision.ts.ingress {stamped_ns} lies after its end {span.end_ns}; "
            "correct the clock or the unit (Unix nanoseconds)"
        )
    return _Root(
        span,
        _value(span, "decision.id", attributes),
        stamped_ns or span.start_ns,
        {stage: _stamp(_value(span, f"decision.ts.{stage}", attributes)) for stage in _STAMPS},
    )


def _stamp(text: str) -> int:
    """Return a stamp in Unix ns, 0 where it is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return 0
    return int(text) if int(text) < TIME_LIMIT_NS else 0


def _value(span: FileSpan, name: str, attributes: AttributesConfig) -> str:
    values = (span.attributes.get(each, "") for each in names_of(name, attributes.name(name)))
    return next((value for value in values if value), "")


def _key(span: FileSpan) -> str:
    return span.key or span.span_id


def _id_codes(spans: Iterable[FileSpan]) -> dict[str, int]:
    """Return a number for each id that sorts as its text does; 0 is none.

    Ids of a file need not be hex: the numbers are ranks.
    """
    ids = {_key(span) for span in spans}
    ids |= {span.parent_id for span in spans}
    ids |= {target for span in spans for _, target in span.links}
    ids.discard("")
    return {"": 0, **{each: rank for rank, each in enumerate(sorted(ids), 1)}}


def _kinds(spans: Sequence[FileSpan]) -> list[int]:
    """Return the kind of each span, as index into KINDS, by its place where it names none.

    Entered from another service it is a server. Entered from its own, with all it waits for in
    others, it is the call to them. Anything else is internal. A trace of one span a service has
    servers only: nothing there tells a call from the work around it.
    """
    services = {(span.trace_id, _key(span)): span.service for span in reversed(spans)}
    below: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for span in spans:
        below[span.trace_id, span.parent_id].add(span.service)

    def kind(span: FileSpan) -> int:
        above = services.get((span.trace_id, span.parent_id))
        children = below.get((span.trace_id, _key(span)), set())
        if span.kind != KINDS[UNSPECIFIED]:
            return KINDS.index(span.kind)
        if above is not None and above != span.service:
            return SERVER
        return (
            CLIENT if above is not None and children and span.service not in children else INTERNAL
        )

    return [kind(span) for span in spans]


def _decision_table(roots: Sequence[_Root], codes: dict[str, int], *, is_ruled: bool) -> Table:
    per_trace = Counter(root.span.trace_id for root in roots)

    def decision_id(root: _Root) -> str:
        trace_id = root.span.trace_id
        alone = per_trace[trace_id] == 1
        # Where no rule says what a decision is, spans of one decision share its id.
        own_id = root.own_id if is_ruled or alone else ""
        return own_id or (trace_id if alone else f"{trace_id}:{root.span.span_id}")

    ordered = sorted(
        ((root.ingress_ns, decision_id(root), _key(root.span), root) for root in roots),
        key=lambda each: each[:3],
    )
    sorted_roots = [root for *_, root in ordered]
    return pa.table(
        {
            "decision_id": pa.array([each[1] for each in ordered], pa.string()),
            "trace_id": pa.array([root.span.trace_id for root in sorted_roots], pa.string()),
            "span_id": np.array([codes[_key(root.span)] for root in sorted_roots], np.uint64),
            "ingress_ns": np.array([root.ingress_ns for root in sorted_roots], np.int64),
            "start_ns": np.array([root.span.start_ns for root in sorted_roots], np.int64),
            "end_ns": np.array([root.span.end_ns for root in sorted_roots], np.int64),
            **{
                f"{stage}_ns": np.array([root.stamps[stage] for root in sorted_roots], np.int64)
                for stage in _STAMPS
            },
        }
    )


def _span_table(
    spans: Sequence[FileSpan], attributes: AttributesConfig, codes: dict[str, int]
) -> Table:
    contents: dict[tuple[object, ...], int] = {}
    named = {span.trace_id for span in spans if span.host}

    def texts(values: Iterable[str]) -> object:
        return pa.array(list(values), pa.string())

    def indexes(name: str, values: Sequence[str]) -> object:
        known = {value: at for at, value in enumerate(values)}
        return np.array([known.get(_value(s, name, attributes), NONE) for s in spans], np.int8)

    blocking = [_BLOCKING.get(_value(s, "latency.blocking", attributes), NONE) for s in spans]
    return pa.table(
        {
            "trace_id": texts(s.trace_id for s in spans),
            "shown_id": texts(s.span_id for s in spans),
            "span_id": np.array([codes[_key(s)] for s in spans], np.uint64),
            "parent_id": np.array([codes[s.parent_id] for s in spans], np.uint64),
            "start_ns": np.array([s.start_ns for s in spans], np.int64),
            "end_ns": np.array([s.end_ns for s in spans], np.int64),
            "kind": np.array(_kinds(spans), np.int8),
            "service_name": texts(s.service for s in spans),
            "span_name": texts(s.name for s in spans),
            "host": texts(s.host if s.trace_id in named else _ONE_CLOCK for s in spans),
            "clock_error_ns": np.array([s.clock_error_ns for s in spans], np.int64),
            "latency_class": indexes("latency.class", CLASSES[:UNTRACED]),
            "stage": indexes("decision.stage", STAGES),
            "blocking": np.array(blocking, np.int8),
            "is_store": np.array([_is_store(s) for s in spans], np.bool_),
            "is_receive": np.array([_is_receive(s) for s in spans], np.bool_),
            "decision_id": texts(_value(s, "decision.id", attributes) for s in spans),
            "link_traces": pa.array(
                [[trace for trace, _ in s.links] for s in spans], pa.list_(pa.string())
            ),
            "link_spans": pa.array(
                [[codes[to] for _, to in s.links] for s in spans], pa.list_(pa.uint64())
            ),
            # The first in the file counts as the first that was received.
            "received_ns": np.arange(len(spans), dtype=np.int64),
            "content": np.array(
                [contents.setdefault(s.content, len(contents)) for s in spans], np.uint64
            ),
        }
    )


def _is_store(span: FileSpan) -> bool:
    get = span.attributes.get
    return bool(
        get("db.system.name") or get("db.system") or get("rpc.service") in ("S3", "DynamoDB")
    )


def _is_receive(span: FileSpan) -> bool:
    get = span.attributes.get
    return "receive" in (get("messaging.operation.type"), get("messaging.operation"))

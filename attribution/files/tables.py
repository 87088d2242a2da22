"""Pure: columns of a file -> what attribution computes on, as the store's queries give it.

The roots are those that the store's view would find, by the same settings. Where a file holds none,
every parentless span is a decision, and an orphan where its trace has no parentless span.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from attribution.core.segments import STAGES
from attribution.files.collected import Collected, Columns, RootWords, stamp
from attribution.files.shared import Keys, keys_of
from attribution.files.span import Origin
from attribution.path.classify import kinds_by_place
from attribution.path.membership import Flag, Forest, plant
from attribution.path.spans import (
    NONE,
    Bools,
    Ids,
    Ints,
    Links,
    Roots,
    Small,
    Spans,
    addresses_of,
    machine_codes,
)
from attribution.path.split import Inputs
from collector.core.event_schema import accepts

_STAMPS = tuple(f"{stage}_ns" for stage in STAGES[1:])
# A multiplier that spreads bits: 2**64 divided by the golden ratio.
_ODD = np.uint64(0x9E3779B97F4A7C15)
_TOP = np.uint64(2**63)
_NO_WORDS = RootWords()
_Refused: TypeAlias = tuple[str, str]  # why, and the trace


@dataclass(frozen=True, slots=True)
class FileTables:
    """What rows.attribute takes, and how to name its rows."""

    inputs: Inputs
    flags: Ints  # of each decision, what is known of it before it is split
    names: Names
    refused: list[_Refused]  # roots that cannot be decisions


@dataclass(frozen=True, slots=True)
class Names:
    """How the file spells its ids."""

    decision_ids: list[str]
    root_traces: list[str]  # of each decision
    traces: list[str]
    trace: Ints
    keys: Keys

    def trace_ids(self, rows: Ints) -> list[str]:
        """Return the trace of each of these rows."""
        return [self.traces[each] for each in self.trace[rows].tolist()]

    def span_ids(self, rows: Ints) -> list[str]:
        """Return the id of each of these rows."""
        return self.keys.texts(rows)


@dataclass(frozen=True, slots=True)
class _Root:
    row: int
    trace_id: str
    shown_id: str
    own_id: str
    ingress_ns: int
    stamps: tuple[int, ...]


def tables_of(collected: Collected, refused_by_trace: Counter[str] | None = None) -> FileTables:
    """Find the decisions of a file and bring everything into columns.

    Args:
        collected: all spans of the file.
        refused_by_trace: how many spans of each trace could not be read.
    """
    columns = collected.columns()
    services = [origin.service for origin in collected.origins]
    keys = keys_of(collected, columns, services)
    traces = sorted(collected.traces)
    trace = _ranks(list(collected.traces), traces)[columns.trace]
    names = Names([], [], traces, trace, keys)
    spans, labels = _spans(collected, columns, keys, names.trace)
    forest = plant(spans)
    is_root = _is_root(collected, columns)[forest.row]
    is_ruled = bool(is_root.any()) or collected.has_refused_root
    tops, orphaned = _tops(spans, forest)
    root_rows = forest.row[is_root if is_ruled else tops]
    roots, refused = _roots(collected, columns, names, root_rows, spans)
    ordered = _ordered(roots, spans, is_ruled=is_ruled)
    decision_ids = [decision_id for _, decision_id, *_ in ordered]
    spans = replace(
        spans,
        kind=kinds_by_place(spans, forest),
        decision=_decisions(collected, columns, decision_ids),
        # Of several spans of one id the one that counts was, as it were, received first.
        received_ns=_not_first(len(spans), forest.row),
    )
    rows = np.array([root.row for *_, root in ordered], np.int64)
    flags = np.zeros(len(rows), np.int64)
    lost = set(forest.row[orphaned].tolist()) if not is_ruled else set()
    flags[[row in lost for row in rows.tolist()]] |= Flag.ORPHAN
    marked = refused_by_trace or Counter()
    marked = marked + Counter(trace for _, trace in refused)
    flags[[bool(marked[trace]) for trace in names.trace_ids(rows)]] |= Flag.REFUSED_SPANS
    return FileTables(
        Inputs(
            decisions=None,
            spans=None,
            roots=_root_columns(ordered, spans, rows, decision_ids),
            columns=spans,
            links=_links(collected, keys, traces),
            labels=labels,
            forest=forest,
        ),
        flags,
        replace(names, decision_ids=decision_ids, root_traces=names.trace_ids(rows)),
        refused,
    )


def _spans(
    collected: Collected, columns: Columns, keys: Keys, trace: Ints
) -> tuple[Spans, list[tuple[str, str]]]:
    """Return the spans as the file states them, and service and name of each label.

    Kinds are as they were sent, and decisions are numbers of the ids that are named.
    """
    origins = collected.origins
    service = _dense([origin.service for origin in origins])[columns.origin]
    host, hosts = _hosts(columns, origins)
    names = sorted(collected.names)
    pair = service * len(names) + _ranks(list(collected.names), names)[columns.name]
    pairs, label = np.unique(pair, return_inverse=True)
    services = sorted({origin.service for origin in origins})
    labels = [(services[each // len(names)], names[each % len(names)]) for each in pairs.tolist()]
    traits = list(collected.traits)

    def of_trait(name: str, type_: type[np.generic]) -> Small:
        values = np.array([getattr(trait, name) for trait in traits], type_)
        return values[columns.trait]

    error_ns = np.array([o.clock_error_ns for o in origins], np.int64)[columns.origin]
    spans = Spans(
        trace=trace,
        span_id=keys.span,
        parent_id=keys.parent,
        start_ns=columns.start_ns,
        end_ns=columns.end_ns,
        kind=of_trait("kind", np.int8),
        service=service,
        label=label.astype(np.int64),
        host=host,
        clock_error_ns=error_ns,
        latency_class=of_trait("latency_class", np.int8),
        stage=of_trait("stage", np.int8),
        blocking=of_trait("blocking", np.int8),
        is_store=of_trait("is_store", np.bool_),  # type: ignore[arg-type]  # of the type that was named
        is_receive=of_trait("is_receive", np.bool_),  # type: ignore[arg-type]  # likewise
        decision=columns.decision.astype(np.int64),
        received_ns=np.zeros(len(trace), np.int64),
        content=_content(columns, keys, label, host, error_ns),
        addresses=addresses_of(hosts),
    )
    return spans, labels


def _content(columns: Columns, keys: Keys, label: Ints, host: Ints, error_ns: Ints) -> Ids:
    """Return a hash of everything that a span says; the top bit keeps its meaning."""
    content = columns.content
    traits = (columns.start_ns, columns.end_ns, keys.parent, label, host, error_ns, columns.trait)
    for values in traits:
        content = (content ^ values.astype(np.uint64)) * _ODD
        content ^= content >> np.uint64(29)
    return (columns.content & _TOP) | (content & ~_TOP)


def _hosts(columns: Columns, origins: list[Origin]) -> tuple[Ints, list[str]]:
    """Return the code of the machine of each span, and the machines."""
    hosts = sorted({origin.host for origin in origins})
    place_of = {host: place for place, host in enumerate(hosts)}
    host = np.array([place_of[origin.host] for origin in origins], np.int64)[columns.origin]
    return machine_codes(hosts, host, columns.trace), hosts


def _is_root(collected: Collected, columns: Columns) -> Bools:
    """Return which spans carry decision.action, or are named by a rule."""
    services = [trait.root_of for trait in collected.traits]
    if not any(services):
        return np.zeros(len(columns.trait), bool)
    pair = columns.trait.astype(np.int64) * len(collected.origins) + columns.origin
    distinct, pair_of_row = np.unique(pair, return_inverse=True)
    names = [origin.service for origin in collected.origins]
    is_root = [
        not services[each // len(names)].isdisjoint(("", names[each % len(names)]))
        for each in distinct.tolist()
    ]
    return np.array(is_root, bool)[pair_of_row]


def _tops(spans: Spans, forest: Forest) -> tuple[Bools, Bools]:
    """Return what begins a trace, and which of it has lost its parent.

    Its parentless spans; else its orphans; else cuts of its cycles, as assembly cuts them.
    """
    trace, parent_id = spans.trace[forest.row], spans.parent_id[forest.row]
    size = int(trace.max(initial=-1)) + 1
    parentless = parent_id == 0
    orphaned = (parent_id != 0) & (forest.parent < 0) & ~forest.is_cut
    has_parentless, has_orphan = np.zeros(size, bool), np.zeros(size, bool)
    has_parentless[trace[parentless]] = True
    has_orphan[trace[orphaned]] = True
    orphaned &= ~has_parentless[trace]
    cut = forest.is_cut & ~has_parentless[trace] & ~has_orphan[trace]
    return parentless | orphaned | cut, orphaned


def _roots(
    collected: Collected, columns: Columns, names: Names, root_rows: Ints, spans: Spans
) -> tuple[list[_Root], list[_Refused]]:
    """Return the roots among these rows, and why the others are none."""
    roots, refused = [], []
    ids = list(collected.decision_ids)
    decision_ids = columns.decision[root_rows].tolist()
    times = zip(spans.start_ns[root_rows].tolist(), spans.end_ns[root_rows].tolist(), strict=True)
    id_pairs = zip(names.trace_ids(root_rows), names.span_ids(root_rows), strict=True)
    for row, own_id, (start_ns, end_ns), (trace_id, span_id) in zip(
        root_rows.tolist(), decision_ids, times, id_pairs, strict=True
    ):
        words = collected.root_words.get(row, _NO_WORDS)
        where = f"span {span_id} of trace {trace_id}"
        stamped_ns = stamp(words.ingress)
        if not accepts(words.schema):
            refused.append(
                (f"{where}: decision.schema is {words.schema!r}; 1 is accepted", trace_id)
            )
        elif stamped_ns > end_ns:
            refused.append(
                (
                    f"{where}: decision.ts.ingress {stamped_ns} lies after its end {end_ns}; "
                    "correct the clock or the unit (Unix nanoseconds)",
                    trace_id,
                )
            )
        else:
            stamps = tuple(stamp(each) for each in words.stamps)
            ingress_ns = stamped_ns or start_ns
            roots.append(_Root(row, trace_id, span_id, ids[own_id], ingress_ns, stamps))
    return roots, refused


def _ordered(
    roots: list[_Root], spans: Spans, *, is_ruled: bool
) -> list[tuple[int, str, int, int, _Root]]:
    """Return roots by ingress, decision id, trace and span, with the first two of these."""
    # Where no rule says what a decision is, spans of one decision share its id.
    per_trace = Counter(root.trace_id for root in roots if not (is_ruled and root.own_id))

    def decision_id(root: _Root) -> str:
        # Of those without an id one has that of its trace, as in the store; of several none.
        alone = per_trace[root.trace_id] == 1
        own_id = root.own_id if is_ruled or alone else ""
        return own_id or (root.trace_id if alone else f"{root.trace_id}:{root.shown_id}")

    def key(root: _Root) -> tuple[int, str, int, int, _Root]:
        place = int(spans.trace[root.row]), int(spans.span_id[root.row])
        return root.ingress_ns, decision_id(root), *place, root

    return sorted((key(root) for root in roots), key=lambda root_key: root_key[:4])


def _root_columns(
    ordered: list[tuple[int, str, int, int, _Root]],
    spans: Spans,
    rows: Ints,
    decision_ids: list[str],
) -> Roots:
    stamps = np.array([root.stamps for *_, root in ordered], np.int64).reshape(-1, len(_STAMPS))
    return Roots(
        trace=spans.trace[rows],
        span_id=spans.span_id[rows],
        decision=_dense(decision_ids),
        ingress_ns=np.array([ingress_ns for ingress_ns, *_ in ordered], np.int64),
        start_ns=spans.start_ns[rows],
        end_ns=spans.end_ns[rows],
        **{name: stamps[:, index] for index, name in enumerate(_STAMPS)},
    )


def _decisions(collected: Collected, columns: Columns, decision_ids: list[str]) -> Ints:
    """Return the decision that each span names, as roots have it; NONE for none of them."""
    rank = {each: index for index, each in enumerate(sorted(set(decision_ids)))}
    codes = [rank.get(each, NONE) for each in collected.decision_ids]
    return np.array(codes, np.int64)[columns.decision]


def _links(collected: Collected, keys: Keys, traces: list[str]) -> Links:
    rank = {trace: index for index, trace in enumerate(traces)}
    links = collected.links
    return Links(
        row=np.array([row for row, _, _ in links], np.int64),
        trace=np.array([rank.get(trace, NONE) for _, trace, _ in links], np.int64),
        span_id=keys.codes([to for _, _, to in links]),
    )


def _not_first(count: int, first: Ints) -> Ints:
    is_repeat = np.ones(count, np.int64)
    is_repeat[first] = 0
    return is_repeat


def _ranks(values: list[str], ordered: list[str]) -> Ints:
    """Return the place of each value in the ordered ones."""
    place_of = {value: place for place, value in enumerate(ordered)}
    return np.array([place_of[value] for value in values], np.int64)


def _dense(values: Sequence[str]) -> Ints:
    """Return a code of each value that sorts as the values do."""
    place_of = {value: place for place, value in enumerate(sorted(set(values)))}
    return np.array([place_of[value] for value in values], np.int64)

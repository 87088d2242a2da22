"""Pure: traces as Jaeger's pages and its query API give them -> spans.

One object `{"data": [trace, ...]}`, a trace alone, or a span alone, as Elasticsearch keeps it. The
parent is the first CHILD_OF of the same trace, else the first FOLLOWS_FROM of it; other references
are links. As in Jaeger's own critical path only a consumer below a producer is not waited for,
whatever the reference says.

Source: jaeger-ui, packages/jaeger-ui/src/model/OtelSpanFacade.ts.
"""

from __future__ import annotations

from attribution.files.span import (
    NS_PER_US,
    TIME_LIMIT_NS,
    FileSpan,
    Json,
    Origin,
    as_id,
    as_ns,
    as_parent,
    as_text,
    as_word,
    check_times,
    kind_of,
    members,
)
from attribution.path.spans import KINDS

_SPAN = {"traceID", "spanID", "operationName"}
_KINDS = {kind.lower(): kind for kind in KINDS}
_US_LIMIT = TIME_LIMIT_NS // NS_PER_US
_PARENTS = ("CHILD_OF", "FOLLOWS_FROM")
# What Jaeger's own clients call the machine.
LEGACY_HOSTS = {"host.ip": "ip", "host.name": "hostname"}
# OpenTracing's words for a call to a store.
_LEGACY_STORES = frozenset({"db.type", "sql.query"})
_made = tuple.__new__


def is_span(document: Json) -> bool:
    """Return whether a JSON object is a span of Jaeger that stands alone."""
    return document.keys() >= _SPAN


class Processes:
    """What sent the spans of a trace, by the names that the trace gives them.

    They may stand behind the spans: each has its origin when it is named first.
    """

    def __init__(self) -> None:
        """Know none."""
        self._by_name: dict[str, Origin] = {}

    def state(self, name: str, process: Json) -> None:
        """Take what a process says.

        Raises:
            DecodeError: its tags are not a list of tags.
        """
        state_process(self.origin(name), process)

    def origin(self, name: str) -> Origin:
        """Return what sent the spans that name this process."""
        origin = self._by_name.get(name)
        if origin is None:
            origin = self._by_name[name] = Origin()
        return origin

    def close(self) -> None:
        """Take it that nothing more is stated of any: their trace is read."""
        for origin in self._by_name.values():
            origin.close()


def state_process(origin: Origin, process: Json) -> None:
    """Take what a process says, by its service and its tags.

    Raises:
        DecodeError: its tags are not a list of tags.
    """
    tags = _tags(process)
    for name, legacy in LEGACY_HOSTS.items():
        tags.setdefault(name, tags.get(legacy, ""))
    origin.state(as_text(process.get("serviceName")), tags)
    origin.raw = process


def with_store(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes that name a store as OpenTelemetry does, where OpenTracing's words do."""
    if _LEGACY_STORES.isdisjoint(attributes) or "db.system" in attributes:
        return attributes
    if any(attributes.get(name) for name in _LEGACY_STORES):
        return {**attributes, "db.system": attributes.get("db.type", "sql")}
    return attributes


def span_of(span: Json, trace_id: object, processes: Processes) -> FileSpan:
    """Read one span.

    Args:
        span: as it stands in a trace, or alone.
        trace_id: that of the trace, for a span that does not say its own.
        processes: those of the trace.

    Raises:
        DecodeError: a value is missing, impossible, or of another type.
    """
    get = span.get
    trace, span_id = get("traceID") or trace_id, get("spanID")
    if not (trace.__class__ is str and trace.isalnum() and trace.isascii() and trace.strip("0")):
        trace = as_id(trace, "traceID")
    if not (span_id.__class__ is str and span_id.isascii() and span_id.strip("0")):
        span_id = as_id(span_id, "spanID")
    start_ns, end_ns = _times(get("startTime"), get("duration"))
    inline = get("process")
    if isinstance(inline, dict):
        origin = Origin()
        state_process(origin, inline)
    else:
        origin = processes.origin(as_word(get("processID"), "processID"))
    references = get("references")
    parent_id, links = _references(references, trace) if references else ("", ())
    name, tags = get("operationName"), _tags(span)
    # Made as a tuple: of a hundred thousand the names of the fields cost a twentieth.
    return _made(
        FileSpan,
        (
            trace,
            span_id,
            parent_id or as_parent(get("parentSpanID"), "parentSpanID"),
            name if name.__class__ is str else as_word(name, "operationName"),
            _KINDS.get(kind) or kind_of(kind) if (kind := tags.get("span.kind")) else KINDS[0],
            origin,
            start_ns,
            end_ns,
            tags if _LEGACY_STORES.isdisjoint(tags) else with_store(tags),
            tags.get("error", ""),
            links,
            True,
            span,
            None,
        ),
    )


def _times(start: object, duration: object) -> tuple[int, int]:
    if start.__class__ is int and duration.__class__ is int:
        end = start + duration
        if 0 <= start <= end < _US_LIMIT:
            return start * NS_PER_US, end * NS_PER_US
    start_ns = as_ns(start, NS_PER_US, "startTime")
    end_ns = start_ns + as_ns(duration, NS_PER_US, "duration")
    check_times(start_ns, end_ns)
    return start_ns, end_ns


def _is_same(one: object, other: str) -> bool:
    """Return whether two texts are one trace id: Jaeger began to fill ids up with zeros in 2020."""
    return one == other or (
        isinstance(one, str) and one.lower().lstrip("0") == other.lower().lstrip("0")
    )


def _references(references: object, trace_id: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the parent, empty for none, and what else the span points at as trace and span."""
    if references.__class__ is list and len(references) == 1:
        each = references[0]
        if each.__class__ is dict and each.get("refType") == _PARENTS[0]:
            to = each.get("spanID")
            if to.__class__ is str and to.isascii() and to.strip("0"):
                trace = each.get("traceID") or trace_id
                if trace == trace_id or _is_same(trace, trace_id):
                    return to, ()
    parents = [
        (
            as_word(each.get("refType"), "refType"),
            as_word(each.get("traceID"), "traceID of a reference") or trace_id,
            as_word(each.get("spanID"), "spanID of a reference"),
        )
        for each in members({"references": references}, "references")
    ]
    for wanted in _PARENTS:
        for index, (kind, trace, span_id) in enumerate(parents):
            if kind == wanted and _is_same(trace, trace_id) and span_id.strip("0"):
                rest = parents[:index] + parents[index + 1 :]
                return span_id, tuple((other, target) for _, other, target in rest)
    return "", tuple((trace, to) for _, trace, to in parents)


def _tags(node: Json) -> dict[str, str]:
    pairs = node.get("tags")
    if not pairs and pairs in (None, []):
        return {}
    if pairs.__class__ is list:
        try:
            tags = {
                pair["key"]: value if (value := pair["value"]).__class__ is str else as_text(value)
                for pair in pairs
            }
            "".join(tags)  # fails where a name is not a text
        except (KeyError, TypeError):
            pass
        else:
            return tags
    return {
        as_word(pair.get("key"), "the name of a tag"): as_text(pair.get("value"))
        for pair in members(node, "tags")
    }

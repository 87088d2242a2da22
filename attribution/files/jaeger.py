"""Pure: traces as Jaeger's pages and its query API give them -> spans.

One object `{"data": [trace, ...]}`, a trace alone, or a span alone, as Elasticsearch keeps it. The
parent is the first CHILD_OF of the same trace, else the first FOLLOWS_FROM of it; other references
are links. As in Jaeger's own critical path only a consumer below a producer is not waited for,
whatever the reference says.

Source: jaeger-ui, packages/jaeger-ui/src/model/OtelSpanFacade.ts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from attribution.files.span import (
    NS_PER_US,
    FileSpan,
    Json,
    ReadSpan,
    as_ns,
    as_parent,
    as_text,
    checked,
    clock_error_of,
    host_of,
    kind_of,
    members,
)
from attribution.path.spans import NONE

_SPAN = {"traceID", "spanID", "operationName"}
_PARENTS = ("CHILD_OF", "FOLLOWS_FROM")
# What Jaeger's own clients call the machine.
_LEGACY_HOSTS = {"host.ip": "ip", "host.name": "hostname"}
# OpenTracing's words for a call to a store.
_LEGACY_STORES = ("db.type", "sql.query")


def is_jaeger(document: Json) -> bool:
    """Return whether a JSON object is a trace or span of Jaeger, or an answer that holds some."""
    return _traces(document) is not None


def jaeger_spans(document: Json) -> Iterator[ReadSpan]:
    """Yield, for each span of a document, what reads it."""
    for trace in _traces(document) or ():
        found = trace.get("processes")
        processes = {
            name: _process(process)
            for name, process in (found if isinstance(found, dict) else {}).items()
            if isinstance(process, dict)
        }
        trace_id = as_text(trace.get("traceID"))
        for span in members(trace, "spans"):
            yield partial(_from_json, span, trace_id, processes)


def _traces(document: Json) -> Iterable[Json] | None:
    found = document.get("data", document)
    if isinstance(found, list):
        return members(document, "data")
    if not isinstance(found, dict):
        return None
    if found.keys() >= _SPAN:
        return ({"spans": [found]},)
    return (found,) if "spans" in found else None


def with_store(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes that name a store as OpenTelemetry does, where OpenTracing's words do."""
    if "db.system" not in attributes:
        for name in _LEGACY_STORES:
            if attributes.get(name):
                return {**attributes, "db.system": attributes.get("db.type", "sql")}
    return attributes


def _from_json(span: Json, trace_id: str, processes: dict[str, tuple[str, str, int]]) -> FileSpan:
    trace_id = as_text(span.get("traceID")) or trace_id
    start_ns = as_ns(span.get("startTime"), NS_PER_US, "startTime")
    tags = _tags(span)
    inline = span.get("process")
    service, host, clock_error_ns = (
        _process(inline)
        if isinstance(inline, dict)
        else processes.get(as_text(span.get("processID")), ("", "", NONE))
    )
    parent_id, links = _references(span, trace_id)
    return checked(
        FileSpan(
            trace_id=trace_id,
            span_id=as_text(span.get("spanID")),
            parent_id=parent_id,
            name=as_text(span.get("operationName")),
            kind=kind_of(tags.get("span.kind", "")),
            service=service,
            host=host,
            clock_error_ns=clock_error_ns,
            start_ns=start_ns,
            end_ns=start_ns + as_ns(span.get("duration"), NS_PER_US, "duration"),
            attributes=with_store(tags),
            status=tags.get("error", ""),
            links=links,
        )
    )


def _references(span: Json, trace_id: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the parent, and what else the span points at as trace and span."""
    found = [
        (
            as_text(each.get("refType")),
            as_text(each.get("traceID")) or trace_id,
            as_text(each.get("spanID")),
        )
        for each in members(span, "references")
    ]
    for wanted in _PARENTS:
        for at, (kind, trace, span_id) in enumerate(found):
            if kind == wanted and trace == trace_id and span_id:
                rest = found[:at] + found[at + 1 :]
                return span_id, tuple((other, target) for _, other, target in rest)
    return as_parent(span.get("parentSpanID")), tuple((trace, to) for _, trace, to in found)


def _process(process: Json) -> tuple[str, str, int]:
    """Return the service and the machine of a process, and the bound of its clock's error."""
    tags = _tags(process)
    for name, legacy in _LEGACY_HOSTS.items():
        tags.setdefault(name, tags.get(legacy, ""))
    return as_text(process.get("serviceName")), host_of(tags), clock_error_of(tags)


def _tags(node: Json) -> dict[str, str]:
    return {as_text(tag.get("key")): as_text(tag.get("value")) for tag in members(node, "tags")}

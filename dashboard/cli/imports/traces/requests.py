"""Pure: spans of trace files -> export requests, each under a bound of spans and bytes.

The same file gives the same requests. A span waits until the file has stated what sent it, which
some state behind their spans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from attribution.files.refused import Refused
from attribution.files.span import FileSpan, Origin
from attribution.path.spans import CLIENT, KINDS, SERVER
from collector.core.errors import DecodeError
from dashboard.cli.imports.traces.messages import (
    is_shared,
    message_of,
    named_resource,
    resource_of,
    scope_of,
    server_half,
    span_id_of,
    trace_id_of,
)

# Each request is one insert: a smaller one costs the store as much, a larger one more memory.
SPANS_MAX: Final = 8_192
BYTES_MAX: Final = 8 * 2**20
# What waits for what sent it. A trace of Jaeger is a megabyte.
_HELD_BYTES_MAX: Final = 2**26

# Of each id that a client and a server share, the services of the two.
Halves = Mapping[tuple[bytes, bytes], tuple[str, str]]


@dataclass(slots=True)
class SharedIds:
    """Takes the spans of every file, and finds the ids that a client and a server share."""

    count: int = 0
    _shared: set[tuple[bytes, bytes]] = field(default_factory=set)
    # What sent a server is often stated behind it.
    _origins: dict[tuple[bytes, bytes, int], Origin] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many spans it took."""
        return self.count

    def add(self, span: FileSpan) -> None:
        """Take one span."""
        self.count += 1
        kind = KINDS.index(span.kind)
        if not span.may_be_shared or kind not in (CLIENT, SERVER):
            return
        try:
            key = trace_id_of(span), span_id_of(span.span_id)
        except DecodeError:  # named where it is imported
            return
        self._origins[*key, kind] = span.origin
        if kind == SERVER and is_shared(span):
            self._shared.add(key)

    def halves(self) -> Halves:
        """Return what was found."""
        found = {}
        for (*key, kind), origin in self._origins.items():
            trace_id, span_id = key
            client = self._origins.get((trace_id, span_id, CLIENT))
            if kind == SERVER and (client or (trace_id, span_id) in self._shared):
                caller = client.service if client else ""
                found[trace_id, span_id] = (caller, origin.service)
        return found


class Requests:
    """Takes spans, and hands on requests.

    Args:
        send: takes one serialised request, and how many spans are in it.
        halves: returns the ids that a client and a server share; asked at the first span that may
            have one.
    """

    def __init__(self, send: Callable[[bytes, int], None], halves: Callable[[], Halves]) -> None:
        self.refused = Refused()
        self.first_ns = self.last_ns = 0  # of what was taken: the first begin and the last end
        self._send = send
        self._ask_halves = halves
        self._halves: Halves | None = None
        self._count = 0
        self._held: list[tuple[FileSpan, Span]] = []
        self._held_bytes = 0
        self._groups: dict[tuple[bytes, bytes], list[Span]] = {}
        self._keys: dict[int, tuple[Origin, bytes]] = {}
        self._spans = self._bytes = 0

    def __len__(self) -> int:
        """Return how many spans it took, those that have no place in OTLP among them."""
        return self._count

    def add(self, span: FileSpan) -> None:
        """Take one span; one that has no place in OTLP is refused by name."""
        self._count += 1
        try:
            message = message_of(span)
        except DecodeError as error:
            self._refuse(str(error), span)
            return
        if span.may_be_shared and self._halves is None:
            self._halves = self._ask_halves()
        if span.origin.is_stated:
            self._put(span, message)
        else:
            self._hold(span, message)

    def close(self) -> None:
        """Hand on what is left: the file is read."""
        self._release(is_end=True)
        self._flush()

    def _hold(self, span: FileSpan, message: Span) -> None:
        if self._held and self._held[-1][0].origin.is_stated:
            self._release()
        size = message.ByteSize()
        if self._held_bytes + size > _HELD_BYTES_MAX:
            self._refuse(
                f"what sent it stands behind {_HELD_BYTES_MAX // 2**20} MiB of its spans; "
                "write resources or processes before their spans, or split the trace",
                span,
            )
            return
        self._held.append((span, message))
        self._held_bytes += size

    def _release(self, *, is_end: bool = False) -> None:
        waiting = []
        for span, message in self._held:
            if is_end or span.origin.is_stated:
                self._put(span, message)
            else:
                waiting.append((span, message))
        self._held = waiting
        self._held_bytes = sum(message.ByteSize() for _, message in waiting)

    def _put(self, span: FileSpan, message: Span) -> None:
        if self._halves and span.may_be_shared:
            _divide(message, span, self._halves)
        begin_ns, end_ns = message.start_time_unix_nano, message.end_time_unix_nano
        self.first_ns = min(self.first_ns or begin_ns, begin_ns)
        self.last_ns = max(self.last_ns, end_ns)
        size = message.ByteSize()
        if self._spans and (self._spans >= SPANS_MAX or self._bytes + size > BYTES_MAX):
            self._flush()
        scope = scope_of(span).SerializeToString(deterministic=True)
        resource = self._resource(span.origin)
        group = self._groups.get((resource, scope))
        if group is None:
            group = self._groups[resource, scope] = []
            size += len(resource) + len(scope)
        group.append(message)
        self._spans += 1
        self._bytes += size

    def _resource(self, origin: Origin) -> bytes:
        known = self._keys.get(id(origin))
        if known is not None and known[0] is origin:
            return known[1]
        try:
            resource = resource_of(origin)
        except DecodeError as error:
            where = f"what sent span {self._count}"
            why = f"{error}; of it service and host are imported"
            self.refused.add(where, why, is_span=False)
            resource = named_resource(origin)
        found = resource.SerializeToString(deterministic=True)
        if len(self._keys) >= SPANS_MAX:
            self._keys.clear()
        self._keys[id(origin)] = (origin, found)
        return found

    def _flush(self) -> None:
        if not self._spans:
            return
        request = ExportTraceServiceRequest()
        by_resource: dict[bytes, list[ScopeSpans]] = {}
        for (resource, scope), spans in self._groups.items():
            by_resource.setdefault(resource, []).append(
                ScopeSpans(scope=InstrumentationScope.FromString(scope), spans=spans)
            )
        for resource, scopes in by_resource.items():
            request.resource_spans.add(resource=Resource.FromString(resource), scope_spans=scopes)
        count = self._spans
        self._groups, self._spans, self._bytes = {}, 0, 0
        self._send(request.SerializeToString(), count)

    def _refuse(self, why: str, span: FileSpan) -> None:
        self.refused.add(f"span {self._count}", why, (span.trace_id,))


def _divide(message: Span, span: FileSpan, halves: Halves) -> None:
    """Give a server's half an id of its own, and what is below it that half as its parent."""
    key = message.trace_id, message.span_id
    if span.kind == KINDS[SERVER] and key in halves:
        message.parent_span_id = message.span_id
        message.span_id = server_half(*key)
        return
    above = message.trace_id, message.parent_span_id
    found = halves.get(above)
    if found is not None and not span.origin.service == found[0] != found[1]:
        message.parent_span_id = server_half(*above)


def divided(body: bytes) -> list[tuple[bytes, int]]:
    """Return a request of several spans as two, and how many spans each has."""
    request = ExportTraceServiceRequest.FromString(body)
    spans = [
        (resource.resource, scope.scope, span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    halves = []
    for part in (spans[: len(spans) // 2], spans[len(spans) // 2 :]):
        half = ExportTraceServiceRequest()
        for resource, scope, span in part:
            half.resource_spans.add(
                resource=resource, scope_spans=[ScopeSpans(scope=scope, spans=[span])]
            )
        halves.append((half.SerializeToString(), len(part)))
    return halves

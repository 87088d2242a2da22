"""I/O: a request of spans of which the store may have some already, as an importer sends it.

A span is known by its trace, its id and its times. Before it looks, everything acknowledged is
brought into the store: so a file that is imported again, or overlaps another, or holds what came
live, or goes on after a crash, leaves each span once. Two that share an id and differ are stored
both, as of every sender.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf import message
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from collector.core.errors import StoreUnavailableError
from collector.core.sql import sql
from collector.core.times import NS_PER_US
from collector.otlp.check import Signal
from collector.otlp.limits import SPAN_ID_BYTES, TRACE_ID_BYTES
from collector.receive.pipeline import Intake
from collector.store.connect import Connections

# The request header that asks for it, and the answer's, which has how many were there already.
HEADER: Final = b"millworth-once"
# The answer's, which has how many were in the request before, to the letter.
TWICE_HEADER: Final = b"millworth-twice"

_KNOWN: Final = sql("known_spans", __file__)
_TRACES_MAX: Final = 2_000  # ids of one query
# A file may have cut the times of the same spans to microseconds.
_CUT_NS: Final = NS_PER_US
_STORED_SECONDS_MAX: Final = 15.0
_TIME_MAX_NS: Final = 2**63 - 1 - _CUT_NS

_Key = tuple[bytes, bytes]
_Times = tuple[int, int]  # of its begin, and its length


@dataclass(frozen=True, slots=True)
class Taken:
    """What an importer is answered."""

    answer: Message
    known: int = 0  # spans that were there already
    twice: int = 0  # spans that were in the request before


class Deduplicator:
    """Takes what the store does not have yet.

    Args:
        intake: takes the rest, by the checks that hold for all.
        store: where spans are looked up.
        settle: brings everything acknowledged into the store within so many seconds; returns
            whether it is there.
    """

    def __init__(self, intake: Intake, store: Connections, settle: Callable[[float], bool]) -> None:
        self._intake = intake
        self._store = store
        self._settle = settle
        # Two importers of one file would each find that its spans are new.
        self._lock = threading.Lock()

    def take(self, body: Callable[[], bytes], transport: str, is_gone: Callable[[], bool]) -> Taken:
        """Take one request, and return after its sync.

        Raises:
            StoreUnavailableError: what was received before is not in the store yet; try again.
            MillworthError: as of `Intake.receive`.
        """
        given = body()
        try:
            request = ExportTraceServiceRequest.FromString(given)
        except message.DecodeError:
            # The intake counts it, and says what is wrong.
            receipt = self._intake.receive(Signal.TRACES, given, transport, is_gone)
            return Taken(receipt.answer)
        with self._lock:
            if not self._settle(_STORED_SECONDS_MAX):
                raise StoreUnavailableError(
                    "what was received before is not in the store yet, without which nobody knows "
                    "what is new; retry later"
                )
            known, twice = self._keep_new(request)
            if not any(True for _ in _spans(request)):
                return Taken(ExportTraceServiceResponse(), known, twice)
            body_left = request.SerializeToString() if known or twice else given
            receipt = self._intake.receive(
                Signal.TRACES, body_left, transport, is_gone, is_live=False
            )
            receipt.synced.result()
        return Taken(receipt.answer, known, twice)

    def _keep_new(self, request: ExportTraceServiceRequest) -> tuple[int, int]:
        """Take out of a request what is stored, and what it has said; return how many of each."""
        stored = self._stored(request)
        often = Counter(_key(span) for span in _spans(request))
        contents: set[bytes] = set()
        known = twice = 0
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                kept = []
                for span in scope.spans:
                    key = _key(span)
                    if any(_is_of(span, times) for times in stored.get(key, ())):
                        known += 1
                        continue
                    if often[key] > 1:
                        alone = _alone(resource, scope, span)
                        if alone in contents and self._intake.takes_spans(alone):
                            twice += 1
                            continue
                        contents.add(alone)  # what is refused is refused each time
                    kept.append(span)
                if len(kept) < len(scope.spans):
                    rest = ScopeSpans(spans=kept)
                    del scope.spans[:]
                    scope.MergeFrom(rest)
        _drop_empty(request)
        return known, twice

    def _stored(self, request: ExportTraceServiceRequest) -> dict[_Key, list[_Times]]:
        spans = list(_spans(request))
        times: dict[_Key, list[_Times]] = defaultdict(list)
        if not spans:
            return times
        starts = [min(span.start_time_unix_nano, _TIME_MAX_NS) for span in spans]
        around = {"from_ns": max(min(starts) - _CUT_NS, 0), "to_ns": max(starts) + _CUT_NS}
        traces = sorted({span.trace_id.hex() for span in spans if _is_named(_key(span))})
        try:
            client = self._store.client()
            for begin in range(0, len(traces), _TRACES_MAX):
                part = traces[begin : begin + _TRACES_MAX]
                rows = client.query(_KNOWN, parameters={"trace_ids": part, **around}).result_rows
                for trace, span, start_ns, length_ns in rows:
                    key = bytes.fromhex(trace), bytes.fromhex(span)
                    times[key].append((start_ns, length_ns))
        finally:
            self._store.close()
        return times


def _key(span: Span) -> _Key:
    return span.trace_id, span.span_id


def _is_of(span: Span, times: _Times) -> bool:
    """Return whether a span has such times, which a file may have cut, begin and length each."""
    start_ns, length_ns = times
    apart_ns = span.end_time_unix_nano - start_ns - length_ns
    return abs(span.start_time_unix_nano - start_ns) <= _CUT_NS and abs(apart_ns) <= 2 * _CUT_NS


def _alone(resource: ResourceSpans, scope: ScopeSpans, span: Span) -> bytes:
    """Return all that a request says of one span, as a request."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add(
        resource=resource.resource, schema_url=resource.schema_url
    )
    of_resource.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url, spans=[span])
    return request.SerializeToString(deterministic=True)


def _is_named(key: _Key) -> bool:
    return len(key[0]) == TRACE_ID_BYTES and len(key[1]) == SPAN_ID_BYTES


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _drop_empty(request: ExportTraceServiceRequest) -> None:
    for index in reversed(range(len(request.resource_spans))):
        scopes = request.resource_spans[index].scope_spans
        for inner in reversed(range(len(scopes))):
            if not scopes[inner].spans:
                del scopes[inner]
        if not scopes:
            del request.resource_spans[index]

"""I/O: a request of spans of which the store may have some already, as an importer sends it.

A span is known by its trace and its id. Before it looks, everything acknowledged is brought into
the store: so a file that is imported again, or overlaps another, or holds what came live, or goes
on after a crash, leaves each span once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf import message
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from collector.core.clock import NS_PER_S
from collector.core.errors import StoreUnavailableError
from collector.core.sql import sql
from collector.otlp.check import Signal
from collector.otlp.limits import SPAN_ID_BYTES, TRACE_ID_BYTES
from collector.receive.pipeline import Intake
from collector.store.connect import Connections

# The request header that asks for it, and the answer's, which has how many were there already.
HEADER: Final = b"millworth-once"

_KNOWN: Final = sql("known_spans", __file__)
_TRACES_MAX: Final = 2_000  # ids of one query
# A file may have cut the times of the same spans to microseconds.
_CUT_NS: Final = NS_PER_S
_STORED_SECONDS_MAX: Final = 15.0
_TIME_MAX_NS: Final = 2**63 - 1 - _CUT_NS

_Key = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an importer is answered."""

    answer: Message
    known: int  # spans that were there already, or twice in the request


class Once:
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
            return Taken(receipt.answer, 0)
        with self._lock:
            if not self._settle(_STORED_SECONDS_MAX):
                raise StoreUnavailableError(
                    "what was received before is not in the store yet, without which nobody knows "
                    "what is new; retry later"
                )
            known = self._keep_new(request)
            if not any(True for _ in _scopes(request)):
                return Taken(ExportTraceServiceResponse(), known)
            rest = request.SerializeToString() if known else given
            receipt = self._intake.receive(Signal.TRACES, rest, transport, is_gone)
            receipt.synced.result()
        return Taken(receipt.answer, known)

    def _keep_new(self, request: ExportTraceServiceRequest) -> int:
        """Take out of a request what is stored, or stands in it before; return how many."""
        seen = self._stored(request)
        count = 0
        for scope in _scopes(request):
            kept = []
            for span in scope.spans:
                key = (span.trace_id, span.span_id)
                if key in seen:
                    count += 1
                    continue
                if _is_named(key):  # else the check refuses it, each time
                    seen.add(key)
                kept.append(span)
            if len(kept) < len(scope.spans):
                rest = ScopeSpans(spans=kept)
                del scope.spans[:]
                scope.MergeFrom(rest)
        _drop_empty(request)
        return count

    def _stored(self, request: ExportTraceServiceRequest) -> set[_Key]:
        spans = [span for scope in _scopes(request) for span in scope.spans]
        if not spans:
            return set()
        starts = [min(span.start_time_unix_nano, _TIME_MAX_NS) for span in spans]
        around = {"from_ns": max(min(starts) - _CUT_NS, 0), "to_ns": max(starts) + _CUT_NS}
        traces = sorted(
            {span.trace_id.hex() for span in spans if _is_named((span.trace_id, span.span_id))}
        )
        found: set[_Key] = set()
        try:
            client = self._store.client()
            for begin in range(0, len(traces), _TRACES_MAX):
                part = traces[begin : begin + _TRACES_MAX]
                rows = client.query(_KNOWN, parameters={"trace_ids": part, **around}).result_rows
                found.update((bytes.fromhex(trace), bytes.fromhex(span)) for trace, span in rows)
        finally:
            self._store.close()
        return found


def _is_named(key: _Key) -> bool:
    return len(key[0]) == TRACE_ID_BYTES and len(key[1]) == SPAN_ID_BYTES


def _scopes(request: ExportTraceServiceRequest) -> Iterator[ScopeSpans]:
    return (scope for resource in request.resource_spans for scope in resource.scope_spans)


def _drop_empty(request: ExportTraceServiceRequest) -> None:
    for at in reversed(range(len(request.resource_spans))):
        scopes = request.resource_spans[at].scope_spans
        for inner in reversed(range(len(scopes))):
            if not scopes[inner].spans:
                del scopes[inner]
        if not scopes:
            del request.resource_spans[at]

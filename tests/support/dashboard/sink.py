"""A tiny OTLP/HTTP receiver that keeps what it gets."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """One span as it arrived; ids are hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    resource: dict[str, Any]

    @property
    def duration_ns(self) -> int:
        """Return how long it took."""
        return self.end_ns - self.start_ns


def plain(attributes: RepeatedCompositeFieldContainer[KeyValue]) -> dict[str, Any]:
    """Return attributes of simple values."""
    return {
        a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in attributes
    }


class Sink:
    """The receiver; a context manager."""

    def __init__(self) -> None:
        self.spans: list[StoredSpan] = []
        self.outcomes: list[dict[str, Any]] = []
        self.checkpoints: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            """Takes one export request."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Keep it."""
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        """Return where to send to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> None:
        """Decode one request."""
        with self._changed:
            if path == "/v1/traces":
                self._take_spans(ExportTraceServiceRequest.FromString(body))
            else:
                self._take_logs(ExportLogsServiceRequest.FromString(body))
            self._changed.notify_all()

    def wait_for_roots(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many decisions have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.roots()) >= count, timeout_s)

    def roots(self) -> list[StoredSpan]:
        """Return the root of every decision."""
        return [span for span in self.spans if "decision.action" in span.attributes]

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for resource_spans in request.resource_spans:
            resource = plain(resource_spans.resource.attributes)
            self.spans.extend(
                StoredSpan(
                    service=resource["service.name"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex(),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=plain(span.attributes),
                    resource=resource,
                )
                for scope_spans in resource_spans.scope_spans
                for span in scope_spans.spans
            )

    def _take_logs(self, request: ExportLogsServiceRequest) -> None:
        for resource_logs in request.resource_logs:
            for scope_logs in resource_logs.scope_logs:
                for record in scope_logs.log_records:
                    kept = {
                        "decision.outcome": self.outcomes,
                        "provenance.checkpoint": self.checkpoints,
                    }[record.event_name]
                    kept.append(plain(record.attributes))

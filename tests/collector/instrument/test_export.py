"""How a service's decisions leave it: over one connection, and again where that is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from collector.instrument import DecisionExporter, DecisionInstrument

TIMEOUT_S = 10


class Receiver(ThreadingHTTPServer):
    """A receiver that answers as it is told, then OK, and keeps what it got."""

    daemon_threads = True

    def __init__(self, answers: list[tuple[int, str]]) -> None:
        self.answers = answers
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.content = b""  # of its answers
        self.connections = 0
        self.answered = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Return where to send."""
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def names(self) -> list[list[str]]:
        """Return the names of the spans of each request."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            [span.name for r in request.resource_spans for s in r.scope_spans for span in s.spans]
            for request in requests
        ]


class Handler(BaseHTTPRequestHandler):
    """Takes one request after another; 0 for an answer hangs up instead."""

    protocol_version = "HTTP/1.1"
    server: Receiver

    def setup(self) -> None:
        """Count a connection."""
        self.server.connections += 1
        super().setup()

    def do_POST(self) -> None:
        """Keep the request and answer it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        status, retry_after = self.server.answers.pop(0) if self.server.answers else (200, "")
        if status == 0:
            self.close_connection = True
            return
        self.server.bodies.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(status)
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)
        self.server.answered.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(*answers: tuple[int, str]) -> Iterator[Receiver]:
    """Yield a started receiver."""
    with Receiver(list(answers)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def finished(name: str) -> ReadableSpan:
    """Return a span as an exporter gets it."""
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    return ReadableSpan(name=name, context=context, resource=Resource({}), start_time=1, end_time=2)


def test_batches_go_over_one_connection_with_the_headers_given() -> None:
    """A connection a batch would cost more than the batch."""
    with receiving() as server:
        exporter = DecisionExporter(server.url, headers={"authorization": "Bearer t"})
        results = [exporter.export([finished(name)]) for name in ("a", "b")]
        exporter.shutdown()

    assert results == [SpanExportResult.SUCCESS] * 2
    assert server.names() == [["a"], ["b"]]
    assert server.connections == 1
    assert server.headers[0]["authorization"] == "Bearer t"
    assert server.headers[0]["content-type"] == "application/x-protobuf"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_batch_is_sent_again_where_the_answer_asks_for_it(status: int) -> None:
    """OTLP names these; a collector that is restarted is one of them."""
    with receiving((status, "0")) as server:
        exporter = DecisionExporter(server.url)
        result = exporter.export([finished("a")])
        exporter.shutdown()

    assert result is SpanExportResult.SUCCESS
    assert server.names() == [["a"], ["a"]]


def test_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    """Every server closes what is idle."""
    with receiving((200, ""), (0, "")) as server:
        exporter = DecisionExporter(server.url)
        results = [exporter.export([finished(name)]) for name in ("a", "b")]
        exporter.shutdown()

    assert results == [SpanExportResult.SUCCESS] * 2
    assert server.names() == [["a"], ["b"]]
    assert server.connections == 2


def test_batch_that_is_refused_is_not_sent_again() -> None:
    """The same bytes would be refused again, and hold up those behind them."""
    with receiving((400, "")) as server:
        exporter = DecisionExporter(server.url)
        result = exporter.export([finished("a")])
        exporter.shutdown()

    assert result is SpanExportResult.FAILURE
    assert server.names() == [["a"]]


def test_spans_that_were_rejected_alone_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver takes the others with 200; a text of a proxy's own is no rejection."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "span_id has 7 bytes"
    with receiving() as server:
        exporter = DecisionExporter(server.url)
        for server.content in (answer.SerializeToString(), b"<html>OK</html>"):
            assert exporter.export([finished("a")]) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert exporter.rejected == 2
    assert "2 decisions were rejected by /v1/traces: span_id has 7 bytes" in caplog.text


@pytest.mark.parametrize("answer", [(503, "60"), (0, "")], ids=["asks for longer", "hangs up"])
def test_batch_is_given_up_after_its_time(answer: tuple[int, str]) -> None:
    """A collector that is gone must not fill the service's memory."""
    with receiving(*[answer] * 50) as server:
        exporter = DecisionExporter(server.url, timeout_s=0.05)
        result = exporter.export([finished("a")])
        exporter.shutdown()

    assert result is SpanExportResult.FAILURE


def test_shutdown_ends_a_wait() -> None:
    """A service that stops does not wait for a collector that asked for a minute."""
    with receiving((503, "9")) as server:
        exporter = DecisionExporter(server.url)
        results: list[SpanExportResult] = []
        thread = threading.Thread(target=lambda: results.append(exporter.export([finished("a")])))
        thread.start()
        assert server.answered.wait(TIMEOUT_S)
        exporter.shutdown()
        thread.join(TIMEOUT_S / 2)

    assert results == [SpanExportResult.FAILURE]
    assert server.names() == [["a"]]


@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://host:4317", "http://"])
def test_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    """At the start, where somebody reads it."""
    with pytest.raises(ValueError, match="is not http://HOST:PORT/PATH"):
        DecisionExporter(endpoint)


def test_instrument_encodes_small_slices_and_larger_ones_when_it_is_behind() -> None:
    """Small ones stall a decision least; a queue that fills must not pause after every four."""
    with receiving() as server:
        instrument = DecisionInstrument(
            DecisionExporter(server.url), Resource({}), export_every_s=3600
        )
        for count in (10, 800):
            for _ in range(count):
                instrument.begin("offer").end()
            assert instrument.flush()
        instrument.shutdown()

    sizes = [slices(body) for body in server.bodies]
    assert sizes[0] == [4, 4, 2], "one request of three slices"
    assert max(max(own) for own in sizes[1:]) == 800 // 64
    assert all(128 <= sum(own) < 128 + 800 // 64 for own in sizes[1:-1]), "full requests"
    assert sum(map(sum, sizes)) == 810
    assert (instrument.exported, instrument.failed) == (810, 0)


def test_slices_of_a_request_that_is_refused_are_counted_together() -> None:
    """What was encoded and not taken has failed, and what comes next is not in its request."""
    with receiving((400, "")) as server:
        instrument = DecisionInstrument(
            DecisionExporter(server.url), Resource({}), export_every_s=3600
        )
        for count in (10, 6):
            for _ in range(count):
                instrument.begin("offer").end()
            assert instrument.flush()
        instrument.shutdown()

    assert [slices(body) for body in server.bodies] == [[4, 4, 2], [4, 2]]
    assert (instrument.exported, instrument.failed) == (6, 10)


def slices(body: bytes) -> list[int]:
    """Return how many spans each slice of a request has."""
    request = ExportTraceServiceRequest.FromString(body)
    return [sum(len(s.spans) for s in r.scope_spans) for r in request.resource_spans]

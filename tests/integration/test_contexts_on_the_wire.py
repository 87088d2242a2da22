"""I/O: real HTTP/1.1 and gRPC on loopback, recorded, and linked by what the requests said."""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
import hpack
import pytest

from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig
from packet.correlate.trace_context import HEADER, HPACK, as_contexts, naming
from packet.decode.decode import decode
from packet.decode.sampler import Selection
from packet.jobs.packets import PacketJob
from tests.support.packet.build import frame
from tests.support.packet.seed import Span, insert_request, insert_spans
from tests.support.packet.traffic import recorder

pytestmark = [pytest.mark.integration, pytest.mark.alone]

_CLOCK = SystemClock()
_SECRET = "card-4111111111111111"
_LINKS = (
    "SELECT span_id, method, confidence, wire_ns, packets, from_ns, to_ns FROM span_flows FINAL "
    "ORDER BY from_ns, span_id"
)
_SAID = "SELECT uniqExactIf(trace_id, trace_id != '') FROM wire_contexts"

_Ask: TypeAlias = Callable[[str], None]  # send one request with a traceparent


def _ids(number: int) -> tuple[str, str, str]:
    trace_id, span_id = f"{number:032x}", f"{0xABC000 + number:016x}"
    return trace_id, span_id, f"00-{trace_id}-{span_id}-01"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer with a body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _http() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _grpc() -> Iterator[int]:
    echo = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    handler = grpc.method_handlers_generic_handler("shop.Price", {"Get": echo})
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def _ask_http(port: int) -> Iterator[_Ask]:
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(traceparent: str) -> None:
        connection.request("POST", "/price", _SECRET, {"Traceparent": traceparent})
        assert connection.getresponse().read() == b"ok"

    with closing(connection):
        yield ask


@contextmanager
def _ask_grpc(port: int) -> Iterator[_Ask]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/shop.Price/Get", bytes, bytes)

        def ask(traceparent: str) -> None:
            answer = call(_SECRET.encode(), metadata=(("traceparent", traceparent),))
            assert answer == _SECRET.encode()

        yield ask


def _spans(ask: _Ask, numbers: range) -> list[Span]:
    """Ask once each; return the spans of both sides as an SDK without ports writes them."""
    spans = []
    for number in numbers:
        trace_id, span_id, traceparent = _ids(number)
        start_ns = _CLOCK.now_ns()
        ask(traceparent)
        end_ns = _CLOCK.now_ns()
        root = Span(trace_id, f"{number:016x}", start_ns - 1, end_ns + 1,
                    {"decision.action": "price"}, kind="Server")  # fmt: skip
        caller = Span(trace_id, span_id, start_ns, end_ns, {}, parent_span_id=root.span_id)
        callee = replace(caller, span_id=f"{0xDEF000 + number:016x}", kind="Server",
                         parent_span_id=span_id)  # fmt: skip
        spans += [root, caller, callee]
    return spans


@pytest.mark.parametrize(
    ("serve", "client", "method"), [(_http, _ask_http, HEADER), (_grpc, _ask_grpc, HPACK)]
)
def test_spans_without_ports_are_linked_to_the_packets_that_named_them(
    store: Connections,
    serve: Callable[[], Any],
    client: Callable[[int], AbstractContextManager[_Ask]],
    method: str,
) -> None:
    """Recorded from the middle of a connection; every link is sure, and no payload is anywhere."""
    with serve() as port, client(port) as ask:
        for number in range(1, 4):  # before the recorder began: HPACK's tables are not known
            ask(_ids(number)[2])
        with recorder(PacketConfig(ports=(port,))) as process:
            from_ns = _CLOCK.now_ns()
            spans = _spans(ask, range(10, 22))
            _no_payload(process, from_ns)
            insert_spans(store, spans)
            now_ns = _CLOCK.now_ns()
            config = PacketConfig(ports=(port,), sample_ratio=1.0, settle_s=0.0)
            report = PacketJob(config, AttributesConfig(), store, process).run_once(now_ns)
    rows = list(store.client().query(_LINKS).named_results())
    expected = {span.span_id: span for span in spans if span.parent_span_id}
    assert {row["span_id"] for row in rows} == set(expected)
    assert report.linked == len(rows) == 24
    for row in rows:
        span = expected[row["span_id"]]
        assert (row["method"], row["confidence"]) == (method, 1.0)
        assert span.start_ns <= row["from_ns"] < row["to_ns"] <= span.end_ns
        assert 0 < row["wire_ns"] < span.end_ns - span.start_ns
    (said,) = store.client().query(_SAID).result_rows
    assert said == (12,)


def test_frames_of_the_connection_end_no_exchange_on_the_wire(store: Connections) -> None:
    """The caller hears a ping and its own window before the answer, and a ping behind it."""
    headers = hpack.Encoder().encode([("traceparent", _ids(10)[2])])
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as peer,
        recorder(PacketConfig(ports=(server.getsockname()[1],))) as process,
    ):
        start_ns = _CLOCK.now_ns()
        _say(client, peer, frame(1, headers))
        for payload in (frame(6, bytes(8)) + frame(8, bytes(4)), frame(6, bytes(8))):
            _say(peer, client, payload)
        _say(client, peer, frame(6, bytes(8), flags=1))
        _say(peer, client, frame(1, b"\x88", flags=5))
        end_ns = _CLOCK.now_ns()
        _say(peer, client, frame(6, bytes(8)))
        insert_spans(store, [Span(*_ids(10)[:2], start_ns, end_ns, {"decision.action": "price"})])
        config = PacketConfig(ports=(server.getsockname()[1],), sample_ratio=1.0, settle_s=0.0)
        PacketJob(config, AttributesConfig(), store, process).run_once(_CLOCK.now_ns())
    (row,) = store.client().query(_LINKS).named_results()
    assert (row["method"], row["packets"]) == (HPACK, 2)
    assert start_ns <= row["from_ns"] < row["to_ns"] <= end_ns
    assert row["wire_ns"] == row["to_ns"] - row["from_ns"]
    marks = store.client().query("SELECT count() FROM wire_contexts WHERE method = 'connection'")
    assert marks.result_rows == [(4,)]


def _say(sender: socket.socket, receiver: socket.socket, payload: bytes) -> None:
    sender.sendall(payload)
    assert receiver.recv(len(payload), socket.MSG_WAITALL) == payload


def _no_payload(process: RecorderProcess, from_ns: int) -> None:
    selection = Selection(from_ns, _CLOCK.now_ns())
    frames = process.pull(selection)
    assert (frames.wire_bytes - frames.lengths == decode(frames).columns.payload_bytes).all()
    assert _SECRET.encode() not in frames.data.tobytes()
    contexts = naming(process.contexts(selection))
    assert len(contexts) == process.stats().contexts == 12
    assert process.stats().unsearched == 0
    assert len(process.contexts(selection, {_ids(11)[0]})) == 1
    assert as_contexts(contexts)[0].trace_id == _ids(10)[0]
    assert len(process.contexts(Selection(from_ns - 10, from_ns))) == 0


def test_alert_finds_connections_that_no_span_names(store: Connections) -> None:
    """At a sample of nothing: the recorder knows which packets carried an alert's traces."""
    with (
        _http() as port,
        _ask_http(port) as ask,
        recorder(PacketConfig(ports=(port,))) as process,
    ):
        first = _CLOCK.now_ns()
        spans = _spans(ask, range(30, 33))
        insert_spans(store, spans)
        now_ns = _CLOCK.now_ns()
        insert_request(store, "episode/1", first - 1, now_ns)
        config = PacketConfig(ports=(port,), sample_ratio=0.0, trace_ratio=0.0, settle_s=0.0)
        report = PacketJob(config, AttributesConfig(), store, process).run_once(now_ns)
    assert report.captured > 0
    assert report.linked == 6
    assert report.ambiguous == 0


def test_nothing_is_searched_where_that_is_switched_off(store: Connections) -> None:
    """Then a span that names no ports has no packets, and the recorder no second socket."""
    with (
        _http() as port,
        _ask_http(port) as ask,
        recorder(PacketConfig(ports=(port,), request_bytes=0)) as process,
    ):
        from_ns = _CLOCK.now_ns()
        insert_spans(store, _spans(ask, range(40, 42)))
        config = PacketConfig(ports=(port,), sample_ratio=1.0, settle_s=0.0)
        report = PacketJob(config, AttributesConfig(), store, process).run_once(_CLOCK.now_ns())
        assert len(process.contexts(Selection(from_ns, _CLOCK.now_ns()))) == 0
        assert process.stats().contexts == 0
    assert (report.linked, report.sampled > 0) == (0, True)

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fakeredis
import httpx
import pytest
import redis.asyncio
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.instrument.hooks import (
    asgi_request_hook,
    httpx_async_response_hook,
    httpx_response_hook,
    reporting_connection,
)

HOST = "127.0.0.1"


class Spans:
    """A tracer provider that keeps its spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of the only span of a name."""
        (found,) = self.of_each(name)
        return found

    def of_each(self, name: str) -> list[dict[str, Any]]:
        """Return the attributes of the spans of a name, in their order."""
        spans = self._exporter.get_finished_spans()
        return [dict(span.attributes or {}) for span in spans if span.name == name]


@pytest.fixture
def spans() -> Spans:
    """A provider of the test's own; the global one stays as it is."""
    return Spans()


class EchoHandler(BaseHTTPRequestHandler):
    """Answers with the port that the client speaks from."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def http_port() -> Iterator[int]:
    """An HTTP server."""
    with ThreadingHTTPServer((HOST, 0), EchoHandler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def redis_server() -> Iterator[fakeredis.TcpFakeServer]:
    """A Redis-protocol server on a socket."""
    server = fakeredis.TcpFakeServer((HOST, 0), server_type="valkey")
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def assert_ends(attributes: dict[str, Any], local_port: int, peer_port: int) -> None:
    """Both ends of the connection are on the span: what packets are linked by."""
    assert attributes["network.local.address"] == HOST
    assert attributes["network.local.port"] == local_port
    assert attributes["network.peer.address"] == HOST
    assert attributes["network.peer.port"] == peer_port


def assert_tcp(attributes: dict[str, Any], *, is_first: bool) -> None:
    """The kernel's figures of the connection are on the span: of one call, where it was not new."""
    told = {name.removeprefix("network.tcp."): value for name, value in attributes.items()}
    assert told["min_rtt_ns"] > 0
    assert told["rtt_ns"] > 0
    assert told["retransmits"] == 0
    assert told["segments_out"] == 1
    assert ("rto_ns" in told) is not is_first
    assert "shared" not in told


def test_httpx_span_names_both_ends(spans: Spans, http_port: int) -> None:
    """The port is the one that the server saw."""
    with httpx.Client(trust_env=False) as client:
        HTTPXClientInstrumentor.instrument_client(
            client, tracer_provider=spans.provider, response_hook=httpx_response_hook
        )
        seen = [int(client.get(f"http://{HOST}:{http_port}/").text) for _ in range(2)]
    for index, attributes in enumerate(spans.of_each("GET")):
        assert_ends(attributes, seen[index], http_port)
        assert_tcp(attributes, is_first=not index)


def test_httpx_async_span_names_both_ends(spans: Spans, http_port: int) -> None:
    """The same for the client that an asyncio service uses."""

    async def ask() -> list[int]:
        async with httpx.AsyncClient(trust_env=False) as client:
            HTTPXClientInstrumentor.instrument_client(
                client, tracer_provider=spans.provider, response_hook=httpx_async_response_hook
            )
            url = f"http://{HOST}:{http_port}/"
            return [int((await client.get(url)).text) for _ in range(2)]

    seen = asyncio.run(ask())
    for index, attributes in enumerate(spans.of_each("GET")):
        assert_ends(attributes, seen[index], http_port)
        assert_tcp(attributes, is_first=not index)


def test_redis_span_names_both_ends(spans: Spans, redis_server: fakeredis.TcpFakeServer) -> None:
    """The span of a command, also of the one that had to connect first."""
    port = redis_server.server_address[1]
    pool = redis.ConnectionPool(
        connection_class=reporting_connection(redis.Connection), host=HOST, port=port
    )
    with closing(redis.Redis(connection_pool=pool)) as client:
        RedisInstrumentor.instrument_client(client, tracer_provider=spans.provider)
        client.set("offer", "bundle")
        ((_, seen),) = redis_server.clients
    pool.disconnect()
    assert_ends(spans.attributes("SET"), seen, port)
    assert_tcp(spans.attributes("SET"), is_first=False)


def test_redis_async_span_names_both_ends(
    spans: Spans, redis_server: fakeredis.TcpFakeServer
) -> None:
    """The same for asyncio."""
    port = redis_server.server_address[1]

    async def ask() -> int:
        pool = redis.asyncio.ConnectionPool(
            connection_class=reporting_connection(redis.asyncio.Connection), host=HOST, port=port
        )
        client = redis.asyncio.Redis(connection_pool=pool)
        RedisInstrumentor.instrument_client(client, tracer_provider=spans.provider)
        await client.set("offer", "bundle")
        ((_, seen),) = redis_server.clients
        await client.aclose()
        await pool.disconnect()
        return int(seen)

    seen = asyncio.run(ask())
    assert_ends(spans.attributes("SET"), seen, port)
    assert_tcp(spans.attributes("SET"), is_first=False)


def test_asgi_span_names_both_ends(spans: Spans) -> None:
    """A Unix socket has no port, and none is made up."""
    tracer = spans.provider.get_tracer("tests")
    tcp = {"method": "GET", "path": "/", "client": (HOST, 40_000), "server": (HOST, 8080)}
    unix = {"method": "GET", "path": "/", "client": None, "server": ("/run/shop.sock", None)}
    for name, scope in (("tcp", tcp), ("unix", unix)):
        with tracer.start_as_current_span(name) as span:
            asgi_request_hook(span, scope)
    assert spans.attributes("tcp") == {
        "http.request.method": "GET",
        "url.path": "/",
        "client.address": HOST,
        "client.port": 40_000,
        "network.local.address": HOST,
        "network.local.port": 8080,
    }
    assert spans.attributes("unix") == {"http.request.method": "GET", "url.path": "/"}

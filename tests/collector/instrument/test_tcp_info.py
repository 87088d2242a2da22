from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer, use_span

from collector.instrument import tcp_call
from collector.instrument.hooks import httpx_response_hook
from collector.instrument.tcp_info import TcpInfo, set_tcp, tcp_info

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def tracer() -> Tracer:
    """Return a tracer whose spans go nowhere."""
    return TracerProvider(shutdown_on_exit=False).get_tracer("tests")


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Yield both ends of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
        with ours, theirs:
            yield ours, theirs


def exchange(ours: socket.socket, theirs: socket.socket) -> None:
    """Ask and answer."""
    ours.sendall(b"ask")
    theirs.recv(10)
    theirs.sendall(b"answer")
    ours.recv(10)


def told(span: Any) -> dict[str, Any]:  # noqa: ANN401  a span of the SDK, whose attributes it shows
    """Return what a span says of its connection."""
    prefix = "network.tcp."
    found = dict(span.attributes).items()
    return {name.removeprefix(prefix): value for name, value in found if name.startswith(prefix)}


def test_segments_are_counted_as_the_connection_carried_them(pair: Pair) -> None:
    """A layout of the structure that is off by one field would show something else."""
    begun = tcp_info(pair[0])
    for _ in range(5):
        exchange(*pair)
    found = tcp_info(pair[0])

    assert begun is not None
    assert found is not None
    assert (begun.data_segments_out, found.data_segments_out) == (0, 5)
    assert (found.data_segments_in, found.retransmits, found.unacked) == (5, 0, 0)
    assert 0 < found.min_rtt_us <= found.rtt_us + found.rttvar_us * 8 < 10**6
    assert found.rto_us >= 200_000  # the least of Linux


def test_what_is_no_connection_says_nothing(pair: Pair) -> None:
    """A Unix socket, a closed one, none at all."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert tcp_info(one) is None
    pair[0].close()
    assert [tcp_info(pair[0]), tcp_info(None), tcp_info(object())] == [None] * 3


def test_a_call_over_a_socket_is_on_the_current_span(tracer: Tracer, pair: Pair) -> None:
    """What a client of one's own does, before and after."""
    exchange(*pair)
    with tracer.start_as_current_span("call") as span, tcp_call(pair[0]):
        exchange(*pair)

    assert (told(span)["segments_out"], told(span)["retransmits"]) == (1, 0)
    assert told(span)["rto_ns"] >= 200_000_000


def test_a_call_over_an_asyncio_stream_is_on_the_current_span(tracer: Tracer) -> None:
    """The transport has the socket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(3))
        await writer.drain()
        writer.close()

    async def ask() -> dict[str, Any]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(host, port)
            with tracer.start_as_current_span("call") as span, tcp_call(writer, shared=True):
                writer.write(b"ask")
                await reader.readexactly(3)
            writer.close()
            await writer.wait_closed()
            return told(span)

    found = asyncio.run(ask())
    assert (found["segments_out"], found["shared"]) == (1, True)


def test_a_connection_of_http_2_is_shared(tracer: Tracer, pair: Pair) -> None:
    """What was sent again there may be another request's."""

    class Stream:
        def get_extra_info(self, name: str) -> object:
            return pair[0] if name == "socket" else None

    class Response:
        extensions = {"network_stream": Stream(), "http_version": b"HTTP/2"}  # noqa: RUF012  as httpx has it

    exchange(*pair)
    with tracer.start_as_current_span("GET") as span:
        httpx_response_hook(span, None, Response())

    assert told(span)["shared"] is True


@given(
    before=st.none() | st.builds(TcpInfo, *[st.integers(0, 2**32 - 1)] * 9),
    after=st.builds(TcpInfo, *[st.integers(0, 2**32 - 1)] * 9),
)
def test_counters_never_run_backwards(before: TcpInfo | None, after: TcpInfo) -> None:
    """Of another connection under the same name nothing is said rather than nonsense."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("call")
    with use_span(span, end_on_exit=True):
        set_tcp(span, before, after)

    found = told(span)
    assert found.get("retransmits", 0) >= 0
    assert found.get("segments_out", 0) >= 0
    assert ("min_rtt_ns" in found) is (0 < after.min_rtt_us < 2**32 - 1)

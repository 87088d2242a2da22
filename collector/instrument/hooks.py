"""I/O: hooks that put both ends of a connection on a span, and what the kernel says of it.

Packets are linked by the ends, and most instrumentations leave `network.local.port` out. Where no
packet is recorded, the kernel's own figures are evidence (`collector.instrument.tcp_info`). These
hooks fit the stock instrumentations of httpx, redis-py and ASGI, and import none of them. gRPC for
Python shows nobody its sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from weakref import WeakKeyDictionary

from opentelemetry.trace import (
    Span,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
)

from collector.core.clock import SystemClock
from collector.instrument.packet_sample import PacketSample
from collector.instrument.tcp_info import TcpInfo, set_tcp, tcp_info

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

Headers = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
C = TypeVar("C")

_HEX: Final = frozenset("0123456789abcdef")
_VERSION_0_PARTS: Final = 4
_CLOCK: Final = SystemClock()
# How each HTTP connection was after its last call; it goes with the connection.
_LAST: Final[WeakKeyDictionary[Any, TcpInfo]] = WeakKeyDictionary()
_SAMPLES: Final[deque[PacketSample]] = deque(maxlen=1)  # what was marked last, if anything


def parent_of(headers: Headers) -> SpanContext | None:
    """Return the caller's context from `traceparent`; None where there is none, or a bad one.

    Source: W3C Trace Context: lower-case hex, no id all zero, version ff is invalid, and what a
    later version appends is left alone.
    """
    parent = state = ""
    if isinstance(headers, Mapping):
        parent, state = headers.get("traceparent", ""), headers.get("tracestate", "")
    else:
        for name, value in headers:
            if name == b"traceparent":
                parent = value.decode("latin-1")
            elif name == b"tracestate":
                state = f"{state},{value.decode('latin-1')}" if state else value.decode("latin-1")
    if not parent:
        return None
    version, *rest = parent.strip().split("-")
    if len(rest) < _VERSION_0_PARTS - 1 or (version == "00" and len(rest) >= _VERSION_0_PARTS):
        return None
    trace_id, span_id, flags = rest[:3]
    if version == "ff" or [len(part) for part in (version, *rest[:3])] != [2, 32, 16, 2]:
        return None
    if not _HEX.issuperset(version + trace_id + span_id + flags):
        return None
    context = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16) & (TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)),
        trace_state=TraceState.from_header([state]) if state else None,
    )
    return context if context.is_valid else None


def mark_packet_sample(ratio: float | None, epoch_s: int = 10) -> None:
    """Mark every span that names both ends with `packet.sampled` from now on.

    Args:
        ratio: the recorders' `packet.sample_ratio`; None marks no more.
        epoch_s: their `packet.sample_epoch_s`.
    """
    _SAMPLES.clear()
    if ratio is not None:
        _SAMPLES.append(PacketSample(ratio, epoch_s))


def asgi_attributes(scope: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return what an ASGI scope says of a request and of both ends of its connection."""
    attributes: dict[str, AttributeValue] = {
        "http.request.method": scope["method"],
        "url.path": scope["path"],
    }
    client, server = scope.get("client"), scope.get("server")
    if client is not None:
        attributes["client.address"], attributes["client.port"] = client[0], client[1]
    if server is not None and server[1] is not None:  # None: a Unix socket
        attributes["network.local.address"] = server[0]
        attributes["network.local.port"] = server[1]
    return attributes


def asgi_request_hook(span: Span, scope: Mapping[str, Any]) -> None:
    """Put both ends on a server span: the `server_request_hook` of the ASGI instrumentation."""
    if span.is_recording():
        span.set_attributes(asgi_attributes(scope))
        client, server = scope.get("client"), scope.get("server")
        if client is not None and server is not None and server[1] is not None:
            _mark(span, server, client)


class HttpxResponse(Protocol):
    """What the httpx instrumentation passes to a response hook, as far as it is read."""

    @property
    def extensions(self) -> Mapping[str, Any] | None:
        """Return the response's extensions, the stream of its connection among them."""
        ...


def httpx_response_hook(span: Span, request: object, response: HttpxResponse) -> None:
    """Put both ends on a client span: the `response_hook` of the httpx instrumentation."""
    extensions = response.extensions or {}
    stream = extensions.get("network_stream")
    if stream is not None and span.is_recording():
        _set_ends(span, stream.get_extra_info("client_addr"), stream.get_extra_info("server_addr"))
        after = tcp_info(stream.get_extra_info("socket"))
        # A connection is idle between its calls, so that the last state is that of the beginning;
        # with HTTP/2 it is nobody's alone.
        is_shared = extensions.get("http_version") == b"HTTP/2"
        set_tcp(span, _LAST.get(stream), after, is_shared=is_shared)
        if after is not None:
            _LAST[stream] = after


async def httpx_async_response_hook(span: Span, request: object, response: HttpxResponse) -> None:
    """Put both ends on a client span: the same for `httpx.AsyncClient`."""
    httpx_response_hook(span, request, response)


def reporting_connection(connection_class: type[C]) -> type[C]:
    """Return a redis-py connection class that puts both ends and their state on a command's span.

    Pass it as `connection_class` of a pool. Works with the plain, TLS and Unix classes, blocking
    and asyncio; a Unix socket has no ports and sets nothing.
    """
    base: Any = connection_class
    if iscoroutinefunction(base.send_packed_command):

        class AsyncReporting(base):  # type: ignore[misc]  # the base is known at run time
            """An asyncio connection that reports its ends and its state."""

            tcp_before: TcpInfo | None = None

            async def send_packed_command(self, *args: object, **kwargs: object) -> None:
                self.tcp_before = tcp_info(self._tcp())
                await super().send_packed_command(*args, **kwargs)
                writer = self._writer
                if writer is not None:
                    ends = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
                    _set_ends(get_current_span(), *ends)

            async def read_response(self, *args: object, **kwargs: object) -> object:
                response: object = await super().read_response(*args, **kwargs)
                _set_answered(self.tcp_before, self._tcp())
                return response

            def _tcp(self) -> object:
                return None if self._writer is None else self._writer.get_extra_info("socket")

        return AsyncReporting

    class Reporting(base):  # type: ignore[misc]  # the base is known at run time
        """A blocking connection that reports its ends and its state."""

        tcp_before: TcpInfo | None = None

        def send_packed_command(self, *args: object, **kwargs: object) -> None:
            self.tcp_before = tcp_info(self._sock)
            super().send_packed_command(*args, **kwargs)
            if self._sock is not None:
                _set_ends(get_current_span(), self._sock.getsockname(), self._sock.getpeername())

        def read_response(self, *args: object, **kwargs: object) -> object:
            response: object = super().read_response(*args, **kwargs)
            _set_answered(self.tcp_before, self._sock)
            return response

    return Reporting


def _set_answered(before: TcpInfo | None, connection: object) -> None:
    """Set the state of a connection that a command went over; what nobody asked for sets none."""
    span = get_current_span()
    if before is not None and span.is_recording():
        set_tcp(span, before, tcp_info(connection))


def _set_ends(span: Span, local: object, peer: object) -> None:
    """Set addresses and ports; an end that is no (host, port, ...) is a Unix socket or unknown."""
    if not span.is_recording():
        return
    if isinstance(local, tuple):
        span.set_attribute("network.local.address", local[0])
        span.set_attribute("network.local.port", local[1])
    if isinstance(peer, tuple):
        span.set_attribute("network.peer.address", peer[0])
        span.set_attribute("network.peer.port", peer[1])
    if isinstance(local, tuple) and isinstance(peer, tuple):
        _mark(span, local, peer)


def _mark(span: Span, local: Sequence[Any], peer: Sequence[Any]) -> None:
    for sample in tuple(_SAMPLES):
        kept = sample.keeps((local[0], local[1]), (peer[0], peer[1]), _CLOCK.now_ns())
        if kept is not None:
            span.set_attribute("packet.sampled", kept)

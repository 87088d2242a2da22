"""I/O: an HTTP server on a thread of its own, whose connections are bounded in number and in time.

uvicorn by itself waits for ever for a handshake that takes its time, for the second half of a
head, for a body that trickles and for a reader that does not read; and it takes any number of
connections. Here the server accepts them itself and gives each of these a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.http.linger import LingeringTransport
from collector.core.http.problem import problem
from collector.core.log import get_logger
from collector.core.worker import Worker

_LOG = get_logger("collector")
# A request line and headers: proxies and browsers stay below 32 KiB.
HEAD_BYTES_MAX = 64 * 1024
# No descriptor or no memory for another connection: those that wait are taken a little later.
_ACCEPT_AGAIN_S = 0.1
_RETRY_AFTER_S = 1
# What a peer has for the rest of a request that is answered, where the service stops.
_STOP_LINGER_S = 0.5
# The key of the ASGI scope's state under which an application finds `BoundedProtocol.is_gone`.
IS_GONE = "millworth.is_gone"
_WHY = {
    HTTPStatus.REQUEST_TIMEOUT: "the request did not come in time; send it again",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than is taken; send it in parts",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the head is over {HEAD_BYTES_MAX:,} bytes; send "
    "fewer or shorter headers",
    HTTPStatus.SERVICE_UNAVAILABLE: "as many connections as may be are open; try again",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may take. Seconds; None is no limit here, since the application has one."""

    connections_max: int
    head_seconds_max: float  # also of the handshake, and of the rest of what is answered early
    idle_seconds_max: float
    body_seconds_max: float | None
    body_bytes_max: int | None
    discard_bytes_max: int  # of the rest of a request that is answered early
    write_seconds_max: float  # that a reader may leave an answer unread
    stop_seconds_max: float  # that a stop waits for requests under way
    says_why: bool = False  # a refusal has problem details as its body
    age_seconds_max: float = math.inf  # then the next answer is the last


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A timer runs while its peer owes us something."""

    def __init__(
        self,
        on_end: Callable[[BoundedProtocol], None],
        refuse: Callable[[str], None],
        bounds: Bounds,
        **uvicorn_arguments: Any,  # noqa: ANN401  handed through
    ) -> None:
        super().__init__(**uvicorn_arguments)
        self.timeout_keep_alive = bounds.idle_seconds_max  # type: ignore[assignment]  # any number
        self._on_end = on_end
        self._refuse = refuse
        self._bounds = bounds
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._owed: asyncio.TimerHandle | None = None  # the head or the body
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for the first head."""
        self._lingering = LingeringTransport(
            transport,
            is_owed=lambda: not self._in_head or self._head_bytes > 0,
            seconds_max=self._bounds.head_seconds_max,
            bytes_max=self._bounds.discard_bytes_max,
        )
        super().connection_made(self._lingering)
        self._old_at_s = self.loop.time() + self._bounds.age_seconds_max
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place of this connection to another."""
        self._settle()
        self._lingering.lost()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)
        self._on_end(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that is too long ends the connection."""
        if self._lingering.is_lingering():
            self._lingering.discard(len(data))
            return
        if self._owed is None and (self.cycle is None or self.cycle.response_complete):
            self._await_head()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        # What follows the head in the same bytes is counted with it: at most one reading's worth.
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._end("large_head", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body."""
        self._settle()
        self._in_head = False
        self._head_bytes = self._body_bytes = 0
        self.scope["state"][IS_GONE] = self.is_gone
        if self._bounds.body_seconds_max is not None:
            self._owed = self.loop.call_later(
                self._bounds.body_seconds_max,
                self._end, "slow_body", HTTPStatus.REQUEST_TIMEOUT,
            )  # fmt: skip
        super().on_headers_complete()
        if self.loop.time() >= self._old_at_s:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; one that is too long ends the connection."""
        if self.transport.is_closing():
            return  # the rest of what was read at once
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            if self._body_bytes > self._bounds.discard_bytes_max:
                self._refuse("large_body")
                self.transport.abort()
            return
        limit = self._bounds.body_bytes_max
        if limit is not None and self._body_bytes > limit:
            self._end("large_body", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Owe nothing more until the next request."""
        self._settle()
        self._in_head = True
        super().on_message_complete()
        if self.cycle.response_complete:
            # Answered before the body had come; uvicorn no longer looks at how long it idles.
            self._await_head()

    def on_response_complete(self) -> None:
        """Wait no longer than for a head, where the rest of what is answered still comes."""
        super().on_response_complete()
        if not self._in_head and not self.transport.is_closing():
            self._settle()
            self._await_head()

    def shutdown(self) -> None:
        """Let a request under way end; a rest that nobody reads does not hold up a stop."""
        self._lingering.hasten(_STOP_LINGER_S)
        super().shutdown()

    def pause_writing(self) -> None:
        """Begin to wait for a peer that does not read its answer."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._bounds.write_seconds_max, self._give_up)

    def resume_writing(self) -> None:
        """Go on: the peer has read."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def is_gone(self) -> bool:
        """Return whether the peer has hung up, also where the loop has not come to see it yet.

        Any thread may ask. Where the descriptor is another connection's by now, this one is gone.
        """
        poll = select.poll()
        poll.register(self._descriptor, select.POLLRDHUP)
        return self.transport.is_closing() or bool(poll.poll(0))

    def _await_head(self) -> None:
        self._owed = self.loop.call_later(
            self._bounds.head_seconds_max, self._end, "slow_head", HTTPStatus.REQUEST_TIMEOUT
        )

    def _settle(self) -> None:
        if self._owed is not None:
            self._owed.cancel()
            self._owed = None

    def _end(self, reason: str, status: HTTPStatus) -> None:
        """Answer where there is no answer yet, and close."""
        self._settle()
        if self.transport.is_closing():
            return
        self._refuse(reason)
        if self.cycle is None or self.cycle.response_complete:
            if self._in_head:  # else the request is answered, and this is its rest
                self.transport.write(_refusal(status, self._bounds))
        elif not self.cycle.response_started:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.write(_refusal(status, self._bounds, self.scope["path"]))
        if status is HTTPStatus.REQUEST_TIMEOUT:
            self._lingering.end()  # the peer has had its time
        else:
            self._lingering.close()

    def _give_up(self) -> None:
        self._refuse("unread")
        # Without a reset the kernel would hold what is not read for as long as the peer likes.
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abort()


class BoundedServer(uvicorn.Server):
    """Accepts within bounds, and answers on a thread of its own."""

    def __init__(
        self,
        app: Callable[..., Any],
        listener: socket.socket,
        name: str,
        bounds: Bounds,
        counters: Counters,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Else X-Forwarded-For would say whose address a peer has, and a peer could lie.
                proxy_headers=False,
                timeout_graceful_shutdown=math.ceil(bounds.stop_seconds_max),
            )
        )
        self.answering = threading.Event()
        self._listener = listener
        self._name = name
        self._bounds = bounds
        self._counters = counters
        self._clock = clock
        self._tls = tls
        self._on_stop = on_stop
        self._open: set[object] = set()
        self._ticked_ns = clock.monotonic_ns()
        self.worker = Worker(name, self.run, counters, clock)

    def start(self) -> None:
        """Answer, and return once it does; what came since the listener was made waits in it."""
        self.worker.start()
        self.answering.wait()

    def stop(self) -> None:
        """Accept no more; return when those under way are answered."""
        self.should_exit = True
        self.worker.end()
        self._listener.close()

    def ticked_ns(self) -> int:
        """Return the monotonic instant at which the loop last showed that it turns."""
        return self._ticked_ns

    async def on_tick(self, counter: int) -> bool:
        """Note that the loop turns; without what accepts it would turn for nothing."""
        self._ticked_ns = self._clock.monotonic_ns()
        if self._accepting.done():
            self._accepting.result()  # raises what it ended with
        return await super().on_tick(counter)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve; also a server that never began does not keep `start` waiting."""
        try:
            await super().serve(sockets)
        except Exception:
            for task in (self._accepting, *self._entering):
                task.cancel()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)  # the loop that they belong to ends here
            raise
        finally:
            self.answering.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; again after a loop that ended with an error, and its connections."""
        await self.lifespan.startup()
        self._open.clear()
        self.server_state = ServerState()
        self.servers = []  # none of asyncio's: it would take connections without end
        self._listener.setblocking(False)
        self._entering: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())
        self.started = True
        self.answering.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and let requests under way end."""
        self._accepting.cancel()
        for task in self._entering:
            task.cancel()
        await asyncio.gather(self._accepting, *self._entering, return_exceptions=True)
        self._listener.close()
        if self._on_stop is not None:
            self._on_stop()
        await super().shutdown(sockets)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                _LOG.warning("connection_not_accepted", listener=self._name, error=str(error))
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            if len(self._open) >= self._bounds.connections_max:
                self._turn_away(connection)
                continue
            key = object()
            self._open.add(key)
            task = loop.create_task(self._enter(connection, key))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket, key: object) -> None:
        """Shake hands and hand over; the place is given back here where that fails."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: BoundedProtocol(
                    on_end=lambda _: self._open.discard(key),
                    refuse=self._refuse,
                    bounds=self._bounds,
                    config=self.config,
                    server_state=self.server_state,
                    app_state=self.lifespan.state,
                ),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self._bounds.head_seconds_max,
            )
        except (OSError, TimeoutError):
            # ssl.SSLError is an OSError. A peer's bad handshake is its own business, but counted.
            self._open.discard(key)
            self._refuse("handshake")
            connection.close()
        except asyncio.CancelledError:
            self._open.discard(key)
            connection.close()
            raise

    def _turn_away(self, connection: socket.socket) -> None:
        self._refuse("too_many")
        with contextlib.suppress(OSError), connection:
            connection.setblocking(False)
            if self._tls is None:
                connection.send(_refusal(HTTPStatus.SERVICE_UNAVAILABLE, self._bounds))
                connection.shutdown(socket.SHUT_WR)

    def _refuse(self, reason: str) -> None:
        self._counters.connections_refused.labels(self._name, reason).inc()


def _refusal(status: HTTPStatus, bounds: Bounds, path: str = "") -> bytes:
    retry = f"retry-after: {_RETRY_AFTER_S}\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
    kind, body = problem(status, _WHY[status], path) if bounds.says_why else ("", b"")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n{retry}connection: close\r\n"
        f"content-length: {len(body)}\r\n" + (f"content-type: {kind}\r\n" if kind else "") + "\r\n"
    )
    return head.encode() + body

"""I/O: OTLP over HTTP, Protobuf and JSON, as a raw ASGI application on a server thread of its own.

An application framework costs a third of the requests a second that this serves (measured), and
there are three routes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

import uvicorn
from google.protobuf import json_format
from google.protobuf.message import Message

from collector.address import authority
from collector.compression import ENCODINGS, TooLargeError, decompress
from collector.errors import AddressInUseError, DecodeError, TransientError
from collector.intake import Intake
from collector.otlp import Signal
from collector.otlp_json import decode_json
from collector.rpc_status import INVALID_ARGUMENT, UNAVAILABLE, UNIMPLEMENTED, rpc_status

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_ROUTES = {
    "/v1/traces": Signal.TRACES,
    "/v1/logs": Signal.LOGS,
    "/v1/metrics": Signal.METRICS,
}
_BACKLOG = 2048
# Bodies of the largest size that may be in memory at once; those of usual size are thousands.
_BODIES_MAX = 8
_READ_SECONDS_MAX = 30.0
_CODES = {
    HTTPStatus.BAD_REQUEST: INVALID_ARGUMENT,
    HTTPStatus.NOT_FOUND: UNIMPLEMENTED,
    HTTPStatus.METHOD_NOT_ALLOWED: UNIMPLEMENTED,
    HTTPStatus.REQUEST_TIMEOUT: UNAVAILABLE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: INVALID_ARGUMENT,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: INVALID_ARGUMENT,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
}


class _Refused(Exception):  # noqa: N818 - an answer, not a failure of ours
    def __init__(
        self, status: HTTPStatus, reason: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class OtlpApp:
    """The ASGI application: three routes, one answer each."""

    def __init__(
        self,
        intake: Intake,
        body_bytes_max: int,
        *,
        held_bytes_max: int | None = None,
        read_seconds_max: float = _READ_SECONDS_MAX,
    ) -> None:
        self._intake = intake
        self._body_bytes_max = body_bytes_max
        self._held_bytes_max = held_bytes_max or _BODIES_MAX * body_bytes_max
        self._read_seconds_max = read_seconds_max
        self._held_bytes = 0  # changed on the server's thread alone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in the content type that it came in."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        content_type = headers.get(b"content-type", "").split(";")[0].strip().lower()
        answer_type = JSON if content_type == JSON else PROTOBUF
        chunks: list[bytes] = []
        try:
            signal = _route(scope, content_type)
            await self._read(receive, headers, chunks)
            body = b"".join(chunks)
            # JSON and what was compressed take long enough to hold up everyone else's answers.
            message = await asyncio.to_thread(self._take, signal, body, content_type, headers)
        except _Refused as refused:
            status = rpc_status(_CODES[refused.status], refused.reason)
            await _answer(send, refused.status, status, answer_type, refused.headers)
        else:
            await _answer(send, HTTPStatus.OK, message, answer_type)
        finally:
            self._held_bytes -= sum(map(len, chunks))

    async def _read(
        self, receive: Receive, headers: MutableMapping[bytes, str], chunks: list[bytes]
    ) -> None:
        """Read the body into `chunks`, whose bytes count as held; the caller gives them back."""
        if int(headers.get(b"content-length", "0")) > self._body_bytes_max:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._read_seconds_max):
                await self._read_chunks(receive, chunks)
        except TimeoutError as error:
            raise _Refused(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not come within {self._read_seconds_max:g} s; send smaller batches",
            ) from error

    async def _read_chunks(self, receive: Receive, chunks: list[bytes]) -> None:
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise _Refused(HTTPStatus.BAD_REQUEST, "the body ended early")
            chunk = event.get("body", b"")
            chunks.append(chunk)
            self._held_bytes += len(chunk)
            size += len(chunk)
            if size > self._body_bytes_max:
                raise self._too_large()
            if self._held_bytes > self._held_bytes_max:
                raise _Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"requests of {self._held_bytes_max} bytes are being read; retry later",
                    ((b"retry-after", b"1"),),
                )
            if not event.get("more_body", False):
                return

    def _take(
        self, signal: Signal, body: bytes, content_type: str, headers: MutableMapping[bytes, str]
    ) -> Message:
        """Decode, check and log one request; return after the sync."""
        plain = self._decompress(body, headers.get(b"content-encoding", "identity").lower())
        try:
            receipt = self._intake.receive(
                signal,
                (lambda: decode_json(signal, plain)) if content_type == JSON else plain,
                "http",
            )
            receipt.synced.result()
        except DecodeError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except TransientError as error:
            seconds = self._intake.retry_seconds(error)
            retry_after = ((b"retry-after", str(seconds).encode()),)
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after) from error
        return receipt.answer

    def _decompress(self, body: bytes, encoding: str) -> bytes:
        if encoding in ("identity", ""):
            return body
        if encoding not in ENCODINGS:
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"content-encoding {encoding!r} is not taken; send {', '.join(ENCODINGS)} or none",
            )
        try:
            return decompress(body, encoding, self._body_bytes_max)
        except TooLargeError as error:
            raise self._too_large() from error
        except DecodeError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error

    def _too_large(self) -> _Refused:
        return _Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is over {self._body_bytes_max} bytes; send smaller batches, or raise "
            "collector.body_bytes_max",
        )


class HttpReceiver:
    """The HTTP server of the collector, on a thread of its own."""

    def __init__(self, intake: Intake, host: str, port: int, body_bytes_max: int) -> None:
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                OtlpApp(intake, body_bytes_max),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._run, name="otlp-http", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that it listens on, also where any was asked for."""
        return self._port

    def bind(self) -> None:
        """Take the port.

        Raises:
            AddressInUseError: another process has it.
        """
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            self._socket = socket.create_server(
                (self._host, self._port), family=family, backlog=_BACKLOG
            )
        except OSError as error:
            raise AddressInUseError(
                f"{authority(self._host, self._port)} cannot be listened on ({error.strerror}); "
                "stop what listens there, or set collector.http_port (or collector.host) to another"
            ) from error
        self._port = self._socket.getsockname()[1]

    def start(self) -> None:
        """Answer requests; those that came since `bind` wait in the backlog."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more; return when those under way are answered."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        assert self._socket is not None, "bind comes before start"
        self._server.run(sockets=[self._socket])


def _route(scope: Scope, content_type: str) -> Signal:
    signal = _ROUTES.get(scope["path"])
    if signal is None:
        raise _Refused(HTTPStatus.NOT_FOUND, f"{scope['path']} is none of {', '.join(_ROUTES)}")
    if scope["method"] != "POST":
        raise _Refused(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{scope['method']} is not taken; send POST",
            ((b"allow", b"POST"),),
        )
    if content_type not in (PROTOBUF, JSON):
        raise _Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-type {content_type!r} is not taken; send {PROTOBUF} or {JSON}",
        )
    return signal


async def _answer(
    send: Send,
    status: HTTPStatus,
    message: Message,
    content_type: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    if content_type == JSON:
        body = json.dumps(json_format.MessageToDict(message)).encode()
    else:
        body = message.SerializeToString()
    await send(
        {
            "type": "http.response.start",
            "status": int(status),
            "headers": [
                (b"content-type", content_type.encode()),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})

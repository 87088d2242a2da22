"""I/O: the raw ASGI application of OTLP over HTTP, Protobuf and JSON.

An application framework costs a third of the requests a second that this serves (measured), and
there are three routes. JSON is parsed by Python, slowly, so it has threads of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from collector.auth.foreign_pages import LOOPBACK_HOSTS, page_refusal
from collector.auth.gate import CHALLENGE, Gate, Sender, is_loopback
from collector.auth.tokens import Scope as TokenScope
from collector.core.errors import (
    DecodeError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTooLargeError,
    TransientError,
    UnauthenticatedError,
)
from collector.core.http.compression import ENCODINGS, TooLargeError, decompress
from collector.core.http.server import IS_GONE
from collector.otlp.check import Signal
from collector.otlp.json import MARKS_MAX, count_marks, decode_json
from collector.otlp.outcomes import carries_outcome
from collector.receive.deduplicator import HEADER, TWICE_HEADER, Deduplicator, Taken
from collector.receive.pipeline import Intake
from collector.receive.status import (
    INTERNAL,
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    rpc_status,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Ask = Callable[[], bool]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_ROUTES = {
    "/v1/traces": Signal.TRACES,
    "/v1/logs": Signal.LOGS,
    "/v1/metrics": Signal.METRICS,
}
# Bodies of the largest size that may be in memory at once; those of usual size are thousands.
_BODIES_MAX = 8
_READ_SECONDS_MAX = 30.0
_LAST_SECONDS = 1.0  # for the rest of a body when the service stops
LISTENER = "http"
_CODES = {
    HTTPStatus.BAD_REQUEST: INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: UNIMPLEMENTED,
    HTTPStatus.METHOD_NOT_ALLOWED: UNIMPLEMENTED,
    HTTPStatus.REQUEST_TIMEOUT: UNAVAILABLE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: INVALID_ARGUMENT,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: INVALID_ARGUMENT,
    HTTPStatus.TOO_MANY_REQUESTS: RESOURCE_EXHAUSTED,
    HTTPStatus.INTERNAL_SERVER_ERROR: INTERNAL,
    HTTPStatus.SERVICE_UNAVAILABLE: UNAVAILABLE,
}
# Python parses JSON one thread at a time, however many there are; the second one waits for syncs.
_JSON_THREADS = 2


class _Refused(Exception):  # noqa: N818 - an answer, not a failure of ours
    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        retry_seconds: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_seconds = retry_seconds
        if retry_seconds is not None:
            headers = (*headers, (b"retry-after", str(retry_seconds).encode()))
        self.headers = headers


@dataclass(frozen=True, slots=True)
class _Call:
    """One request beside its body."""

    sender: Sender
    signal: Signal
    encoding: str
    is_gone: Ask
    is_once: bool  # what the store has already is left out


class OtlpApp:
    """The ASGI application: three routes, one answer each."""

    def __init__(
        self,
        intake: Intake,
        body_bytes_max: int,
        gate: Gate,
        *,
        host: str = "127.0.0.1",
        held_bytes_max: int | None = None,
        read_seconds_max: float = _READ_SECONDS_MAX,
        once: Deduplicator | None = None,
    ) -> None:
        self._intake = intake
        self._once = once
        self._gate = gate
        self._body_bytes_max = body_bytes_max
        # Where others reach us under names of their own, they show a token or a certificate.
        self._hosts = (
            LOOPBACK_HOSTS | {f"[{host}]" if ":" in host else host} if is_loopback(host) else None
        )
        self._held_bytes_max = held_bytes_max or _BODIES_MAX * body_bytes_max
        self._read_seconds_max = read_seconds_max
        # Changed on the server's thread alone.
        self._held_bytes = 0
        self._json_marks = 0
        self._json = ThreadPoolExecutor(_JSON_THREADS, thread_name_prefix="otlp-json")
        self._reading: set[asyncio.Timeout] = set()
        self._is_stopping = False

    def hasten(self) -> None:
        """Give the bodies that are being read a last moment; called on the server's thread."""
        self._is_stopping = True
        until = asyncio.get_running_loop().time() + _LAST_SECONDS
        for timeout in self._reading:
            timeout.reschedule(until)

    def close(self) -> None:
        """End the threads for JSON once they are done."""
        self._json.shutdown(wait=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in the content type that it came in."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        content_type = headers.get(b"content-type", "").split(";")[0].strip().lower()
        answer_type = JSON if content_type == JSON else PROTOBUF
        chunks: list[bytes] = []
        signal = None
        try:
            signal = _route(scope, content_type)
            sender = self._admit(signal, headers.get(b"authorization"))
            if not self._gate.asks and (refusal := page_refusal(scope["headers"], self._hosts)):
                raise _Refused(HTTPStatus.FORBIDDEN, f"{refusal}, or ask for tokens")
            await self._read(receive, headers, chunks)
            body = b"".join(chunks)
            call = _Call(
                sender,
                signal,
                headers.get(b"content-encoding", "identity").lower(),
                scope.get("state", {}).get(IS_GONE, lambda: False),
                signal is Signal.TRACES and self._once is not None and HEADER in headers,
            )
            # Both wait for the sync, which must not hold up everyone else's answers.
            if content_type == JSON:
                taken = await self._take_json(call, body)
            else:
                taken = await asyncio.to_thread(self._take_protobuf, call, body)
        except _Refused as refused:
            if signal is not None and refused.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                self._intake.refuse_too_large(signal, LISTENER, refused.reason)
            code = _CODES[refused.status]
            status = rpc_status(code, refused.reason, refused.retry_seconds)
            await _answer(send, refused.status, status, answer_type, refused.headers)
        else:
            counts = ((HEADER, taken.known), (TWICE_HEADER, taken.twice)) if call.is_once else ()
            counted = tuple((name, str(count).encode()) for name, count in counts)
            await _answer(send, HTTPStatus.OK, taken.answer, answer_type, counted)
        finally:
            self._held_bytes -= sum(map(len, chunks))

    def _admit(self, signal: Signal, authorization: str | None) -> Sender:
        """Let a request in before its body is read: a stranger shall not fill the memory."""
        try:
            return self._gate.admit(LISTENER, authorization, TokenScope(signal))
        except UnauthenticatedError as error:
            challenge = ((b"www-authenticate", CHALLENGE.encode()),)
            raise _Refused(HTTPStatus.UNAUTHORIZED, str(error), challenge) from error
        except PermissionDeniedError as error:
            raise _Refused(HTTPStatus.FORBIDDEN, str(error)) from error
        except RateLimitedError as error:
            raise _Refused(
                HTTPStatus.TOO_MANY_REQUESTS, str(error), retry_seconds=error.retry_seconds
            ) from error

    async def _read(
        self, receive: Receive, headers: MutableMapping[bytes, str], chunks: list[bytes]
    ) -> None:
        """Read the body into `chunks`, whose bytes count as held; the caller gives them back."""
        if int(headers.get(b"content-length", "0")) > self._body_bytes_max:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._read_seconds_max) as timeout:
                self._reading.add(timeout)
                try:
                    await self._read_chunks(receive, chunks)
                finally:
                    self._reading.discard(timeout)
        except TimeoutError as error:
            if self._is_stopping:
                raise _Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE, "the service stops; retry", retry_seconds=1
                ) from error
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
            if self._is_full():
                raise _Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"requests of {self._held_bytes_max} bytes are being read; retry later",
                    retry_seconds=1,
                )
            if not event.get("more_body", False):
                return

    def _is_full(self, more: int = 0) -> bool:
        return self._held_bytes + more > self._held_bytes_max

    async def _take_json(self, call: _Call, body: bytes) -> Taken:
        """Take one request by threads for JSON alone: it is slow, and shall hold up no other."""
        plain, marks = await asyncio.to_thread(self._measure_json, body, call.encoding)
        if self._json_marks + marks > MARKS_MAX or self._is_full(len(plain)):
            self._intake.refuse_json(call.signal)
            raise _Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "as much JSON as may wait is waiting; retry later, or send Protobuf",
                retry_seconds=1,
            )
        self._json_marks += marks
        self._held_bytes += len(plain)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._json, self._take, call, plain, JSON
            )
        finally:
            self._json_marks -= marks
            self._held_bytes -= len(plain)

    def _measure_json(self, body: bytes, encoding: str) -> tuple[bytes, int]:
        plain = self._decompress(body, encoding)
        marks = count_marks(plain)
        if marks > MARKS_MAX:
            raise _Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has {marks} braces, brackets and commas, over {MARKS_MAX}; "
                "send smaller batches, or Protobuf",
            )
        return plain, marks

    def _take_protobuf(self, call: _Call, body: bytes) -> Taken:
        return self._take(call, self._decompress(body, call.encoding), PROTOBUF)

    def _take(self, call: _Call, plain: bytes, content_type: str) -> Taken:
        """Check and log one request; return after the sync."""
        self._gate.charge(call.sender, len(plain))
        signal = call.signal

        def request() -> bytes:
            return self._allowed(
                call.sender, signal, decode_json(signal, plain) if content_type == JSON else plain
            )

        try:
            if call.is_once and self._once is not None:
                return self._once.take(request, LISTENER, call.is_gone)
            receipt = self._intake.receive(signal, request, LISTENER, call.is_gone)
            receipt.synced.result()
        except DecodeError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from error
        except RequestTooLargeError as error:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from error
        except PermissionDeniedError as error:
            raise _Refused(HTTPStatus.FORBIDDEN, str(error)) from error
        except TransientError as error:
            seconds = self._intake.retry_seconds(error)
            raise _Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_seconds=seconds
            ) from error
        except Exception as error:
            reason = self._intake.fail(signal, LISTENER, error)
            raise _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, reason) from error
        return Taken(receipt.answer)

    def _allowed(self, sender: Sender, signal: Signal, request: bytes) -> bytes:
        if (
            signal is Signal.LOGS
            and not sender.may(TokenScope.OUTCOMES)
            and carries_outcome(request)
        ):
            self._gate.require(LISTENER, sender, TokenScope.OUTCOMES)
        return request

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
        return _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, say_too_large(self._body_bytes_max))


def say_too_large(body_bytes_max: int) -> str:
    """Return what the sender of a request that is too large is told, over either transport."""
    return (
        f"the body is over {body_bytes_max} bytes; send smaller batches, or raise "
        "collector.body_bytes_max"
    )


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

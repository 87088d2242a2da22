"""I/O: the receiver that an import asks: the running service's, else one of this process.

The embedded store has one owner, so whoever holds it takes the spans. Where nobody does, the same
application takes them inside this process, so that the checks cannot differ.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx
from google.protobuf import message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.errors import (
    InputError,
    RequestTooLargeError,
    StoreInUseError,
    StoreUnavailableError,
)
from collector.core.http.address import authority
from collector.receive.deduplicator import HEADER, TWICE_HEADER
from collector.receive.http_app import PROTOBUF
from collector.receive.status import status_text
from collector.service import CollectorService
from collector.store.client.directory import enter_directory
from collector.store.client.held import held_elsewhere
from collector.store.connect import Connections
from collector.store.cursors import furthest_cursor
from dashboard.cli.client import TIMEOUT_S, trust
from dashboard.service.schema import require_clock, require_schema
from dashboard.settings.privacy import protection_of
from dashboard.settings.settings import Settings
from dashboard.settings.user import become_owner

_TRACES: Final = "/v1/traces"
_RETRYABLE: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_TRIES_MAX: Final = 60
_WAIT_S_MAX: Final = 30.0
_BACKOFF_S_MIN, _BACKOFF_S_MAX = 0.5, 10.0
_DRAIN_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class RequestReport:
    """What became of one request."""

    known: int  # spans that were there already
    twice: int  # spans that were in the request before
    refused: int
    reason: str  # of what was refused, in the receiver's words


class Receiver:
    """One open way to a receiver of spans."""

    def __init__(
        self, base_url: str, settings: Settings, service: CollectorService | None = None
    ) -> None:
        token = settings.access.token.get_secret_value()
        self._base_url = base_url
        self._headers = {
            "content-type": PROTOBUF,
            HEADER.decode(): "1",
            **({"authorization": f"Bearer {token}"} if token else {}),
        }
        # Not an asynchronous one: its loop may take a Ctrl-C for one of the request, and go on.
        self._client = httpx.Client(
            base_url=base_url,
            headers=self._headers,
            verify=trust(settings, base_url),
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        self._service = service
        self._never = threading.Event()

    def send(self, body: bytes) -> RequestReport:
        """Send one request; as OTLP says, again where the answer asks for it.

        Raises:
            InputError: the receiver refuses it, or is another program's.
            RequestTooLargeError: it takes less at a time.
            StoreUnavailableError: it does not answer, or has asked to wait too often.
        """
        backoff_s = _BACKOFF_S_MIN
        for _ in range(_TRIES_MAX):
            retry_after, failure = "", ""
            try:
                response = self._post(body)
                if response.status_code == HTTPStatus.OK:
                    return self._answered(response)
                retry_after, failure = (
                    response.headers.get("retry-after", ""),
                    _status_words(response),
                )
                if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    raise RequestTooLargeError(failure)
                if response.status_code not in _RETRYABLE:
                    raise InputError(f"{self._base_url} does not take it: {failure}")
            except httpx.HTTPError as error:
                failure = str(error) or type(error).__name__
            wait_s = min(float(retry_after), _WAIT_S_MAX) if retry_after.isdecimal() else backoff_s
            backoff_s = min(2 * backoff_s, _BACKOFF_S_MAX)
            self._never.wait(wait_s)
        raise StoreUnavailableError(
            f"{self._base_url} did not take a request in {_TRIES_MAX} tries: {failure}; import the "
            "same files again when it does: what it has is not stored twice"
        )

    def _post(self, body: bytes) -> httpx.Response:
        if self._service is None:
            return self._client.post(_TRACES, content=body)
        return asyncio.run(_post_to(self._service, self._base_url, self._headers, body))

    def _answered(self, response: httpx.Response) -> RequestReport:
        known_spans = response.headers.get(HEADER.decode(), "")
        if not known_spans.isdecimal():
            raise InputError(
                f"{self._base_url} does not say what it has already, so it is not a Millworth of "
                "this version; name its OTLP/HTTP receiver with --url"
            )
        try:
            partial = ExportTraceServiceResponse.FromString(response.content).partial_success
        except message.DecodeError as error:
            raise InputError(f"{self._base_url} answers what is not OTLP: {error}") from error
        twice = int(response.headers.get(TWICE_HEADER.decode(), "0"))
        return RequestReport(int(known_spans), twice, partial.rejected_spans, partial.error_message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._client.close()
        if self._service is not None:
            self._service.stop(_DRAIN_S)


async def _post_to(
    service: CollectorService, base_url: str, headers: Mapping[str, str], body: bytes
) -> httpx.Response:
    """Ask the application of a service of this process."""
    transport = httpx.ASGITransport(app=service.http_app)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, transport=transport, timeout=TIMEOUT_S
    ) as client:
        return await client.post(_TRACES, content=body)


@contextmanager
def receiving(settings: Settings, url: str | None) -> Iterator[Receiver]:
    """Open the way to the receiver that is named, else to that of the settings, else to our own.

    Raises:
        StoreUnavailableError: a receiver was named and does not answer.
        MillworthError: the store cannot be used.
    """
    base_url = (url or _receiver_url(settings)).rstrip("/")
    is_there = _listens(base_url, settings)
    if url is not None and not is_there:
        raise StoreUnavailableError(
            f"no receiver answers at {base_url}; start it with `millworth up`, or leave --url away "
            "to open the store directly"
        )
    if is_there:
        with Receiver(base_url, settings) as receiver:
            # Before any span: a receiver of another program would store what is there already.
            receiver.send(ExportTraceServiceRequest().SerializeToString())
            yield receiver
        return
    with _own_receiver(settings, base_url) as receiver:
        yield receiver


@contextmanager
def _own_receiver(settings: Settings, base_url: str) -> Iterator[Receiver]:
    path = settings.store.embedded_path
    if path is not None and not path.exists():
        raise InputError(
            f"no receiver answers at {base_url}, and there is no store at {path}; start one "
            "with `millworth up`, make one with `millworth migrate`, or name the receiver with "
            "--url"
        )
    become_owner(settings)
    require_clock(settings, SystemClock().now_ns())
    store = Connections(settings.store)
    service = CollectorService(
        settings.collector,
        store,
        settings.wal_dir,
        Counters(),
        SystemClock(),
        settings.attributes,
        protection_of(settings, None, store),
        decisions=settings.decisions,
    )
    try:
        enter_directory(settings.store)
        try:
            client = store.client()
        except StoreInUseError as error:
            raise held_elsewhere(path, base_url, "receiver") from error
        require_schema(store, settings)
        # Jobs have read up to here, whatever the clock says now.
        service.go_on_from(furthest_cursor(client))
        service.start(listens=False)
        with Receiver("http://127.0.0.1", settings, service) as receiver:
            yield receiver
    finally:
        store.close()


def _receiver_url(settings: Settings) -> str:
    collector = settings.collector
    scheme = "https" if collector.tls.is_on else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(collector.host, collector.host)  # noqa: S104  looked for, not bound
    return f"{scheme}://{authority(host, collector.http_port)}"


def _listens(base_url: str, settings: Settings) -> bool:
    """Return whether anything answers there; what it is shows at the first request."""
    try:
        httpx.get(
            base_url + _TRACES, timeout=3.0, verify=trust(settings, base_url), trust_env=False
        )
    except httpx.HTTPError:
        return False
    return True


def _status_words(response: httpx.Response) -> str:
    return f"HTTP {response.status_code}: {status_text(response.content)[:300]}"

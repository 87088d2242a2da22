"""A request whose sender no longer waits is not kept: its retry is another request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.privacy.redact import Changes
from collector.privacy.rules import IdentifiersConfig
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S, post

pytestmark = pytest.mark.integration


class HeldProtection(Protection):
    """Rules that hold the first request, as a service that is stopped or starved does."""

    def __init__(self) -> None:
        super().__init__(IdentifiersConfig(enabled=False))
        self.is_held = threading.Event()
        self.may_go = threading.Event()

    def rewrite(
        self,
        signal: Signal,
        body: bytes,
        now_ns: int,
        changes: Changes | None = None,
    ) -> bytes:
        """Wait with the first until a test says otherwise."""
        if not self.is_held.is_set():
            self.is_held.set()
            assert self.may_go.wait(WAIT_S)
        return super().rewrite(signal, body, now_ns, changes)


@pytest.fixture
def held() -> HeldProtection:
    """Return what holds the first request."""
    return HeldProtection()


@pytest.fixture
def holding(
    store: Connections,
    clock: ManualClock,
    tmp_path: Path,
    counters: Counters,
    held: HeldProtection,
) -> Iterator[CollectorService]:
    """Yield a collector that holds its first request."""
    config = CollectorConfig(grpc_port=0, http_port=0, accel=False)
    running = CollectorService(config, store, tmp_path / "wal", counters, clock, protection=held)
    running.start()
    yield running
    held.may_go.set()
    running.stop(drain_seconds=10)


def names(store: Connections) -> list[str]:
    """Return the names of all stored spans."""
    rows = store.client().query("SELECT SpanName FROM otel_traces ORDER BY 1").result_rows
    return [name for (name,) in rows]


def left(counters: Counters) -> float | None:
    """Return how many spans nobody waited for."""
    labels = {"signal": "traces", "reason": "client_gone"}
    return counters.registry.get_sample_value("millworth_refused_total", labels)


def test_call_that_was_given_up_is_not_stored(
    holding: CollectorService, held: HeldProtection, store: Connections, counters: Counters
) -> None:
    """Go's collector gives up after 5 s and sends again: 163,840 rows too many under load."""
    body = trace_request(span(name="late")).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{holding.grpc_port}") as channel:
        export = channel.unary_unary(TRACES, None, None)
        call = export.future(body, timeout=WAIT_S)
        assert held.is_held.wait(WAIT_S)
        call.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it open
        # What comes after the end of the first on its connection is read after it.
        export(trace_request(span(name="other")).SerializeToString(), timeout=WAIT_S)
        held.may_go.set()
        export(body, timeout=WAIT_S)
    assert holding.stop(WAIT_S)

    assert names(store) == ["late", "other"]
    assert left(counters) == 1


def test_post_whose_client_hung_up_is_not_stored(
    holding: CollectorService, held: HeldProtection, store: Connections, counters: Counters
) -> None:
    """Of a service that was stopped for a while, each try of one request was a row of its own."""
    request = trace_request(span(name="late"))
    body = request.SerializeToString()
    head = (
        f"POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {PROTOBUF}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    url = f"http://127.0.0.1:{holding.http_port}"
    with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as client:
        with socket.create_connection(("127.0.0.1", holding.http_port)) as connection:
            connection.sendall(head.encode() + body)
            assert held.is_held.wait(WAIT_S)
        # What the event loop answers later it does after it has seen that the first hung up.
        for _ in range(2):
            assert client.get("/").status_code == 404
        held.may_go.set()
        assert post(client, request).status_code == 200
    assert holding.stop(WAIT_S)

    assert names(store) == ["late"]
    assert (left(counters), holding.status().spans_acked) == (1, 1)

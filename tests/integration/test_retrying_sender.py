"""A sender that behaves as agents were seen to: a queue, gzip, a time limit, and retries.

`make test-agents` has the agents themselves.
"""

from __future__ import annotations

import gzip
import json
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc
import httpx
import pytest

from collector.bench.spans import make_requests
from collector.core.clock import SystemClock
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S
from tests.support.programs import free_port
from tests.support.service import RunningService, millworth

pytestmark = [pytest.mark.integration, pytest.mark.alone, pytest.mark.timeout(600)]

SPANS = 24_576
SIZE = 512
CONSUMERS = 6
TIMEOUT_S = 1.0  # of agents 5
BACKOFF_S = 0.5  # of agents 5, growing
# One segment and a few requests: most of what is sent is told to come again.
LOG_BYTES = 1_000_000
RETRIED_GRPC = (
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
)
RETRIED_HTTP = (429, 502, 503, 504)
Send = Callable[[bytes], bool]


class Agent:
    """Sends what is in its queue, again and again until it is answered OK."""

    def __init__(self, requests: list[bytes], send: Send) -> None:
        self._waiting = queue.SimpleQueue[bytes]()
        for request in requests:
            self._waiting.put(request)
        self._send = send
        self.answered = threading.Semaphore(0)
        self.failed = threading.Semaphore(0)
        # Of a service that died nobody is ever answered: they end with the test.
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CONSUMERS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, counter: threading.Semaphore, count: int) -> None:
        """Wait until so many more requests were answered, or tries failed."""
        for _ in range(count):
            assert counter.acquire(timeout=WAIT_S)

    def finish(self) -> None:
        """Wait until all is answered."""
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive(), "a request is answered by nobody any more"

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                request = self._waiting.get_nowait()
            except queue.Empty:
                return
            while not self._send(request):
                self.failed.release()
                pause.wait(BACKOFF_S)
            self.answered.release()


@contextmanager
def by_grpc(port: int) -> Iterator[Send]:
    """Yield a call, compressed and limited in time."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(TRACES, None, None)

        def send(request: bytes) -> bool:
            try:
                export(request, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip)
            except grpc.RpcError as error:
                if error.code() not in RETRIED_GRPC:
                    raise
                return False
            return True

        yield send


@contextmanager
def by_http(port: int) -> Iterator[Send]:
    """Yield a request, compressed and limited in time."""
    headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:

        def send(request: bytes) -> bool:
            try:
                answer = client.post("/v1/traces", content=gzip.compress(request, 1))
            except httpx.TransportError:
                return False
            assert answer.is_success or answer.status_code in RETRIED_HTTP, answer.text
            return answer.is_success

        yield send


@pytest.mark.parametrize(("key", "sender"), [("GRPC", by_grpc), ("HTTP", by_http)])
def test_sender_that_retries_leaves_every_span_once(
    tmp_path: Path, key: str, sender: Callable[[int], AbstractContextManager[Send]]
) -> None:
    """Killed twice, stopped until each sender gave up, with a log that is full: sent = rows."""
    port = free_port()
    settings = {
        f"MILLWORTH__COLLECTOR__{key}_PORT": str(port),
        "MILLWORTH__COLLECTOR__BODY_BYTES_MAX": str(LOG_BYTES // 2),
        "MILLWORTH__COLLECTOR__WAL_BYTES_MAX": str(LOG_BYTES),
    }
    requests = list(make_requests(7, SIZE, SPANS, SystemClock().now_ns()))
    service = RunningService(tmp_path, **settings).__enter__()
    try:
        with sender(port) as send:
            agent = Agent(requests, send)
            for _ in range(2):
                agent.wait_for(agent.answered, len(requests) // 4)
                service.kill()
                service = RunningService(tmp_path, **settings).__enter__()
            agent.wait_for(agent.answered, len(requests) // 4)
            while agent.failed.acquire(blocking=False):
                pass
            service.process.send_signal(signal.SIGSTOP)
            agent.wait_for(agent.failed, 2 * CONSUMERS)
            service.process.send_signal(signal.SIGCONT)
            agent.finish()
    finally:
        service.process.send_signal(signal.SIGCONT)
        service.__exit__(None, None, None)

    sql = "SELECT uniqExact(TraceId, SpanId) AS spans, count() AS rows FROM otel_traces"
    answer = millworth("query", sql, **service.environment)
    assert json.loads(answer.stdout.splitlines()[0]) == {"spans": SPANS, "rows": SPANS}

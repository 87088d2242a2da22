"""What agents leave in the store when the service is killed, stopped, full or far too slow.

`make test-agents` runs these, which take minutes; `make test` has a sender that behaves as they do
(tests/integration/test_retrying_sender.py).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest

from collector.bench.spans import make_requests
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.agents.agents import Agent, Kind, binary
from tests.support.collector.clients import TRACES
from tests.support.programs import free_port
from tests.support.service import RunningService

pytestmark = [pytest.mark.agents, pytest.mark.timeout(1_800)]

KINDS = {
    "go-grpc": Kind("OTELCOL", is_http=False),
    "go-http": Kind("OTELCOL", is_http=True),
    "rotel-grpc": Kind("ROTEL", is_http=False),
    "rotel-http": Kind("ROTEL", is_http=True),
}
SPANS = 131_072
SENDERS = 8
TRIES = 2_000
STOPPED_S = 15
# Both agents wait for half a minute between two tries, at most.
QUIET_S = 120
# What Rotel makes one request of.
ROTEL_BATCH = 8_192
LOOK_S = 0.5
# An agent that says so has taken nothing of it.
QUEUE_FULL = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class Bench:
    """A service that can be killed and begun anew on its ports, behind one agent."""

    def __init__(self, directory: Path, kind: Kind, **settings: str) -> None:
        ports = {"grpc_port": free_port(), "http_port": free_port()}
        self._directory = directory
        self._settings = {
            "MILLWORTH__COLLECTOR__GRPC_PORT": str(ports["grpc_port"]),
            "MILLWORTH__COLLECTOR__HTTP_PORT": str(ports["http_port"]),
            **settings,
        }
        self.agent = Agent(kind, directory, ports)
        self.begin()
        self.is_of_rotel = kind.variable == "ROTEL"

    def begin(self) -> None:
        """Start the service, over what the one before left."""
        self.service = RunningService(self._directory, **self._settings).__enter__()

    def kill(self) -> None:
        """End the service as a crash does, and start it anew."""
        self.service.kill()
        self.begin()

    def stop(self) -> None:
        """Stop the service, as a machine does that is out of memory, and let it go on."""
        self.service.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(STOPPED_S)
        self.service.process.send_signal(signal.SIGCONT)

    def counted(self) -> tuple[int, int]:
        """Return the distinct spans and the rows that are stored."""
        sql = "SELECT uniqExact(TraceId, SpanId) AS spans, count() FROM otel_traces"
        answer = httpx.post(
            f"{self.service.url}/api/v1/query", json={"sql": sql}, timeout=60, trust_env=False
        )
        ((distinct, rows),) = answer.raise_for_status().json()["rows"]
        return int(distinct), int(rows)

    def settled(self, expected: int) -> tuple[int, int]:
        """Wait until so many spans are stored, or no more come; return what is."""
        clock, waiting = SystemClock(), threading.Event()
        found, changed_ns = (0, 0), clock.monotonic_ns()
        while found[0] < expected and clock.monotonic_ns() - changed_ns < QUIET_S * NS_PER_S:
            waiting.wait(LOOK_S)
            if (now := self.counted()) != found:
                found, changed_ns = now, clock.monotonic_ns()
        return found


@contextmanager
def standing(directory: Path, kind: Kind, **settings: str) -> Iterator[Bench]:
    """Yield a service with an agent in front."""
    bench = Bench(directory, kind, **settings)
    try:
        with bench.agent:
            yield bench
    finally:
        bench.service.process.send_signal(signal.SIGCONT)
        bench.service.__exit__(None, None, None)


def send(port: int, requests: Sequence[bytes]) -> None:
    """Send requests to an agent, as fast as it takes them."""
    options = [("grpc.max_send_message_length", -1)]
    waiting = threading.Event()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        export = channel.unary_unary(TRACES, None, None)

        def one(request: bytes) -> None:
            for _ in range(TRIES):
                try:
                    export(request, timeout=600, wait_for_ready=True)
                except grpc.RpcError as error:
                    if error.code() not in QUEUE_FULL:
                        raise
                    waiting.wait(0.1)
                else:
                    return
            raise AssertionError("the agent takes nothing")

        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(one, requests))


def load(size: int, spans: int = SPANS) -> list[bytes]:
    """Return requests of distinct spans."""
    return list(make_requests(11, size, spans, SystemClock().now_ns()))


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each agent over each protocol, where its program is there."""
    found = KINDS[request.param]
    binary(found.variable)
    return found


def test_killed_twice_and_stopped(tmp_path: Path, kind: Kind) -> None:
    """sent = distinct = rows."""
    requests = load(512, 2 * SPANS)
    with standing(tmp_path, kind) as bench, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, bench.agent.port, requests)
        for share, step in ((0.05, bench.kill), (0.3, bench.stop), (0.5, bench.kill)):
            bench.settled(round(share * 2 * SPANS))
            step()
        sending.result()
        distinct, rows = bench.settled(2 * SPANS)
    assert rows == distinct
    assert 0 <= 2 * SPANS - distinct <= dropped_by_rotel(bench)


def test_full_log(tmp_path: Path, kind: Kind) -> None:
    """Told to come again, the agent does, until all is there."""
    requests = load(512)
    limits = {
        "MILLWORTH__COLLECTOR__BODY_BYTES_MAX": "8000000",
        "MILLWORTH__COLLECTOR__WAL_BYTES_MAX": "8000000",
    }
    with standing(tmp_path, kind, **limits) as bench:
        send(bench.agent.port, requests)
        distinct, rows = bench.settled(SPANS)
    assert (distinct, rows) == (SPANS, SPANS)


def test_load_far_above_capacity(tmp_path: Path, kind: Kind) -> None:
    """Requests that take longer than the agent waits are given up, sent again and stored once."""
    requests = load(8_192, 4 * SPANS)
    with standing(tmp_path, kind) as bench:
        send(bench.agent.port, requests)
        distinct, rows = bench.settled(4 * SPANS)
    assert (distinct, rows) == (4 * SPANS, 4 * SPANS)


def dropped_by_rotel(bench: Bench) -> int:
    """Return how many spans Rotel may have dropped: it retries no connection that was reset."""
    resets = bench.agent.said().count("error from endpoint") if bench.is_of_rotel else 0
    return ROTEL_BATCH * resets

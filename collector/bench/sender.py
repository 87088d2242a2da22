"""I/O: the sender of `millworth bench ingest`, in a process of its own: its time is not ours."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, TypeAlias

import grpc

from collector.bench.harness import start_function
from collector.bench.open_sender import Poster
from collector.core.clock import SystemClock
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_MS, NS_PER_S

Protocol: TypeAlias = Literal["grpc", "http"]

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_IN_FLIGHT = 16
# An open loop sends when it is time, whatever the answers do; this many may be missing.
_OPEN_IN_FLIGHT = 64
_ANSWER_S_MAX = 120.0
_FIRST_SPAN = re.compile(rb"\x0a\x10.{16}\x12\x08", re.DOTALL)  # up to its span_id
# A machine with other work on it may take longer to read a request than a crowded receiver waits.
_TRIES_MAX = 20
_RETRYABLE = (
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
)


class Sender:
    """Sends the requests of a file to a port; told to go, it reports the times to the answers."""

    def __init__(
        self,
        load: Path,
        port: int,
        *,
        over: Protocol = "grpc",
        requests_per_s: float = 0.0,
        seconds: float = 0.0,
    ) -> None:
        """Start the process and wait until it is ready.

        Args:
            load: what `write_load` wrote.
            port: of the receiver.
            over: what the port speaks.
            requests_per_s: sent at fixed instants; 0 sends as fast as 16 at a time allow, once.
            seconds: how long to send at fixed instants, the load over and over.
        """
        self._pipe, self._process = start_function(_send, load, port, over, requests_per_s, seconds)
        assert self._pipe.recv() == "ready"

    def go(self) -> None:
        """Send."""
        self._pipe.send("go")

    def times_ms(self) -> list[float]:
        """Wait for the end; return the times to the answers, sorted.

        In an open loop a time begins when its request was due, not when it got its turn.
        """
        times: list[float] = self._pipe.recv()
        self._process.join()
        return times


def write_load(path: Path, requests: Sequence[bytes]) -> None:
    """Write requests to a file, each after its length."""
    path.write_bytes(b"".join(len(r).to_bytes(4, "little") + r for r in requests))


def read_load(path: Path) -> list[bytes]:
    """Read what `write_load` wrote."""
    content = path.read_bytes()
    requests = []
    offset = 0
    while offset < len(content):
        end = offset + 4 + int.from_bytes(content[offset : offset + 4], "little")
        requests.append(content[offset + 4 : end])
        offset = end
    return requests


def renewed(request: bytes, number: int) -> bytes:
    """Return a request whose first span has another id: equal bytes are taken for a retry."""
    match = _FIRST_SPAN.search(request)
    assert match is not None, "a request of the load has a span"
    return request[: match.end()] + number.to_bytes(8, "big") + request[match.end() + 8 :]


def _insist(call: Callable[[], object]) -> None:
    """Call again where OTLP says that a sender shall; the time to the answer counts all of it."""
    for _ in range(_TRIES_MAX):
        try:
            call()
        except grpc.RpcError as error:
            if error.code() not in _RETRYABLE:
                raise
        else:
            return
    raise StoreUnavailableError(f"the collector refused a request {_TRIES_MAX} times")


@contextmanager
def _exporter(port: int, over: Protocol, clock: SystemClock) -> Iterator[Callable[[bytes], object]]:
    """Yield what sends a request and returns once it is answered."""
    if over == "http":
        poster = Poster(port, clock)
        yield lambda request: poster.post("/v1/traces", request, 0)
        return
    with grpc.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]
    ) as channel:
        export = channel.unary_unary(EXPORT, bytes, bytes)
        yield lambda request: _insist(
            lambda: export(request, timeout=_ANSWER_S_MAX, wait_for_ready=True)
        )


def _send(
    pipe: Connection,
    load: Path,
    port: int,
    over: Protocol,
    requests_per_s: float,
    seconds: float,
) -> None:
    requests = read_load(load)
    clock = SystemClock()
    with _exporter(port, over, clock) as export:
        numbers = itertools.count(1)

        def send(request: bytes, due_ns: int | None = None) -> float:
            request = renewed(request, next(numbers))
            began_ns = clock.monotonic_ns() if due_ns is None else due_ns
            export(request)
            return (clock.monotonic_ns() - began_ns) / NS_PER_MS

        send(requests[0])  # the connection is not what is measured
        pipe.send("ready")
        pipe.recv()
        if not requests_per_s:
            with ThreadPoolExecutor(_IN_FLIGHT) as pool:
                pipe.send(sorted(pool.map(send, requests)))
            return
        waiting = threading.Event()
        with ThreadPoolExecutor(_OPEN_IN_FLIGHT) as pool:
            first_ns = clock.monotonic_ns()
            answers = []
            for number in range(round(requests_per_s * seconds)):
                due_ns = first_ns + round(number / requests_per_s * NS_PER_S)
                waiting.wait(max(0.0, (due_ns - clock.monotonic_ns()) / NS_PER_S))
                answers.append(pool.submit(send, requests[number % len(requests)], due_ns))
            pipe.send(sorted(answer.result() for answer in answers))

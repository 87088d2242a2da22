"""I/O: the sender of `millworth bench pipeline`, in a process of its own: decisions at a rate.

An open loop: a request is sent when it is due, whatever the answers do, over OTLP/HTTP with
connections that are kept. Of eight requests that wait the next ones are late, and that is counted.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from collector.bench.decision_load import decision_patterns
from collector.bench.harness import cpu_s, start_function
from collector.core.clock import SystemClock
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_MS, NS_PER_S

# As an SDK's batch of 512 spans, or what four exporters have together in a second.
DECISIONS_PER_REQUEST: Final = 64
REQUESTS_PER_S_MIN: Final = 4
_IN_FLIGHT: Final = 8
_PATTERNS: Final = 8
_TRIES_MAX: Final = 100
_ANSWER_S_MAX: Final = 60
_BUSY: Final = (429, 503)
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in one go."""

    decisions: int
    seconds: float
    ack_p99_ms: float  # from when a request was due
    cpu_s: float  # of the sender


class OpenSender:
    """A process that sends decisions to a service's port of OTLP/HTTP."""

    def __init__(self, port: int, seed: int) -> None:
        """Start it; `seed` makes its trace ids others than those of another sender."""
        self._pipe, self._process = start_function(_serve, port, seed)
        assert self._pipe.recv() == "ready"

    def send(self, decisions_per_s: float, seconds: float) -> None:
        """Begin to send, and return once that is so; `sent` waits for the end."""
        self._pipe.send((decisions_per_s, seconds))
        assert self._pipe.recv() == "begun"

    def sent(self) -> Sent:
        """Wait until all is answered; return what was sent."""
        sent: Sent = self._pipe.recv()
        return sent

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()

    def kill(self) -> None:
        """End the process at once, whatever it sends."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, port: int, seed: int) -> None:
    clock = SystemClock()
    numbers = iter(range(seed << 32, (seed + 1) << 32))
    pipe.send("ready")
    while (request := pipe.recv()) is not None:
        pipe.send(_send(pipe, port, clock, numbers.__next__, *request))


class Poster:
    """Sends requests over OTLP/HTTP, on a kept connection a thread."""

    def __init__(self, port: int, clock: SystemClock) -> None:
        """Connect nowhere yet."""
        self._port = port
        self._clock = clock
        self._local = threading.local()

    def post(self, path: str, body: bytes, due_ns: int) -> float:
        """Send a request until it is taken; return the ms since it was due."""
        for _ in range(_TRIES_MAX):
            line: http.client.HTTPConnection | None = getattr(self._local, "line", None)
            if line is None:
                line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S_MAX)
                self._local.line = line
            line.request("POST", path, body, {"content-type": "application/x-protobuf"})
            answer = line.getresponse()
            answer.read()
            if answer.status == _OK:
                return (self._clock.monotonic_ns() - due_ns) / NS_PER_MS
            if answer.status not in _BUSY:
                break
            threading.Event().wait(float(answer.getheader("retry-after") or 1))
        raise StoreUnavailableError(f"the service answered a request with {answer.status}")


def _send(
    pipe: Connection,
    port: int,
    clock: SystemClock,
    number: Callable[[], int],
    decisions_per_s: float,
    seconds: float,
) -> Sent:
    each = min(DECISIONS_PER_REQUEST, max(1, round(decisions_per_s / REQUESTS_PER_S_MIN)))
    made_ns = clock.now_ns()
    patterns = [decision_patterns(seed, each, made_ns) for seed in range(_PATTERNS)]
    poster = Poster(port, clock)
    waiting = threading.Event()
    count = max(1, round(decisions_per_s * seconds / each))
    pipe.send("begun")
    began_cpu = cpu_s()
    answers: list[Future[float]] = []
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        first_ns = clock.monotonic_ns()
        for index in range(count):
            due_ns = first_ns + round(index * each / decisions_per_s * NS_PER_S)
            waiting.wait(max(0.0, (due_ns - clock.monotonic_ns()) / NS_PER_S))
            spans, outcomes = patterns[index % _PATTERNS]
            request_number, later_ns = number(), clock.now_ns() - made_ns
            answers.append(
                pool.submit(
                    poster.post, "/v1/traces", spans.request(request_number, later_ns), due_ns
                )
            )
            answers.append(
                pool.submit(
                    poster.post, "/v1/logs", outcomes.request(request_number, later_ns), due_ns
                )
            )
        times_ms = sorted(answer.result() for answer in answers)
        took_s = (clock.monotonic_ns() - first_ns) / NS_PER_S
    return Sent(count * each, took_s, times_ms[int(len(times_ms) * 0.99)], cpu_s() - began_cpu)

"""I/O: traffic with incidents of known size, between the two hosts of a lab, and its own record.

`server` answers each request at once, or late where the request says that it belongs to an
incident. `client` sends ordinary requests all the time, and one incident after the other among
them; a line on its input holds it once no incident is under way, or lets it go on. It prints, four
times a second, a JSON list of what each finished request was: its incident (-1 for none), its port
and when it began and ended. That record is the truth that packets are held against: it knows of
every byte that crossed the wire.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import random
import select
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.core.clock import AnchoredClock
from collector.core.times import NS_PER_MS, NS_PER_S

REQUEST_BYTES, RESPONSE_BYTES = 200, 400
DELAY_NS = 60 * NS_PER_MS
CONNECTIONS = 96
RATE_PER_S = 500
_AFFECTED_SHARE = 0.6  # of the requests while an incident lasts
_PAUSE_NS = NS_PER_S // 5  # between two incidents
_LEAD_NS = 3 * NS_PER_S  # ordinary traffic before the first
_SLOW, _FAST = b"s", b"f"
_TICK_MS = 1
HOLD, GO = b"h\n", b"g\n"
_REPORT_NS = NS_PER_S // 4


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """One finished request."""

    incident: int  # -1 for none
    port: int
    start_ns: int
    end_ns: int


def incident_sizes(count: int, seed: int, smallest: int, largest: int) -> list[int]:
    """Return how many requests each incident touches: log-uniform, so that small ones count."""
    drawn = random.Random(seed)  # noqa: S311  a seeded plan, not a secret
    low, high = math.log(smallest), math.log(largest)
    return [round(math.exp(drawn.uniform(low, high))) for _ in range(count)]


def plan(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (due, incident) of every request, the due time from the start, by time."""
    gap_ns = NS_PER_S // RATE_PER_S
    due_ns = 0
    while due_ns < _LEAD_NS:
        yield due_ns, -1
        due_ns += gap_ns
    for incident, size in enumerate(sizes):
        left, share = size, 0.0
        while left:
            share += _AFFECTED_SHARE
            if share >= 1:
                share -= 1
                left -= 1
                yield due_ns, incident
            else:
                yield due_ns, -1
            due_ns += gap_ns
        until_ns = due_ns + _PAUSE_NS
        while due_ns < until_ns:
            yield due_ns, -1
            due_ns += gap_ns


class UnderWay:
    """How much of the incident that has begun is still to be sent: one ends before the next."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._incident, self._left = -1, 0

    def sent(self, incident: int) -> None:
        """Count one request, -1 for one of none."""
        if incident < 0:
            return
        if incident != self._incident:
            self._incident, self._left = incident, self._sizes[incident]
        self._left -= 1

    def __bool__(self) -> bool:
        """Return whether requests of it are to come."""
        return self._left > 0


def serve(address: str) -> None:
    """Answer until standard input ends."""
    listener = socket.create_server((address, 0), backlog=CONNECTIONS)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    poll, clock = select.poll(), AnchoredClock()
    for waited in (sys.stdin, listener):
        poll.register(waited, select.POLLIN)
    connections: dict[int, socket.socket] = {}
    late: list[tuple[int, int]] = []
    answer = b"a" * RESPONSE_BYTES
    while True:
        for descriptor, _ in poll.poll(_TICK_MS if late else 1_000):
            if descriptor == sys.stdin.fileno():
                return
            if descriptor == listener.fileno():
                opened, _ = listener.accept()
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[opened.fileno()] = opened
                poll.register(opened, select.POLLIN)
                continue
            received = connections[descriptor].recv(REQUEST_BYTES)
            if not received:
                poll.unregister(descriptor)
                connections.pop(descriptor).close()
            elif received.startswith(_SLOW):
                heapq.heappush(late, (clock.monotonic_ns() + DELAY_NS, descriptor))
            else:
                connections[descriptor].sendall(answer)
        while late and late[0][0] <= clock.monotonic_ns():
            _, descriptor = heapq.heappop(late)
            if descriptor in connections:
                connections[descriptor].sendall(answer)


class Client:
    """Connections that are each idle, or wait for one answer."""

    def __init__(self, address: str, port: int) -> None:
        self._clock = AnchoredClock()
        self._poll = select.poll()
        self._sockets: dict[int, socket.socket] = {}
        self._idle: deque[int] = deque()
        self._pending: dict[int, list[int]] = {}  # incident, start_ns, bytes still to come
        self._finished: list[list[int]] = []
        for _ in range(CONNECTIONS):
            opened = socket.create_connection((address, port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[opened.fileno()] = opened
            self._idle.append(opened.fileno())
            self._poll.register(opened, select.POLLIN)
        self._is_held = False
        self._poll.register(sys.stdin, select.POLLIN)

    def run(self, requests: Iterator[tuple[int, int]], under_way: UnderWay) -> None:
        """Send every request when it is due, or as soon as a connection is idle."""
        begin_ns = seen_ns = self._clock.monotonic_ns()
        reported_ns, waiting = begin_ns, deque[int]()
        following = next(requests, None)
        while following is not None or waiting or self._pending:
            now_ns = self._clock.monotonic_ns()
            if self._is_held and not under_way:  # no incident is stretched
                begin_ns += now_ns - seen_ns  # what is due is due so much later
            seen_ns = now_ns
            while following is not None and following[0] <= now_ns - begin_ns:
                waiting.append(following[1])
                under_way.sent(following[1])
                following = next(requests, None)
            while waiting and self._idle:
                self._ask(waiting.popleft())
            for descriptor, _ in self._poll.poll(_TICK_MS):
                if descriptor == sys.stdin.fileno():
                    self._obey()
                else:
                    self._hear(descriptor)
            if now_ns - reported_ns >= _REPORT_NS:
                reported_ns = now_ns
                self._report()
        self._report()

    def _obey(self) -> None:
        command = os.read(sys.stdin.fileno(), 4096)
        if command:
            self._is_held = command.endswith(HOLD)
        else:
            self._is_held = False
            self._poll.unregister(sys.stdin)

    def _ask(self, incident: int) -> None:
        descriptor = self._idle.popleft()
        body = (_FAST if incident < 0 else _SLOW) * REQUEST_BYTES
        self._pending[descriptor] = [incident, self._clock.now_ns(), RESPONSE_BYTES]
        self._sockets[descriptor].sendall(body)

    def _hear(self, descriptor: int) -> None:
        pending = self._pending[descriptor]
        pending[2] -= len(self._sockets[descriptor].recv(pending[2]))
        if not pending[2]:
            del self._pending[descriptor]
            self._idle.append(descriptor)
            port = int(self._sockets[descriptor].getsockname()[1])
            self._finished.append([pending[0], port, pending[1], self._clock.now_ns()])

    def _report(self) -> None:
        finished, self._finished = self._finished, []
        sys.stdout.write(json.dumps(finished) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Run the end that the first argument names."""
    if sys.argv[1] == "server":
        serve(sys.argv[2])
        return 0
    address, port, count, seed, smallest, largest = sys.argv[2:]
    sizes = incident_sizes(int(count), int(seed), int(smallest), int(largest))
    Client(address, int(port)).run(plan(sizes), UnderWay(sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""I/O: the two ends of a benchmark's traffic, each a process: requests at a rate, answers at once.

`server` prints its port, answers each request by as many bytes, and ends with its input. `client`
sends `requests` of them at a rate, a few back to back each millisecond, and prints the time that
each took, in nanoseconds, as one JSON list.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from time import sleep

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MS, NS_PER_S

# What the recorder searches, at the rate of the requests: a header of trace context in each.
_REQUEST = b"GET / HTTP/1.1\r\nHost: b\r\ntraceparent: 00-%032x-00000000000000aa-01\r\n\r\n"
REQUEST_BYTES = len(_REQUEST % 1)
_RECEIVE_BYTES = 65_536


def serve(address: str) -> None:
    """Answer until standard input ends."""
    listener = socket.create_server((address, 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    poll.register(listener, select.POLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == sys.stdin.fileno():
                return
            if descriptor == listener.fileno():
                opened, _ = listener.accept()
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[opened.fileno()] = opened
                poll.register(opened, select.POLLIN)
                continue
            connection = connections[descriptor]
            received = connection.recv(_RECEIVE_BYTES)
            if received:
                connection.sendall(b"a" * len(received))
            else:
                poll.unregister(connection)
                connections.pop(descriptor).close()


def ask(address: str, port: int, rate_per_s: int, requests: int) -> list[int]:
    """Send requests at a rate; return how long each took."""
    clock = SystemClock()
    a_tick = max(rate_per_s * NS_PER_MS // NS_PER_S, 1)
    tick_ns = NS_PER_S * a_tick // rate_per_s
    took: list[int] = []
    with socket.create_connection((address, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        next_ns = clock.monotonic_ns()
        while len(took) < requests:
            for _ in range(a_tick):
                body = _REQUEST % (len(took) + 1)
                begin_ns = clock.monotonic_ns()
                connection.sendall(body)
                left = REQUEST_BYTES
                while left:
                    left -= len(connection.recv(left))
                took.append(clock.monotonic_ns() - begin_ns)
            next_ns += tick_ns
            wait_ns = next_ns - clock.monotonic_ns()
            if wait_ns > 0:
                sleep(wait_ns / NS_PER_S)
    return took


def main() -> int:
    """Run the end that the first argument names."""
    if sys.argv[1] == "server":
        serve(sys.argv[2])
        return 0
    address, port, rate, requests = sys.argv[2:]
    sys.stdout.write(json.dumps(ask(address, int(port), int(rate), int(requests))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

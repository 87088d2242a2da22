"""I/O: the two ends of a drill, each a process: a small decision path that says what it did.

`server` prints its port, then works a while on each request, answers, and ends with its input.
`client` makes one decision after the other over one connection, each request with a trace context.
Both print a JSON line for each: [trace, begin, end], in Unix ns.
"""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import sys
import threading
from time import sleep
from typing import Final

from collector.core.clock import AnchoredClock

RESPONSE_BYTES: Final = 12_000  # some nine segments, so that there is an order to lose
_WORK_S: Final = 0.004
_PAUSE_S: Final = 0.01
_CLOCK: Final = AnchoredClock()


def ids(number: int) -> tuple[str, str, str]:
    """Return the trace of one decision and its spans, of who asks and of who answers."""
    return f"{number:032x}", f"{number:015x}c", f"{number:015x}d"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Work, and answer."""
        begin_ns = _CLOCK.now_ns()
        sleep(_WORK_S)
        self.send_response(200)
        self.send_header("Content-Length", str(RESPONSE_BYTES))
        self.end_headers()
        self.wfile.write(b"a" * RESPONSE_BYTES)
        traceparent = self.headers.get("traceparent")
        if traceparent is not None:
            _say(traceparent.split("-")[1], begin_ns, _CLOCK.now_ns())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what there is to say is a line of JSON."""


def serve(address: str) -> None:
    """Answer until standard input ends."""
    server = http.server.ThreadingHTTPServer((address, 0), _Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    sys.stdin.read()
    server.shutdown()
    thread.join()


def decide(address: str, port: int, first: int, count: int) -> None:
    """Make decisions, from the number `first` on."""
    connection = http.client.HTTPConnection(address, port)
    connection.connect()
    assert connection.sock is not None
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # What happens once, opening the connection and growing its window, is of no decision.
    connection.request("GET", "/price")
    connection.getresponse().read()
    for number in range(first, first + count):
        trace_id, span_id, _ = ids(number)
        begin_ns = _CLOCK.now_ns()
        connection.request("GET", "/price", headers={"traceparent": f"00-{trace_id}-{span_id}-01"})
        connection.getresponse().read()
        _say(trace_id, begin_ns, _CLOCK.now_ns())
        sleep(_PAUSE_S)
    connection.close()


def _say(trace_id: str, begin_ns: int, end_ns: int) -> None:
    sys.stdout.write(json.dumps([trace_id, begin_ns, end_ns]) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the end that the first argument names."""
    if sys.argv[1] == "server":
        serve(sys.argv[2])
        return 0
    address, port, first, count = sys.argv[2:]
    decide(address, int(port), int(first), int(count))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""I/O: a small receiver of our webhooks, for the demo and as an example of how one is written."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from alerts.delivery.payload import BODY_BYTES_MAX
from alerts.signature import SECRET_PREFIX, verify
from attribution.core.money import amount
from collector.core.clock import Clock, SystemClock
from collector.core.errors import DecodeError, InputError

# A receiver that runs for days remembers this many ids; a retry comes within three days.
DELIVERIES_MAX = 10_000
_SOCKET_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """One genuine message; a retry of it is answered and not kept again."""

    webhook_id: str
    kind: str
    message: dict[str, Any]
    headers: dict[str, str]
    received_ns: int


def new_secret() -> str:
    """Return a new random secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


class DemoReceiver:
    """Verifies each message, rejects a forged one, and announces what it would reroute."""

    def __init__(
        self,
        announce: Callable[[str], None] = lambda _line: None,
        secret: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.secret = secret or new_secret()
        self.refused = 0
        self._announce = announce
        self._clock = clock or SystemClock()
        self._received: dict[str, Received] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the URL of the receiver. Raises InputError before the start."""
        if self._server is None:
            raise InputError("the receiver has no address before it is started")
        return f"http://127.0.0.1:{self._server.server_address[1]}/webhooks"

    @property
    def deliveries(self) -> list[Received]:
        """Return the genuine messages, in the order in which they came."""
        with self._lock:
            return list(self._received.values())

    def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="demo-receiver",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; deliveries stay. A second call does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def accept(self, headers: dict[str, str], content: bytes) -> int:
        """Take one request and return the status of the answer: 204, 401, or 400 if not JSON."""
        now_ns = self._clock.now_ns()
        try:
            message_id = verify(self.secret, headers, content, now_ns)
        except DecodeError as error:
            with self._lock:
                self.refused += 1
            self._announce(f"refused: {error}")
            return 401
        try:
            message = json.loads(content)
            line = describe(message)
        except (ValueError, KeyError, TypeError) as error:
            self._announce(f"signed, but not a message of ours: {error}")
            return 400
        with self._lock:
            is_new = message_id not in self._received
            if is_new:
                self._received[message_id] = Received(
                    message_id, message["type"], message, headers, now_ns
                )
                if len(self._received) > DELIVERIES_MAX:
                    del self._received[next(iter(self._received))]
        if is_new:
            self._announce(line)
        return 204


def describe(message: dict[str, Any]) -> str:
    """Return one line about a message and what this receiver would do."""
    data = message["data"]
    if data["revenue_at_risk_usd_per_h"] is None:
        return f"signature verified, {message['type']}: {data['reason']}"
    where = f"{data['action']}/{data['region']}"
    if message["type"] != "alert.firing":
        return f"signature verified, {message['type']} {where}: would send it home again"
    cost = f"{amount(format(data['revenue_at_risk_usd_per_h'], ',.0f'))}/h at risk"
    suspect = data["blamed_segment"] or "no segment stands out"
    proposal = data["reroute"]
    if proposal is None:
        remedy = "no healthy region is known, would leave it and page a person"
    else:
        move = proposal["move"]
        route = f" from route {move['from_route']}" if move["from_route"] else ""
        remedy = f"would reroute {move['action']}/{move['region']}{route} to {move['to_region']}"
    return f"signature verified, {message['type']} {where}: {cost}, {suspect}; {remedy}"


def _handler(receiver: DemoReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SOCKET_TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not (length.isascii() and length.isdigit()):
                status = 411
            elif int(length[:9]) > BODY_BYTES_MAX:
                status = 413
            else:
                status = receiver.accept(dict(self.headers.items()), self.rfile.read(int(length)))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Write no log of requests: `announce` has a line for each message."""

    return Handler

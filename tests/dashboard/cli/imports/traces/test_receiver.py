from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from collector.core.errors import InputError, RequestTooLargeError, StoreUnavailableError
from collector.receive.deduplicator import HEADER
from collector.receive.status import rpc_status
from collector.service import CollectorService
from dashboard.cli.imports.traces.receiver import Receiver, RequestReport, receiving
from dashboard.settings.settings import Settings
from tests.support.builders import span, trace_request

BODY = trace_request(span()).SerializeToString()
Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {HEADER.decode(): "0"}, b"")


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a server that gives these answers in turn, and what it was sent."""
    left, sent = list(answers), list[bytes]()

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Give the next answer."""
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """Say that this is no way to ask, as a receiver does."""
            self.send_response(405)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(status: int, text: str, **headers: str) -> Answer:
    """Return an answer as the receiver refuses."""
    return status, headers, rpc_status(3, text).SerializeToString()


def test_a_receiver_that_asks_to_wait_is_asked_again() -> None:
    """A log that is full has to drain first; nothing of the file may be left out for that."""
    full = 503, {"retry-after": "0"}, rpc_status(14, "full").SerializeToString()
    with answering(full, full, OK) as (url, sent), Receiver(url, Settings()) as receiver:
        answered = receiver.send(BODY)

    assert answered == RequestReport(0, 0, 0, "")
    assert sent == [BODY] * 3


def test_another_program_is_refused_before_any_span() -> None:
    """It would store again what is there already, and say nothing of it."""
    other: Answer = 200, {}, b""
    with (
        answering(other) as (url, sent),
        pytest.raises(InputError, match="it is not a Millworth of this version"),
        receiving(Settings(), url),
    ):
        pass

    assert sent == [b""]


def test_a_receiver_that_is_named_and_not_there_is_not_waited_for() -> None:
    """A typing error in an address shows at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with (
        pytest.raises(StoreUnavailableError, match=f"no receiver answers at .*:{port}; start it"),
        receiving(Settings(), f"http://127.0.0.1:{port}"),
    ):
        pass


def test_a_request_over_the_limit_is_said_to_be_too_large() -> None:
    """Whoever sent it divides it."""
    with (
        answering(refusal(413, "the body is over 5 bytes")) as (url, _),
        Receiver(url, Settings()) as receiver,
        pytest.raises(RequestTooLargeError, match="over 5 bytes"),
    ):
        receiver.send(BODY)


def test_a_refusal_is_shown_in_the_receivers_words() -> None:
    """A token without the scope is mended by a person."""
    with (
        answering(refusal(403, "needs the scope traces")) as (url, _),
        Receiver(url, Settings()) as receiver,
        pytest.raises(InputError, match="HTTP 403: needs the scope traces"),
    ):
        receiver.send(BODY)


def test_a_receiver_that_is_asked_for_in_vain_is_named() -> None:
    """It ends after a bounded number of tries."""
    full = refusal(503, "full", **{"retry-after": "0"})
    with (
        answering(*[full] * 60) as (url, _),
        Receiver(url, Settings()) as receiver,
        pytest.raises(StoreUnavailableError, match="in 60 tries: HTTP 503: full; import the same"),
    ):
        receiver.send(BODY)


def test_the_application_of_this_process_answers_alike(service: CollectorService) -> None:
    """Where no service runs the checks are the same."""
    inside = Receiver("http://127.0.0.1", Settings(), service)
    with Receiver(f"http://127.0.0.1:{service.http_port}", Settings()) as outside:
        first, again = inside.send(BODY), outside.send(BODY)

    assert (first, again) == (RequestReport(0, 0, 0, ""), RequestReport(1, 0, 0, ""))

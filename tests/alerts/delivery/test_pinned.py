"""What one attempt takes at most, and where it goes, against sockets that answer as they like."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.delivery.pinned import PinnedClient
from alerts.delivery.webhook import WebhookSender
from alerts.state.retry import Reply
from tests.conftest import NOW_NS
from tests.support.alerts.builders import endpoint, message
from tests.support.alerts.receiver import ScriptedReceiver
from tests.support.certificates import Authority

Answer = Callable[[socket.socket, threading.Event], None]


class Peer:
    """A listener that answers each connection by a function, until it is told to end."""

    def __init__(self, answer: Answer, *, reads: bool = True) -> None:
        self._answer, self._reads, self._ends = answer, reads, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]

    def _listen(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._reads:
                    connection.recv(65_536)
                self._answer(connection, self._ends)
            except OSError:
                return  # it hung up

    def close(self) -> None:
        """End what is answered, and listen no more."""
        self._ends.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


def dripping(first: bytes, drop: bytes) -> Answer:
    """Return an answer that goes on by a drop each 50 ms, for ever."""

    def answer(connection: socket.socket, ends: threading.Event) -> None:
        connection.sendall(first)
        while not ends.wait(0.05):
            connection.sendall(drop)

    return answer


@pytest.fixture
def start() -> Iterator[Callable[[Answer], int]]:
    """Start peers that are closed again; by their ports."""
    peers: list[Peer] = []

    def begin(answer: Answer) -> int:
        peers.append(Peer(answer))
        return peers[-1].port

    yield begin
    for peer in peers:
        peer.close()


@pytest.fixture
def receiver() -> Iterator[ScriptedReceiver]:
    """A receiver on this machine."""
    receiver = ScriptedReceiver()
    yield receiver
    receiver.stop()


def post(port: int, *addresses: str, timeout_s: float = 30) -> Reply:
    """Make one attempt at a name with these addresses."""
    client = PinnedClient(("hook.example",), resolver=lambda _host, _port: list(addresses))
    reply = client.post(f"http://hook.example:{port}/x", b"{}", {}, timeout_s)
    client.close()
    return reply


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), id="a header without an end"),
        pytest.param(dripping(b"", b"H"), id="no status line"),
        pytest.param(lambda _connection, ends: ends.wait(), id="nothing"),
    ],
)
def test_attempt_ends_in_its_time_however_the_peer_drips(
    start: Callable[[Answer], int], answer: Answer
) -> None:
    """Each byte came in time, and a lane was held for ever."""
    reply = post(start(answer), "127.0.0.1", timeout_s=0.5)
    assert reply == Reply(None, error="no answer within 0.5 s")


def test_refusal_is_told_by_what_of_it_has_come(start: Callable[[Answer], int]) -> None:
    """The status is known; the rest of its text need not end."""
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9000\r\n\r\nno such route"
    assert post(start(dripping(head, b".")), "127.0.0.1") == Reply(400, message="no such route")


def test_address_that_takes_no_connection_gives_way_to_the_next(
    start: Callable[[Answer], int],
) -> None:
    """A name has two, and nothing listens on the first of them."""

    def fine(connection: socket.socket, _ends: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    port = start(fine)
    assert post(port, "127.0.0.2", "127.0.0.1") == Reply(204)
    refused = post(port, "127.0.0.2", "127.0.0.3")
    assert refused.status_code is None
    assert "refused" in refused.error


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["169.254.169.254"], id="a metadata service"),
        pytest.param(["127.0.0.1", "169.254.169.254"], id="one good and one bad"),
        pytest.param([], id="none"),
    ],
)
def test_name_is_judged_by_every_address_it_has(
    receiver: ScriptedReceiver, addresses: list[str]
) -> None:
    """A name can point anywhere, and at several places at once."""
    client = PinnedClient(("127.0.0.1",), resolver=lambda _host, _port: addresses)

    reply = WebhookSender(client).send(endpoint("http://hook.example/x"), message(), NOW_NS)
    client.close()

    assert reply.status_code is None
    assert "hook.example" in reply.error
    assert receiver.requests == []


def test_name_is_resolved_once_and_its_address_pinned(receiver: ScriptedReceiver) -> None:
    """Between a check and a connection a name may move; the Host header stays the name's."""
    asked: list[tuple[str, int]] = []
    port = int(receiver.url.rpartition(":")[2].partition("/")[0])

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    client = PinnedClient(("hook.example",), resolver=resolver)
    where = endpoint(f"http://hook.example:{port}/x")
    reply = WebhookSender(client).send(where, message(), NOW_NS)
    client.close()

    assert reply.status_code == 200
    assert asked == [("hook.example", port)]
    assert receiver.requests[0][0]["host"] == f"hook.example:{port}"


_POST = """
import sys
from alerts.delivery.pinned import PinnedClient
print(PinnedClient(("127.0.0.1",)).post(sys.argv[1], b"x", {}, 20))
"""


def test_company_s_own_authority_is_trusted_where_the_machine_trusts_it(tmp_path: Path) -> None:
    """A router inside has a certificate of no public authority, and clear text was the only way."""
    authority = Authority(tmp_path)
    files = authority.issue("router")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)

    def answer(connection: socket.socket, _ends: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            said = b""
            while not said.endswith(b"\r\n\r\nx"):
                said += tls.recv(65_536)
            tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    peer = Peer(answer, reads=False)
    said = []
    try:
        for trusted in ({"SSL_CERT_FILE": str(authority.ca)}, {}):
            command = [sys.executable, "-c", _POST, f"https://127.0.0.1:{peer.port}/hook"]
            # OpenSSL reads the environment of the process, whatever Python does with it.
            done = subprocess.run(command, env=trusted, capture_output=True, text=True, check=True)
            said.append(done.stdout)
    finally:
        peer.close()
    assert "status_code=204" in said[0]
    assert "CERTIFICATE_VERIFY_FAILED" in said[1]

"""An answer that is given before its request has come reaches the peer, which costs us a bound."""

from __future__ import annotations

import select
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.support.certificates import Authority
from tests.support.collector.server import BOUNDS, WAIT_S, App, answer_at_once, serving

pytestmark = pytest.mark.integration

SHORT_S = 0.3
BODY = bytes(21_000_000)  # more than the kernel's buffers of both sides
PATIENT = replace(BOUNDS, body_bytes_max=None, discard_bytes_max=2 * len(BODY))

CLOCK = SystemClock()


def elapsed_s(began_ns: int) -> float:
    """Return how long ago an instant of the clock was."""
    return (CLOCK.monotonic_ns() - began_ns) / NS_PER_S


async def read_to_the_end(_: object, receive: App, __: App) -> None:
    """Read until the peer is gone, and answer nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass


def head_of(size: int, connection: str) -> bytes:
    """Return the head of a request whose body has this many bytes."""
    return (
        f"POST / HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\ncontent-length: {size}\r\n\r\n"
    ).encode()


def answer_of(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes; a reset is an error."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def wait_for_reset(connection: socket.socket) -> None:
    """Send a byte now and then until the other side has cut the connection."""
    told = select.poll()
    told.register(connection, 0)  # errors and the end are told of in any case
    began_ns = CLOCK.monotonic_ns()
    while not told.poll(10):
        assert elapsed_s(began_ns) < WAIT_S, "the connection is still there"
        try:
            connection.send(b"x")
        except OSError:
            return


def test_peer_that_sends_all_before_it_reads_has_its_answer() -> None:
    """A proxy that was reset says 502 in its place, which senders retry for ever."""
    with serving(answer_at_once, PATIENT) as (connection, _):
        connection.sendall(head_of(len(BODY), "close") + BODY)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"2\r\nno\r\n0\r\n\r\n")


def test_body_that_the_server_itself_refuses_is_answered_as_well() -> None:
    """The application waits for a body that the server stops handing to it."""
    with serving(read_to_the_end, replace(PATIENT, body_bytes_max=1000)) as (connection, _):
        connection.sendall(head_of(len(BODY), "keep-alive") + BODY)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.count(b"HTTP/1.1") == 1


def test_connection_goes_on_after_a_rest_that_nobody_read() -> None:
    """What is counted of it begins anew with the next request."""
    with serving(answer_at_once, PATIENT) as (connection, _):
        for _ in range(3):
            connection.sendall(head_of(len(BODY), "keep-alive") + BODY)
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")


def test_peer_over_tls_that_sends_all_before_it_reads_has_its_answer(tmp_path: Path) -> None:
    """TLS has no half of a close: the answer itself says that it is the last."""
    authority = Authority(tmp_path)
    files = authority.issue("server")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.cert, files.key)
    trusting = ssl.create_default_context(cafile=authority.ca)
    with (
        serving(answer_at_once, PATIENT, tls) as (connection, _),
        trusting.wrap_socket(connection, server_hostname="localhost") as secure,
    ):
        secure.sendall(head_of(len(BODY), "close") + BODY)
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):
            answer += (part := secure.recv(65536))
            assert part
    assert b"connection: close" in answer


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_peer_that_drips_is_cut_after_the_time_of_a_head(connection: str) -> None:
    """A byte now and then does not buy more time."""
    with serving(answer_at_once, replace(BOUNDS, head_seconds_max=SHORT_S)) as (peer, _):
        began_ns = CLOCK.monotonic_ns()
        peer.sendall(head_of(10_000, connection))
        wait_for_reset(peer)
        assert elapsed_s(began_ns) >= SHORT_S * 0.9


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_peer_that_sends_without_end_is_cut_at_the_bound(connection: str) -> None:
    """Nothing of it is kept, but reading costs as well."""
    with serving(answer_at_once, BOUNDS) as (peer, _), pytest.raises(ConnectionError):  # noqa: PT012  which call meets the reset is chance
        peer.sendall(head_of(len(BODY), connection) + BODY)
        wait_for_reset(peer)
        answer_of(peer)


def test_connection_that_lingers_keeps_its_place() -> None:
    """Else a sender could have any number of them at a time."""
    with serving(answer_at_once, replace(BOUNDS, connections_max=1)) as (first, _):
        first.sendall(head_of(10_000, "close"))
        assert answer_of(first).startswith(b"HTTP/1.1 200")  # and the end of what we send
        with socket.create_connection(first.getpeername(), timeout=WAIT_S) as second:
            assert answer_of(second).startswith(b"HTTP/1.1 503")


def test_stop_does_not_wait_for_a_rest() -> None:
    """Whoever was answered has half a second more, however long a head may take."""
    with serving(answer_at_once, BOUNDS) as (connection, _):
        connection.sendall(head_of(10_000, "close"))
        assert answer_of(connection).startswith(b"HTTP/1.1 200")
        began_ns = CLOCK.monotonic_ns()
    assert elapsed_s(began_ns) < WAIT_S / 2

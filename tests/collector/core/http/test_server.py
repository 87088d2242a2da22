"""The server under both HTTP listeners: what a connection may take."""

from __future__ import annotations

import select
from dataclasses import replace

import pytest

from tests.support.collector.server import (
    BOUNDS,
    START,
    WAIT_S,
    App,
    answer_at_once,
    ended,
    read_all,
    serving,
)

pytestmark = pytest.mark.integration

SHORT_S = 0.1
LARGE = bytes(64 * 1024 * 1024)  # more than the kernel's buffers of both sides


async def read_and_answer(_: object, receive: App, send: App) -> None:
    """Read the whole body, then answer with its size."""
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        if not event["more_body"]:
            break
    await send(START)
    await send({"type": "http.response.body", "body": str(size).encode()})


async def answer_at_length(_: object, __: App, send: App) -> None:
    """Answer with more than fits on the way."""
    await send(START)
    await send({"type": "http.response.body", "body": LARGE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def test_body_within_the_bounds_is_read_and_the_next_request_too() -> None:
    """The counts begin anew with each request of a connection."""
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n" + bytes(900)
    with serving(read_and_answer, BOUNDS) as (connection, _):
        for _ in range(3):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"\r\n900\r\n" in answer


def test_connection_that_is_old_has_its_answer_and_ends() -> None:
    """So that whoever shows a certificate at its beginning shows it again."""
    request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
    with serving(read_and_answer, replace(BOUNDS, age_seconds_max=0.0)) as (connection, _):
        connection.sendall(request)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"\r\nconnection: close\r\n" in answer
    assert b"\r\n3\r\n" in answer


@pytest.mark.parametrize(
    "head",
    [b"content-length: 1001\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n3e9\r\n"],
    ids=["a length", "chunks"],
)
def test_body_over_the_limit_ends_the_connection(head: bytes) -> None:
    """An application that reads its whole body has it bounded here."""
    with serving(read_and_answer, BOUNDS) as (connection, counters):
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\n" + head + bytes(1001))
        assert read_all(connection).startswith(b"HTTP/1.1 413")
        assert ended(counters, "large_body") == 1


def test_body_that_does_not_come_ends_the_connection() -> None:
    """The application is told that nobody is there any more."""
    bounds = replace(BOUNDS, body_seconds_max=SHORT_S)
    with serving(read_and_answer, bounds) as (connection, counters):
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n123")
        assert read_all(connection).startswith(b"HTTP/1.1 408")
        assert ended(counters, "slow_body") == 1


def test_answer_that_is_not_read_ends_the_connection() -> None:
    """It would hold its memory for as long as its reader likes."""
    bounds = replace(BOUNDS, write_seconds_max=SHORT_S)
    with serving(answer_at_length, bounds) as (connection, counters):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        reset = select.poll()
        reset.register(connection, 0)  # errors and the end are told of in any case
        assert reset.poll(WAIT_S * 1000)
        assert ended(counters, "unread") == 1
        assert len(read_all(connection)) < len(LARGE)


def test_rest_of_a_body_that_was_answered_early_is_not_awaited_for_ever() -> None:
    """A stranger is answered before his body, and may not hold the connection with the rest."""
    bounds = replace(BOUNDS, body_seconds_max=None, head_seconds_max=SHORT_S)
    with serving(answer_at_once, bounds) as (connection, counters):
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(b"some of it")
        read_all(connection)
        assert ended(counters, "slow_head") == 1

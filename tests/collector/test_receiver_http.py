"""The HTTP application by itself: what senders may hold of memory and of time."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

import pytest

from collector.access import Gate
from collector.config import AttributesConfig
from collector.counters import Counters
from collector.intake import Intake
from collector.receiver_http import PROTOBUF, OtlpApp
from collector.wal import Budget
from tests.builders import trace_request
from tests.conftest import ManualClock

# Valid and without a span, so that nothing has to be logged.
BODY = trace_request(service="s" * 100).SerializeToString()
WAIT_S = 30


class Exchange:
    """One request, which a test sends in parts, and its answer."""

    def __init__(self, app: OtlpApp) -> None:
        self._events: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.sent: list[MutableMapping[str, Any]] = []
        headers = [(b"content-type", PROTOBUF.encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": headers}
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> MutableMapping[str, Any]:
        event = await self._events.get()
        self._events.task_done()
        return event

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        self.sent.append(event)

    async def body(self, part: bytes, *, more: bool) -> None:
        """Send a part of the body; return when the application has taken it."""
        self._events.put_nowait({"type": "http.request", "body": part, "more_body": more})
        await self._events.join()

    async def status(self) -> HTTPStatus:
        """Return the status of the answer."""
        await asyncio.wait_for(self.task, WAIT_S)
        return HTTPStatus(self.sent[0]["status"])

    @property
    def retry_after(self) -> str | None:
        """Return when the sender may come back."""
        value: bytes | None = dict(self.sent[0]["headers"]).get(b"retry-after")
        return None if value is None else value.decode()


@pytest.fixture
def intake(clock: ManualClock) -> Intake:
    """Return an intake without logs."""
    counters = Counters()
    budget = Budget(1, counters.wal_bytes, clock)
    return Intake({}, budget, 30, AttributesConfig(), counters, clock)


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    """Return a gate that asks for nothing."""
    return Gate((), Counters(), clock)


def test_bodies_that_are_read_at_once_share_a_bound(intake: Intake, gate: Gate) -> None:
    """Slow senders of large bodies would fill the memory between them; one is asked to wait."""

    async def scenario() -> None:
        app = OtlpApp(intake, len(BODY), gate, held_bytes_max=len(BODY) + 10)
        slow = Exchange(app)
        await slow.body(BODY[:50], more=True)
        other = Exchange(app)
        await other.body(BODY, more=False)
        assert await other.status() is HTTPStatus.SERVICE_UNAVAILABLE
        assert other.retry_after == "1"
        await slow.body(BODY[50:], more=False)
        assert await slow.status() is HTTPStatus.OK
        again = Exchange(app)
        await again.body(BODY, more=False)
        assert await again.status() is HTTPStatus.OK

    asyncio.run(scenario())


def test_body_that_was_refused_holds_no_memory(intake: Intake, gate: Gate) -> None:
    """What is not given back would refuse everyone in the end."""

    async def scenario() -> None:
        app = OtlpApp(intake, len(BODY), gate, held_bytes_max=len(BODY))
        for _ in range(3):
            large = Exchange(app)
            await large.body(BODY + b"x", more=False)
            assert await large.status() is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        good = Exchange(app)
        await good.body(BODY, more=False)
        assert await good.status() is HTTPStatus.OK

    asyncio.run(scenario())


def test_body_that_does_not_end_is_given_up(intake: Intake, gate: Gate) -> None:
    """A sender that stops in the middle would keep its connection and its bytes for ever."""

    async def scenario() -> None:
        app = OtlpApp(intake, len(BODY), gate, read_seconds_max=0.0)
        slow = Exchange(app)
        assert await slow.status() is HTTPStatus.REQUEST_TIMEOUT

    asyncio.run(scenario())


def test_stop_gives_a_body_that_comes_a_last_moment(intake: Intake, gate: Gate) -> None:
    """A stop does not wait half a minute for a slow sender, who is told to come back."""

    async def scenario() -> None:
        app = OtlpApp(intake, len(BODY), gate)
        slow = Exchange(app)
        await slow.body(BODY[:50], more=True)
        app.hasten()
        assert await slow.status() is HTTPStatus.SERVICE_UNAVAILABLE
        assert slow.retry_after == "1"

    asyncio.run(scenario())

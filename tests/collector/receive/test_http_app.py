"""The HTTP application by itself: what senders may hold of memory and of time."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no types

from collector.auth.gate import Gate
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.log import configure
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.otlp.json import MARKS_MAX
from collector.receive.http_app import JSON, PROTOBUF, OtlpApp
from collector.receive.pipeline import Intake
from collector.wal.log import Budget, Log
from tests.conftest import ManualClock
from tests.support.builders import span, trace_request

# Valid and without a span, so that nothing has to be logged.
BODY = trace_request(service="s" * 100).SerializeToString()
WAIT_S = 30


class Exchange:
    """One request, which a test sends in parts, and its answer."""

    def __init__(self, app: OtlpApp, content_type: str = PROTOBUF, encoding: str = "") -> None:
        self._events: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.sent: list[MutableMapping[str, Any]] = []
        headers = [
            (b"host", b"127.0.0.1:4318"),
            (b"content-type", content_type.encode()),
            (b"content-encoding", encoding.encode()),
        ]
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
    def message(self) -> str:
        """Return what a sender of Protobuf is told of an error."""
        return str(Status.FromString(self.sent[1]["body"]).message)

    @property
    def retry_after(self) -> str | None:
        """Return when the sender may come back."""
        value: bytes | None = dict(self.sent[0]["headers"]).get(b"retry-after")
        return None if value is None else value.decode()


@pytest.fixture
def counters() -> Counters:
    """Return what the intake counts."""
    return Counters()


@pytest.fixture
def intake(clock: ManualClock, counters: Counters, tmp_path: Path) -> Intake:
    """Return an intake into a log that nothing may reach."""
    budget = Budget(1, counters.wal_bytes, clock)
    log = Log(
        tmp_path, "traces", budget, clock,
        segment_bytes_max=1, segment_seconds_max=1.0, on_sealed=lambda _: None,
    )  # fmt: skip
    return Intake({Signal.TRACES: log}, budget, 30, AttributesConfig(), counters, clock)


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


def refused(counters: Counters, reason: str) -> float:
    """Return how many requests of spans were refused for a reason."""
    labels = {"signal": "traces", "reason": reason}
    return counters.registry.get_sample_value("millworth_refused_total", labels) or 0.0


def test_request_that_nobody_foresaw_is_counted_logged_and_answered(
    clock: ManualClock, gate: Gate, counters: Counters, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its sender must not take the service for gone, nor its operator find a traceback alone."""
    budget = Budget(1, counters.wal_bytes, clock)
    intake = Intake({}, budget, 30, AttributesConfig(), counters, clock)
    configure(json=True)

    async def scenario() -> None:
        app = OtlpApp(intake, 1_000_000, gate)
        odd = Exchange(app)
        # An intake without a log fails at whatever comes.
        await odd.body(trace_request(span()).SerializeToString(), more=False)
        assert await odd.status() is HTTPStatus.INTERNAL_SERVER_ERROR
        assert "failed at this request (KeyError)" in odd.message
        assert odd.retry_after is None

    asyncio.run(scenario())
    assert refused(counters, "failed") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "request_failed"
    assert json.loads(line)["where"].startswith("pipeline.py:")


# Not a span in it, and a mark for every other byte.
NESTED = b'{"resourceSpans":[{"resource":{"attributes":[%s]}}]}'


def test_json_is_bounded_by_what_it_costs_to_parse(intake: Intake, gate: Gate) -> None:
    """A few kilobytes of gzip expand to minutes of parsing."""

    async def scenario() -> None:
        app = OtlpApp(intake, 10_000_000, gate)
        costly = Exchange(app, JSON, "gzip")
        body = gzip.compress(NESTED % b",".join([b"{}"] * (MARKS_MAX // 2)))
        await costly.body(body, more=False)
        assert await costly.status() is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        assert b"braces, brackets and commas" in costly.sent[1]["body"]
        usual = Exchange(app, JSON)
        await usual.body(NESTED % b"{}", more=False)
        assert await usual.status() is HTTPStatus.OK

    asyncio.run(scenario())


def test_json_that_waits_is_bounded_and_holds_up_no_protobuf(
    gate: Gate, intake: Intake, counters: Counters
) -> None:
    """Half of what may wait twice over leaves no room for more JSON, and all for the others."""

    async def scenario() -> None:
        app = OtlpApp(intake, 10_000_000, gate)
        half = NESTED % b",".join([b"{}"] * (MARKS_MAX // 4))
        costly = [Exchange(app, JSON) for _ in range(3)]
        for one in costly:
            await one.body(half, more=False)
        other = Exchange(app)
        await other.body(BODY, more=False)
        assert await other.status() is HTTPStatus.OK
        statuses = [await one.status() for one in costly]
        assert sorted(statuses) == [200, 503, 503]
        assert {one.retry_after for one in costly} == {None, "1"}
        assert refused(counters, "json_full") == 2
        again = Exchange(app, JSON)
        await again.body(NESTED % b"{}", more=False)
        assert await again.status() is HTTPStatus.OK

    asyncio.run(scenario())


def test_json_counts_as_what_it_expands_to(intake: Intake, gate: Gate) -> None:
    """What is held is what has to fit into the memory."""

    async def scenario() -> None:
        app = OtlpApp(intake, 1_000_000, gate, held_bytes_max=100_000)
        for size, status in ((200_000, HTTPStatus.SERVICE_UNAVAILABLE), (50_000, HTTPStatus.OK)):
            exchange = Exchange(app, JSON, "gzip")
            await exchange.body(gzip.compress(b" " * size + NESTED % b"{}"), more=False)
            assert await exchange.status() is status

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


def test_clock_that_was_set_back_refuses_no_sender_that_is_right(
    intake: Intake, clock: ManualClock
) -> None:
    """Two days back all that came was "a day ahead of the collector", and lost."""
    request = trace_request(span(start_ns=clock.now_ns())).SerializeToString()
    assert intake.takes_spans(request)
    clock.ns -= 2 * NS_PER_DAY
    assert intake.takes_spans(request)


def test_clock_that_was_years_ahead_for_a_moment_lets_nothing_in_from_then(
    intake: Intake, clock: ManualClock
) -> None:
    """A sender of such a clock was taken for right from then on."""
    now_ns = clock.ns
    clock.ns += 3_650 * NS_PER_DAY
    request = trace_request(span(start_ns=clock.ns)).SerializeToString()
    assert intake.takes_spans(request)
    clock.ns = now_ns
    assert not intake.takes_spans(request)

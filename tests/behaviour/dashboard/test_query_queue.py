"""SQL from outside over a real server: few run, few wait, and nothing runs for who has left."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from collector.audit.seal import AuditSeal
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.api.query import THREADS, WAITING_MAX
from dashboard.settings.config import DashboardConfig
from dashboard.web.abandoned import AbandonedRequests
from dashboard.web.app import create_app
from dashboard.web.roles import RoleGuard
from dashboard.web.server import DashboardServer
from tests.support.collector.clients import WAIT_S
from tests.support.dashboard.app import FixedHealth

# Minutes of work on any machine, and rows of one block: the engine can end it between two blocks.
SLOW = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
RUNNING = (
    "SELECT count() FROM system.processes"
    " WHERE query LIKE '%sipHash64(number)%' AND NOT query LIKE '%processes%'"
)


@pytest.fixture
def serve(world: Connections) -> Iterator[Callable[[float], DashboardServer]]:
    """Yield a way to serve the shared store with a limit of seconds for one statement."""
    servers = []

    def start(query_seconds_max: float) -> DashboardServer:
        config = world.config.model_copy(update={"query_seconds_max": query_seconds_max})
        store = Connections(config)
        app = create_app(AppContext(store, FixedHealth(), Counters()))
        servers.append(DashboardServer(app, DashboardConfig(port=0)))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(server: DashboardServer, sql: str) -> httpx.Response:
    """Ask and wait for the answer."""
    return httpx.post(
        f"http://127.0.0.1:{server.port}/api/v1/query",
        json={"sql": sql},
        trust_env=False,
        timeout=WAIT_S,
    )


def ask_and_hold(server: DashboardServer, sql: str) -> socket.socket:
    """Ask and return the open connection, on which nothing is read."""
    body = json.dumps({"sql": sql}).encode()
    head = (
        f"POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)
    connection.sendall(head.encode() + body)
    return connection


def await_running(world: Connections, count: int) -> None:
    """Return once so many slow statements run in the engine."""
    tries = threading.Event()
    for _ in range(600):
        ((running,),) = world.client().query(RUNNING).result_rows
        if running == count:
            return
        tries.wait(0.05)
    raise AssertionError(f"{running} statements run, not {count}")


def test_statements_of_clients_who_left_end_and_give_up_their_place(
    serve: Callable[[float], DashboardServer], world: Connections
) -> None:
    """A page that was closed, a script that was interrupted: the next one is answered at once."""
    server = serve(600.0)
    held = [ask_and_hold(server, SLOW) for _ in range(THREADS + WAITING_MAX)]
    await_running(world, THREADS)
    for connection in held:
        connection.close()
    await_running(world, 0)
    assert ask(server, "SELECT 1 AS a").json()["rows"] == [[1]]


def test_more_than_may_wait_are_told_to_come_back(
    serve: Callable[[float], DashboardServer], world: Connections
) -> None:
    """A queue without an end answers nobody."""
    server = serve(600.0)
    held = [ask_and_hold(server, SLOW) for _ in range(THREADS + WAITING_MAX)]
    await_running(world, THREADS)
    answers = [ask(server, "SELECT 1") for _ in range(3)]
    while not all(answer.status_code == 429 for answer in answers):
        # One of those that were sent before had not come to its place yet, and this one took it.
        held.append(ask_and_hold(server, SLOW))
        answers = [ask(server, "SELECT 1")]
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert "wait here" in answers[0].json()["detail"]
    # Pages and the other questions have threads of their own.
    url = f"http://127.0.0.1:{server.port}"
    assert httpx.get(f"{url}/api/v1/alerts", trust_env=False, timeout=WAIT_S).status_code == 200
    budgets = httpx.get(f"{url}/api/v1/budgets", trust_env=False, timeout=WAIT_S)
    assert budgets.status_code == 200
    for connection in held:
        connection.close()
    await_running(world, 0)


def test_the_limit_of_time_counts_from_asking(
    serve: Callable[[float], DashboardServer], world: Connections
) -> None:
    """What waited for all of its time is answered then, and not given as much again."""
    server = serve(1.0)
    with ThreadPoolExecutor(THREADS * 3) as pool:
        answers = list(pool.map(lambda _: ask(server, SLOW), range(THREADS * 3)))
    assert {answer.status_code for answer in answers} == {400}
    assert any("waiting included" in answer.json()["detail"] for answer in answers)
    await_running(world, 0)
    assert ask(server, "SELECT 1 AS a").json()["rows"] == [[1]]


@pytest.mark.parametrize(
    ("method", "path", "is_cancelled"),
    [
        ("GET", "/api/v1/alerts", True),
        ("POST", "/api/v1/query", True),
        ("POST", "/api/v1/import/outcomes", False),
        ("POST", "/api/v1/holds", False),
    ],
)
def test_only_what_reads_is_cancelled_when_its_client_leaves(
    method: str, path: str, *, is_cancelled: bool
) -> None:
    """Half an import helps nobody."""
    ended = []

    async def drive() -> None:
        left, release = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert (await receive())["type"] == "http.request"
            left.set()
            try:
                await release.wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise
            ended.append("done")

        async def receive() -> Message:
            if not left.is_set() and not ended:
                if not told:
                    told.append(True)
                    return {"type": "http.request", "body": b"", "more_body": False}
                await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError(message)

        told: list[bool] = []
        server = FastAPI()
        server.add_api_route(path, lambda: None, methods=[method])
        scope = {"type": "http", "method": method, "path": path, "app": server}
        guarded = RoleGuard(AbandonedRequests(app))  # which says what only reads
        answering = asyncio.ensure_future(guarded(scope, receive, send))
        if not is_cancelled:
            await left.wait()
            release.set()
        await answering

    asyncio.run(drive())
    assert ended == ["cancelled" if is_cancelled else "done"]


def test_statement_that_cannot_be_written_down_is_not_answered(
    world: Connections, tmp_path: Path
) -> None:
    """Who asked what is known before it is answered, or nothing is."""
    store = Connections(world.config)
    store.audit_seal = AuditSeal(tmp_path)
    app = create_app(AppContext(store, FixedHealth(), Counters()))
    server = DashboardServer(app, DashboardConfig(port=0))
    server.start()
    try:
        shutil.rmtree(tmp_path)
        answer = ask(server, "SELECT 1")
        assert answer.status_code == 503
        assert "the audit cannot be written, so nothing is answered" in answer.json()["detail"]
    finally:
        server.stop()

"""The server in its thread, and the addresses that it may take."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
from dash import Dash
from fastapi import FastAPI

from collector.core.counters import Counters
from collector.core.errors import AddressInUseError
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.read.workers import Workers
from dashboard.settings.config import DashboardConfig
from dashboard.web.app import create_app
from dashboard.web.server import DashboardServer
from tests.support.dashboard.app import FixedHealth


@pytest.fixture
def app(world: Connections) -> Dash:
    """Return the whole application over the shared store."""
    return create_app(AppContext(world, FixedHealth(), Counters()))


def test_it_answers_once_started_and_frees_the_port_when_stopped(app: Dash) -> None:
    """A restart finds the port free."""
    config = DashboardConfig(port=0)
    server = DashboardServer(app.server, config)
    server.start()
    port = server.port
    answer = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    server.stop()
    assert answer.text == "ok\n"
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_taken_port_is_named_with_the_key_to_change(app: Dash) -> None:
    """One line says what to do; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressInUseError, match=rf"127.0.0.1:{port}.*dashboard.port"):
            DashboardServer(app.server, DashboardConfig(port=port)).start()


def test_a_slow_reading_does_not_hold_up_others() -> None:
    """Readings wait in threads of their own; the event loop goes on answering."""
    entered, release = threading.Event(), threading.Event()

    async def slow() -> str:
        def read() -> str:
            entered.set()
            release.wait(30)
            return "read"

        return await workers.run(read)

    workers = Workers(1, "slow")
    app = FastAPI()
    app.add_api_route("/slow", slow)
    app.add_api_route("/healthz", lambda: "ok")
    server = DashboardServer(app, DashboardConfig(port=0))
    server.start()
    base = f"http://127.0.0.1:{server.port}"
    answers: list[httpx.Response] = []
    caller = threading.Thread(
        target=lambda: answers.append(httpx.get(f"{base}/slow", trust_env=False, timeout=30))
    )
    caller.start()
    assert entered.wait(30)
    assert httpx.get(f"{base}/healthz", trust_env=False).status_code == 200
    assert answers == []
    release.set()
    caller.join()
    server.stop()
    workers.close()
    assert answers[0].json() == "read"

from __future__ import annotations

import asyncio

import httpx
import pytest

from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.client import ApiClient
from dashboard.health.items import NoHealth
from dashboard.read.workers import Workers


class Contradicted(NoHealth):
    """A service whose outcomes contradict their mode."""

    def contradiction(self) -> str:
        """Return what contradicts them."""
        return "say all"


def test_answers_with_dollars_say_what_contradicts_them(world: Connections) -> None:
    """Of an error too; and nothing else does, nor does anything while all is well."""

    async def asked(health: NoHealth, *paths: str) -> list[str | None]:
        api = create_api(AppContext(world, health, Counters()))
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            answers = [await client.get(path) for path in paths]
        return [answer.headers.get("millworth-warning") for answer in answers]

    paths = ("/api/v1/alerts", "/api/v1/vram/slope", "/api/v1/decisions/none", "/api/v1/health")
    assert asyncio.run(asked(Contradicted(), *paths)) == ["say all"] * 3 + [None]
    assert asyncio.run(asked(NoHealth(), *paths)) == [None] * 4


def test_answer_of_a_service_that_is_busy_stays_429(world: Connections) -> None:
    """What asks for the warning waits for no thread, and fails no request that would be refused."""
    none_left = Workers(1, "api", waiting_max=-1)
    api = create_api(AppContext(world, Contradicted(), Counters()), none_left)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.get("/api/v1/decisions/none")

    answer = asyncio.run(asked())
    assert (answer.status_code, answer.headers["millworth-warning"]) == (429, "say all")


def test_command_writes_the_warning_beside_its_answer(
    world: Connections, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, where JSON is not, and once however often it asks."""
    api = create_api(AppContext(world, Contradicted(), Counters()))
    with ApiClient("http://local", api, None) as client:
        client.get("/api/v1/alerts")
        client.get("/api/v1/alerts")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "warning: say all\n")

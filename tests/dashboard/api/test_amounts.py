from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Hashable
from decimal import Decimal
from queue import Queue
from typing import Final, TypeVar

import httpx
import pytest

from attribution.core.config import AttributionConfig
from attribution.core.money import currency
from collector.core.counters import Counters
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.cli.client import ApiClient
from dashboard.health.items import NoHealth
from dashboard.read.workers import SharedReads, Workers
from dashboard.web.app import create_app
from tests.conftest import ManualClock
from tests.support.attribution.stored import BASE_NS
from tests.support.dashboard.traded import trade

T = TypeVar("T")

WAIT_S: Final = 60.0


class Contradicted(NoHealth):
    """A service whose outcomes contradict their mode."""

    def contradiction(self) -> str:
        """Return what contradicts them."""
        return "say all"


class Sampled(NoHealth):
    """One of whose senders a share comes; it may name itself as it likes."""

    def contradiction(self) -> str:
        """Return who it is."""
        return "カート\nsends a tenth"


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
    assert asyncio.run(asked(Sampled(), paths[0])) == [r"\u30ab\u30fc\u30c8\nsends a tenth"]
    assert asyncio.run(asked(NoHealth(), *paths)) == [None] * 4


def test_every_answer_names_its_currency_and_its_texts_are_in_that(world: Connections) -> None:
    """A command reads amounts by it, since its own settings may be of another service."""
    of = AppContext(world, NoHealth(), Counters(), attribution=AttributionConfig(currency="JPY"))
    stated: list[str] = []

    def asked() -> None:
        with ApiClient("http://127.0.0.1", create_app(of).server, None) as client:
            client.get("/api/v1/health")
            stated.append(currency())

    contextvars.copy_context().run(asked)
    assert stated == ["JPY"]

    async def headers() -> str:
        transport = httpx.ASGITransport(app=create_app(of).server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            page = await client.get("/")
            assert '<body data-currency="JPY">' in page.text
            return page.headers["millworth-currency"]

    assert asyncio.run(headers()) == "JPY"
    assert currency() == "USD"


class Heard(SharedReads):
    """What several ask at the same time, and all that was found."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Queue[str]()

    def read(
        self, key: Hashable, keep_s: float, make: Callable[[], T], *, lasting_s: float = 0.0
    ) -> T:
        """Note what was found, and return it."""
        found = super().read(key, keep_s, make, lasting_s=lasting_s)
        self.found.put(str(found))
        return found


@pytest.mark.parametrize("path", ["/", "/velocity"])
def test_page_that_is_opened_by_its_address_is_read_in_the_currency(
    store: Connections, path: str
) -> None:
    """Its readings are begun before its document is answered, and are kept for whoever asks."""
    trade(store)
    rate = {"currency": "USD", "day_ns": BASE_NS // NS_PER_DAY * NS_PER_DAY, "rate": Decimal("0.9")}
    store.client().insert("currency_rates", [list(rate.values())], column_names=list(rate))
    heard = Heard()
    of = AppContext(
        store,
        NoHealth(),
        Counters(),
        ManualClock(BASE_NS + 60 * NS_PER_S),
        attribution=AttributionConfig(currency="EUR"),
        shared=heard,
    )

    async def opened() -> int:
        transport = httpx.ASGITransport(app=create_app(of).server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            headers = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
            return (await client.get(f"{path}?window=1h", headers=headers)).status_code

    assert asyncio.run(opened()) == 200
    found = ""
    while "EUR" not in found:
        found = heard.found.get(timeout=WAIT_S)
        assert "$" not in found


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

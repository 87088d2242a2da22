"""What a page shows first is read when its layout is handed out, and by nobody twice."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from threading import Barrier, Event
from typing import Any, TypeVar

import httpx
import pytest
from dash import Dash, Input
from dash.exceptions import PreventUpdate

from collector.core.counters import Counters
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.pages.ahead import AHEAD_S, FirstReadings
from dashboard.pages.states import Reading, answering
from dashboard.read.reader import Reader
from dashboard.read.workers import SharedReads, Workers
from dashboard.web.app import create_app
from tests.conftest import ManualClock
from tests.support.dashboard.app import FixedHealth, page_context

T = TypeVar("T")
WAIT_S = 60.0


class NotedReads(SharedReads):
    """Tells what was read, when it was."""

    def __init__(self) -> None:
        super().__init__()
        self.read_now: SimpleQueue[str] = SimpleQueue()

    def read(
        self, key: Hashable, keep_s: float, make: Callable[[], T], *, lasting_s: float = 0.0
    ) -> T:
        """Read, and tell."""
        found = super().read(key, keep_s, make, lasting_s=lasting_s)
        if isinstance(key, tuple) and ("." in str(key[0]) or key[0] == "decision"):
            self.read_now.put(str(key[0]))
        return found


@pytest.mark.parametrize(
    ("route", "query", "read"),
    [
        (
            "/",
            "?window=24h",
            ["overview-action.data", "overview-path.figure", "overview-latency-value.children"],
        ),
        ("/decision", "?id=d-12", ["decision"]),
    ],
)
def test_layout_of_a_page_begins_what_the_page_shows(
    world: Connections, route: str, query: str, read: list[str]
) -> None:
    """Also what follows from another panel, for which a browser waits until that one is drawn."""
    shared = NotedReads()
    app = create_app(AppContext(world, FixedHealth(), Counters(), shared=shared))
    body = {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [
            {"id": "route", "property": "data", "value": route},
            {"id": "zone", "property": "data", "value": "UTC"},
        ],
        "changedPropIds": ["route.data"],
        "state": [{"id": "url", "property": "search", "value": query}],
    }

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/_dash-update-component", json=body)

    assert asyncio.run(send()).status_code == 200
    assert [shared.read_now.get(timeout=WAIT_S) for _ in read] == read


@pytest.fixture
def threads() -> Workers:
    """Return three."""
    return Workers(3, "test")


def test_reading_is_given_what_the_ones_before_it_found(threads: Workers) -> None:
    """And nothing for what only a browser knows."""
    first, asked = FirstReadings(), SimpleQueue[tuple[Any, ...]]()

    def money(*values: object) -> dict[str, object]:
        asked.put(values)
        return {"top.data": [1, 2]}

    def path(*values: object) -> dict[str, object]:
        asked.put(values)
        return {}

    first.add("/", ["url.search", "tick.n_intervals"], money, is_long=False)
    first.add("/", ["top.data", "pick.data", "url.search"], path, is_long=False)
    first.begin("/", "?window=1h", threads, threads)
    first.begin("/none", "?window=1h", threads, threads)
    threads.close()
    assert [asked.get_nowait() for _ in range(2)] == [
        ("?window=1h", None),
        ([1, 2], None, "?window=1h"),
    ]


def test_page_that_was_begun_a_moment_ago_is_not_begun_again() -> None:
    """It is opened, and then its layout is handed out; both say so."""
    clock, asked, threads = ManualClock(0), list[str](), Workers(9, "test")
    first = FirstReadings(clock)

    def money(query: str) -> dict[str, object]:
        asked.append(query)
        return {}

    first.add("/", ["url.search"], money, is_long=False)
    for later_s, query in ((0, "?a"), (1, "?a"), (0, "?b"), (AHEAD_S / 2, "?a")):
        clock.ns += round(later_s * NS_PER_S)
        first.begin("/", query, threads, threads)
    threads.close()
    assert sorted(asked) == ["?a", "?a", "?b"]


def test_what_takes_long_is_not_read_anew_for_each_who_opens_its_page(reader: Reader) -> None:
    """The model of Velocity takes more than a second of CPU, and is shared for half a minute."""
    clock, reads = ManualClock(0), list[str]()
    first, shared, threads = FirstReadings(clock), SharedReads(clock), Workers(3, "test")

    def read(query: str) -> Reading:
        reads.append(query)
        return Reading({})

    with page_context(reader, first=first, shared=shared, workers=threads) as context:
        inputs = [Input("url", "search")]
        outputs = ["model.data"]
        answering(Dash("test"), context, "model", outputs, inputs, read, keep_s=30.0, path="/")
        for opened, later_s in enumerate((0.0, 0.6 * 30.0, 0.6 * 30.0), start=1):
            clock.ns += round(later_s * NS_PER_S)
            context.begin("/", "?window=24h")
            threads.close()
            assert len(reads) == (1 if opened < 3 else 2)
            threads = Workers(3, "test")
            context = dataclasses.replace(context, workers=threads)
        threads.close()


@pytest.mark.parametrize("error", [InputError("window"), PreventUpdate()])
def test_what_follows_from_a_failure_is_not_read(threads: Workers, error: Exception) -> None:
    """The browser asks the same, and is told why."""
    first, asked = FirstReadings(), list[str]()

    def fail(query: str) -> dict[str, object]:
        asked.append(query)
        raise error

    first.add("/", ["url.search"], fail, is_long=False)
    first.add("/", ["url.search"], fail, is_long=False)
    first.begin("/", "?window=0h", threads, threads)
    threads.close()
    assert asked == ["?window=0h"]


def test_nothing_is_begun_for_a_page_where_somebody_would_wait_for_it() -> None:
    """The last idle thread is for whoever asks."""
    threads, begun, may_end = Workers(3, "busy"), Barrier(3), Event()
    last = list[str]()

    def wait() -> None:
        begun.wait()
        may_end.wait()

    assert threads.begin(wait)
    assert threads.begin(wait)
    begun.wait(WAIT_S)
    assert not threads.begin(last.append, "begun")
    may_end.set()
    threads.close()
    assert last == []

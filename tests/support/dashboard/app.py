"""What several tests of app share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from alerts.state.sqlite import AlertStore
from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.counters import Counters
from collector.core.times import NS_PER_HOUR
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.health.items import HealthItem, NoHealth
from dashboard.pages.context import PageContext
from dashboard.pages.sources import Sources
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from dashboard.read.workers import SharedReads, Workers
from dashboard.settings.config import DashboardConfig
from dashboard.web.app import create_app
from dashboard.web.roles import RoleGuard
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS

ITEMS = [
    HealthItem("collector.spans_acked", 12, "spans", "ok"),
    HealthItem("packet.recorder", "off", "", "bad", "run as root"),
]


class FixedHealth(NoHealth):
    """A service that says the same each time."""

    def health(self) -> list[HealthItem]:
        """Return two figures."""
        return ITEMS


class Api:
    """Sends requests to one application over ASGI."""

    def __init__(
        self,
        store: Connections,
        config: DashboardConfig | None = None,
        attribution_job: AttributionJob | None = None,
        now_ns: int = TODAY_NS,
        alert_state: AlertStore | None = None,
    ) -> None:
        self.counters = Counters()
        context = AppContext(
            store,
            FixedHealth(),
            self.counters,
            ManualClock(now_ns),
            dashboard=config or DashboardConfig(),
            attribution_job=attribution_job,
            alert_state=alert_state,
        )
        self.app = create_app(context)

    def send(self, method: str, path: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401  httpx
        """Send one request and return the answer."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app.server)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8050"
            ) as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(send())

    def query(self, sql: str, **parameters: object) -> httpx.Response:
        """Send one statement."""
        return self.send("POST", "/api/v1/query", json={"sql": sql, "parameters": parameters})


class Behind:
    """Answers what the table of roles lets through to the routes of an application.

    Args:
        routes: an application, whose routes are judged by.
        answer: answers in its place.
    """

    def __init__(self, routes: ASGIApp, answer: ASGIApp) -> None:
        self._routes = routes
        self._guarded = RoleGuard(answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, and hand on or refuse."""
        scope["app"] = self._routes
        await self._guarded(scope, receive, send)


class Hasty(ManualClock):
    """A clock on which an hour passes between two looks."""

    def monotonic_ns(self) -> int:
        """Return an hour more than the last time."""
        self.ns += NS_PER_HOUR
        return self.ns


@contextmanager
def page_context(
    reader: Reader, now_ns: int = TODAY_NS, **changes: object
) -> Iterator[PageContext]:
    """Yield what pages are given, over a store."""
    workers, reference = Workers(1, "test"), Reference(80_000_000, {})
    sources = Sources.over(reader._store, AttributionConfig())
    fields: dict[str, Any] = {
        "reader": reader,
        "health": FixedHealth(),
        "workers": workers,
        "config": DashboardConfig(),
        "clock": ManualClock(now_ns),
        "reference": reference,
        "decisions": DecisionList(reader, AttributionConfig(), reference),
        "prior_basis": "assumed rate: not your own data",
        "compare": sources.analyst.compare,
        "questions": workers,
        "sources": sources,
        # A test reads again at once what it changed.
        "shared": SharedReads(Hasty()),
        **changes,
    }
    yield PageContext(**fields)
    workers.close()

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from collector.core.counters import Counters
from collector.store.client.reading import ASKER
from dashboard.web.asker import Asker


@pytest.mark.parametrize(
    ("path", "referer", "route", "name"),
    [
        ("/api/v1/decisions/d1", "", "/api/v1/decisions/{decision_id}",
         "route /api/v1/decisions/{decision_id}"),
        ("/health", "", "", "page /health"),
        ("/", "", "", "page /"),
        ("/_dash-update-component", "http://localhost:8050/decision?id=d1", "/{path}",
         "page /decision"),
        ("/_dash-update-component", "http://localhost:8050/made-up", "", "other"),
        ("/_dash-update-component", "", "", "page /"),
        ("/made-up/12345", "", "", "other"),
    ],
)  # fmt: skip
def test_request_is_named_by_its_route_or_page(
    path: str, referer: str, route: str, name: str
) -> None:
    """A name that anybody may make up would be a series of its own in Prometheus."""
    named: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI has it
        scope["route"] = SimpleNamespace(path=route)  # found while it is answered
        asker = ASKER.get()
        assert asker is not None
        named.append(asker())

    headers = [(b"referer", referer.encode())] if referer else []
    scope = {"type": "http", "path": path, "headers": headers}
    counters = Counters()
    pages = frozenset({"/", "/decision", "/health"})
    asked = Asker(app, pages, counters.request_seconds)
    asyncio.run(asked(scope, None, None))  # type: ignore[arg-type]  # neither is called
    assert named == [name]
    count = counters.registry.get_sample_value
    assert count("millworth_request_seconds_count", {"asker": name}) == 1

"""What a browser opens is begun before it is answered, and nothing for whoever only looks."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from dashboard.web.opened_pages import OpenedPages

DOCUMENT = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}


@pytest.mark.parametrize(
    ("method", "address", "headers", "begun"),
    [
        ("GET", "/", DOCUMENT, [("/", "")]),
        ("GET", "/?window=24h&tz=Asia%2FTokyo", DOCUMENT, [("/", "?window=24h&tz=Asia%2FTokyo")]),
        ("GET", "/decisions?late=1", DOCUMENT, [("/decisions", "?late=1")]),
        ("GET", "/decision?id=d-1", DOCUMENT, [("/decision", "?id=d-1")]),
        ("GET", "/?window=24h", {}, []),
        ("GET", "/?window=24h", {"sec-fetch-dest": "empty"}, []),
        ("HEAD", "/?window=24h", DOCUMENT, []),
    ],
)  # fmt: skip
def test_page_that_a_browser_opens_is_begun(
    method: str, address: str, headers: dict[str, str], begun: list[tuple[str, str]]
) -> None:
    """By the path and the query as the browser has them, so that it asks for the same."""
    told = list[tuple[str, str]]()
    app = OpenedPages(PlainTextResponse("page"), lambda path, query: told.append((path, query)))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, address, headers=headers)

    assert asyncio.run(send()).status_code == 200
    assert told == begun

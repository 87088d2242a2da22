"""Agents ask at /mcp with the official client, and get what `/api/v1` answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ListToolsResult, TextContent

from attribution.core.config import AttributionConfig
from collector.audit.log import read_audit
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.health.items import NoHealth
from dashboard.web.app import create_app
from tests.conftest import ManualClock
from tests.support.dashboard.seed import TODAY_NS
from tests.support.dashboard.served import Served, served

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest.fixture(scope="module")
def pages(world: Connections, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return pages that ask for a token: one may read, one may send."""
    directory = tmp_path_factory.mktemp("pages")
    tokens = (("agent", ("read",)), ("shop", ("traces",)))
    with served(world, directory, tokens=tokens, clock=ManualClock(TODAY_NS)) as pages:
        yield pages


class Agent:
    """Asks one server, with a token."""

    def __init__(self, url: str, mode: str = "auto", token: str = "mwt_agent") -> None:
        self._url, self._mode = f"{url}/mcp", mode
        self._headers = {"authorization": f"Bearer {token}"}

    def _ask(self, what: str, *arguments: object) -> Any:  # noqa: ANN401  as the client has it
        async def ask() -> object:
            async with httpx2.AsyncClient(
                headers=self._headers, trust_env=False, timeout=60
            ) as http:
                transport = streamable_http_client(self._url, http_client=http)
                async with Client(transport, mode=self._mode) as client:
                    return await getattr(client, what)(*arguments)

        return asyncio.run(ask())

    def tools(self) -> ListToolsResult:
        """Return what is offered."""
        found: ListToolsResult = self._ask("list_tools")
        return found

    def call(self, tool: str, **arguments: object) -> CallToolResult:
        """Call a tool."""
        found: CallToolResult = self._ask("call_tool", tool, arguments)
        return found


def text_of(result: CallToolResult) -> str:
    """Return the text of an answer."""
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_agents_are_told_what_amounts_are_in(world: Connections) -> None:
    """Fields are named `usd` whichever currency it is, and an agent would say dollars."""
    of = AppContext(world, NoHealth(), Counters(), attribution=AttributionConfig(currency="EUR"))
    given = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "agent", "version": "1"},
    }

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(of).server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": given},
                headers={"accept": "application/json, text/event-stream"},
            )

    said = asyncio.run(asked()).json()["result"]["instructions"]
    assert said.endswith("Fields named `usd` are amounts in EUR.")


@ERAS
def test_answer_is_that_of_the_api(pages: Served, mode: str) -> None:
    """Each figure, by either era of the protocol."""
    agent = Agent(pages.url, mode)
    tools = {tool.name: tool for tool in agent.tools().tools}
    assert {"alerts", "incident", "decision", "compare", "query"} <= tools.keys()
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
    headers = {"authorization": "Bearer mwt_agent"}
    for tool, arguments, path in (
        (
            "decisions",
            {"window": "24h", "sort": "latency"},
            "/api/v1/decisions?window=24h&sort=latency",
        ),
        ("health", {}, "/api/v1/health"),
        ("budgets", {}, "/api/v1/budgets"),
    ):
        expected = httpx.get(pages.url + path, headers=headers, trust_env=False, timeout=30)
        result = agent.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content["answer"] == expected.json()
        assert json.loads(text_of(result)) == result.structured_content
        assert result.structured_content["asked"] == f"GET {path}"
    counted = agent.call("query", sql="SELECT 1").structured_content
    assert counted["sent"]["sql"] == "SELECT 1"


def test_what_the_api_refuses_is_an_error_with_its_words(pages: Served) -> None:
    """An agent can mend its question by what it reads."""
    agent = Agent(pages.url)
    for tool, arguments, said in (
        ("query", {"sql": "DROP TABLE decisions"}, "400 of POST /api/v1/query"),
        ("query", {"sql": "SELECT repeat('x', 1000) FROM numbers(500)"}, "ask for less"),
        ("decision", {"decision_id": "nobody"}, "404 of GET /api/v1/decisions/nobody"),
        ("decision", {"decision_id": ".."}, "404 of GET /api/v1/decisions/%2E%2E"),
        ("trace", {"trace_id": "../silences"}, "404 of GET /api/v1/traces/%2E%2E%2Fsilences"),
        ("decisions", {"window": "banana"}, "400 of GET"),
        ("incident", {}, "incident needs the argument episode_id"),
        ("ack", {}, "there is no tool 'ack'"),
    ):
        result = agent.call(tool, **arguments)
        assert result.is_error
        assert said in text_of(result)


def test_what_a_tool_asks_is_in_the_audit_under_its_agent(
    pages: Served, world: Connections
) -> None:
    """It asks with the right of whoever asks it, and with no other."""
    assert not Agent(pages.url).call("query", sql="SELECT 'by an agent'").is_error
    [row] = [row for row in read_audit(world.client()) if "by an agent" in row.detail]
    assert (row.actor, row.action) == ("token agent", "queried")


def test_token_has_to_be_allowed_to_read(pages: Served) -> None:
    """A sender's token reads nothing here either."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}

    def post(**headers: str) -> int:
        found = httpx.post(
            f"{pages.url}/mcp", json=body, headers=accept | headers, trust_env=False, timeout=60
        )
        return found.status_code

    assert post(authorization="Bearer mwt_agent") == 200
    assert post(authorization="Bearer mwt_shop") == 403
    assert post() == 401
    get = httpx.get(
        f"{pages.url}/mcp",
        headers={"authorization": "Bearer mwt_agent"},
        trust_env=False,
        timeout=60,
    )
    assert get.status_code in (404, 405)


def test_foreign_page_asks_nothing_in_the_browser_of_an_operator(
    world: Connections, tmp_path: Path
) -> None:
    """Without tokens the address is all that guards, and a browser on the machine has it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    with served(world, tmp_path) as pages:
        for headers, status in (
            ({}, 200),
            ({"origin": "https://evil.example"}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"host": "evil.example"}, 403),
        ):
            found = httpx.post(
                f"{pages.url}/mcp", json=body, headers=accept | headers, trust_env=False, timeout=60
            )
            assert found.status_code == status, headers


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"jsonrpc":"2.0"}', b"\xff" * 100, b"1" * 2_000_000],
    ids=["empty", "list", "open", "no method", "bytes", "large"],
)
def test_rubbish_is_answered(pages: Served, body: bytes) -> None:
    """With a status of the client's, never one of ours."""
    headers = {
        "authorization": "Bearer mwt_agent",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    found = httpx.post(
        f"{pages.url}/mcp", content=body, headers=headers, trust_env=False, timeout=60
    )
    assert 400 <= found.status_code < 500

"""Every error of the API is problem details of RFC 9457, whoever of us found it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from alerts.state.sqlite import AlertStore
from collector.core.counters import Counters
from collector.core.errors import BusyError, StoreUnavailableError
from collector.store.connect import Connections
from dashboard.api.errors import add_error_handlers
from dashboard.settings.config import DashboardConfig
from dashboard.web.server import DashboardServer
from tests.support.dashboard.app import Api

KEYS = ["type", "title", "status", "detail", "instance"]


@pytest.fixture(scope="module")
def stateful(world: Connections, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Yield the application over the shared store, with a state of alerts that has none."""
    state = AlertStore(tmp_path_factory.mktemp("alerts") / "alerts.sqlite")
    yield Api(world, alert_state=state)
    state.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/api/v1/nope", 404, "openapi.json lists"),
        ("DELETE", "/api/v1/query", 405, "use POST"),
        ("HEAD", "/api/v1/health", 405, ""),
        ("OPTIONS", "/api/v1/health", 405, "use GET"),
        ("PUT", "/api/v1/silences", 405, "use GET, POST"),
        ("GET", "/api/v1/alerts?window=abc", 400, "window"),
        ("GET", "/api/v1/alerts?window=365d", 400, "window '365d' is longer than 31 days"),
        ("GET", "/api/v1/decisions?window=32d", 400, "window '32d' is longer than 31 days"),
        ("GET", "/api/v1/provenance?until=later", 400, "until"),
        ("GET", "/api/v1/cost?window=-1h", 400, "window"),
        ("GET", "/api/v1/decisions?limit=-1", 400, "limit"),
        ("GET", "/api/v1/audit?limit=0", 400, "limit"),
        ("GET", "/api/v1/decisions/none", 404, "no decision has the id 'none'"),
        ("GET", "/api/v1/decisions/shop/7", 404, "no decision has the id 'shop/7'"),
        ("GET", "/api/v1/traces/shop/7", 404, "no trace"),
        ("GET", "/api/v1/traces/none", 404, "no trace"),
        ("GET", "/api/v1/experiments/none", 404, "no experiment 'none'"),
        ("GET", "/api/v1/vram/models/7", 404, "no VRAM model 7"),
        ("GET", "/api/v1/vram/verdicts/00", 404, "0 verdicts begin"),
        ("GET", "/api/v1/packets/none", 404, "no packets were kept"),
        ("GET", "/api/v1/alerts/none", 404, "no alert has the episode"),
        ("POST", "/api/v1/holds/none/release", 404, "not in force"),
        ("POST", "/api/v1/rules/none/promote", 404, "no rule is called"),
        ("POST", "/api/v1/silences/9/end", 404, "no silence 9"),
        ("POST", "/api/v1/query", 400, "sql: is missing"),
        ("GET", "/api/v1/audit?limit=many", 400, "limit: 'many' should be an integer"),
        ("GET", "/api/v1/alerts?windows=1h", 400, "'windows'; it has limit, until, window"),
        ("GET", "/api/v1/health?x=1", 400, "GET /api/v1/health has no parameter 'x'; it has none"),
        ("GET", "/api/v1/traces/none?limit=1", 400, "/traces/{trace_id} has no parameter 'limit'"),
        ("GET", "/api/v1/decisions?regoin=eu", 400, "regoin"),
        ("GET", "/api/v1/decisions?window=1h&window=2h", 400, "'window' is there 2 times"),
        ("GET", "/api/v1/vram/worth?bogus=1", 400, "has no parameter 'bogus'"),
        ("GET", "/api/v1/store/parts/decisions/x", 404, "'x' is no part"),
    ],
)
def test_error_says_what_is_wrong_in_one_form(
    stateful: Api, method: str, path: str, status: int, said: str
) -> None:
    """A program reads one shape; 404 is what is not there, 400 what cannot be meant."""
    body = {"actor": "anna", "reason": "why"} if method == "POST" else None
    if path.endswith("release"):
        body = {"actor": "anna"}
    answer = stateful.send(method, path, json={} if path.endswith("query") else body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.headers.get_list("allow")) == (status == 405)
    if method == "HEAD":
        return
    problem = answer.json()
    assert list(problem) == KEYS
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["instance"] == path.partition("?")[0]
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "said"),
    [
        ('{"sql": "SELECT 1"}', "", 400, "content-type: application/json"),
        ('{"sql": "SELECT 1"}', "text/plain", 400, "content-type: application/json"),
        ('{"sql": "SELECT 1"}', "application/json; charset=utf-8", 200, ""),
        ('{"sql": "SELECT 1",}', "application/json", 400, "not JSON at character 19: "),
        ('["SELECT 1"]', "application/json", 400, "body"),
        (f'{{"sql": "SELECT 1{" " * 2_000_000}"}}', "application/json", 413, "2,000,008 char"),
    ],
)
def test_body_that_cannot_be_read_is_told_how_to_send_it(
    api: Api, content: str, kind: str, status: int, said: str
) -> None:
    """Curl without a header was told `should be a table of names and values`."""
    headers = {"content-type": kind} if kind else {}
    answer = api.send("POST", "/api/v1/query", content=content, headers=headers)
    assert answer.status_code == status, answer.text[:500]
    assert said in answer.text


def test_every_operation_knows_its_parameters(api: Api) -> None:
    """Of a router within another none did: what was misspelt was left out without a word."""
    document = api.send("GET", "/api/v1/openapi.json").json()
    paths = [path for path, verbs in document["paths"].items() if "get" in verbs]
    for path in paths:
        answer = api.send("GET", f"{path.replace('{', '').replace('}', '')}?bogus=1")
        assert "has no parameter 'bogus'" in answer.text, f"{path}: {answer.text[:300]}"


@pytest.mark.parametrize(
    ("raised", "status", "headers"),
    [
        (StoreUnavailableError("the store is away"), 503, {"retry-after": "5"}),
        (BusyError("too many wait", 7), 429, {"retry-after": "7"}),
        (ZeroDivisionError("secret"), 500, {}),
    ],
)
def test_error_below_is_answered_with_when_to_ask_again(
    raised: Exception, status: int, headers: dict[str, str]
) -> None:
    """And of an error of ours nothing that its text may hold."""
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/api/v1/fails")
    def fails() -> None:
        raise raised

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            return await client.get("/api/v1/fails")

    answer = asyncio.run(ask())
    assert (answer.status_code, list(answer.json())) == (status, KEYS)
    assert "secret" not in answer.text
    assert {name: answer.headers.get(name) for name in headers} == headers


@pytest.mark.integration
def test_connection_that_is_refused_is_told_in_the_same_form(world: Connections) -> None:
    """Before there is a request; a gateway that logs the body has a reason there."""
    server = DashboardServer(
        Api(world).app.server, DashboardConfig(port=0, connections_max=1), counters=Counters()
    )
    server.start()
    try:
        place = ("127.0.0.1", server.port)
        with socket.create_connection(place, timeout=30) as first:
            first.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            first.recv(12)
            answer = httpx.get(f"http://127.0.0.1:{server.port}/healthz", trust_env=False)
    finally:
        server.stop()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")


def test_document_says_so(api: Api) -> None:
    """Generated clients have a type for errors."""
    document = api.send("GET", "/api/v1/openapi.json").json()
    assert list(document["components"]["schemas"]["Problem"]["properties"]) == KEYS
    takes_bytes = ["outcomes", "rates", "ledger", "channels", "costs"]
    for path in ("/api/v2/alerts", *(f"/api/v1/import/{kind}" for kind in takes_bytes)):
        assert document["paths"][path]["post"]["requestBody"]["required"], path
    for path, verbs in document["paths"].items():
        assert all("400" in operation["responses"] for operation in verbs.values()), path
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            kind = "application/json" if path == "/api/v2/alerts" else "application/problem+json"
            assert list(operation["responses"]["503"]["content"]) == [kind]


@pytest.mark.parametrize("kind", ["application/json", "application/x.y+json; charset=utf-8", ""])
@pytest.mark.parametrize("half", [rb"\ud800", rb"\udfff", b"\xed\xa0\x80"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("query", b'{"sql": "SELECT \'HALF\'"}'),
        ("query", b'{"sql": "SELECT {a:String}", "parameters": {"a": "HALF"}}'),
        ("compare", b'{"before": {"window": "15m", "action": "HALF"}, "after": {"window": "5m"}}'),
        ("rejected/replay", b'{"ids": ["HALF"], "dry_run": true}'),
    ],
)
def test_half_of_a_character_is_refused(
    stateful: Api, path: str, body: bytes, half: bytes, kind: str
) -> None:
    """The engine takes no text that UTF-8 does not have: it was an error of ours, or `away`."""
    answer = stateful.send(
        "POST",
        f"/api/v1/{path}",
        content=body.replace(b"HALF", half),
        headers={"content-type": kind} if kind else {},
    )
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")
    assert "half of a character" in answer.json()["detail"]


def test_whole_characters_are_taken_however_they_are_written(stateful: Api) -> None:
    """A pair stands for one, and the first half of it is no half."""
    for text in (rb"\ud83d\ude00", "\U0001f600".encode(), "\ud7ff".encode()):
        answer = stateful.send(
            "POST",
            "/api/v1/query",
            content=b'{"sql": "SELECT \'' + text + b"' AS a\"}",
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 200, answer.text

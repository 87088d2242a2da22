"""The table of roles holds every route of the application, for every role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from collector.auth.gate import Gate, load_tokens
from collector.auth.roles import Role
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.caller import note_caller
from dashboard.web.roles import TABLE
from dashboard.web.security import AccessGuard
from dashboard.web.sessions import Sessions
from tests.support.dashboard.app import Api, Behind

# Whoever adds a route that is not asked with GET says here who may use it.
LEAST = {
    "POST /mcp": "viewer",
    "POST /_dash-update-component": "viewer",
    "POST /api/v1/query": "viewer",
    "POST /api/v1/what-if": "viewer",
    "POST /api/v1/compare": "viewer",
    "POST /api/v1/provenance/copies": "viewer",
    "POST /api/v1/rules/import": "viewer",
    "POST /api/v1/silences/preview": "viewer",
    "POST /api/v1/vram/npv": "viewer",
    "POST /api/v1/vram/tiers": "viewer",
    "POST /api/v1/vram/tail": "viewer",
    "POST /api/v1/vram/debt": "viewer",
    "POST /api/v1/alerts/{episode_id}/ack": "responder",
    "POST /api/v1/alerts/{episode_id}/comment": "responder",
    "POST /api/v1/silences": "responder",
    "POST /api/v1/silences/{number}/end": "responder",
    "POST /api/v1/experiments/{name}/stop": "responder",
    "POST /api/v1/import/outcomes": "operator",
    "POST /api/v1/import/rates": "operator",
    "POST /api/v1/import/ledger": "operator",
    "POST /api/v1/import/costs": "operator",
    "POST /api/v1/import/costs/replace": "operator",
    "POST /api/v1/import/channels": "operator",
    "POST /api/v1/rejected/replay": "operator",
    "POST /api/v1/vram/model": "operator",
    "POST /api/v1/slope": "operator",
    "POST /api/v1/experiments": "operator",
    "POST /api/v1/alerts/dead/replay": "operator",
    "POST /api/v1/alerts/receivers/try": "operator",
    "POST /api/v1/rules/{name}/promote": "operator",
    "POST /api/v1/rules/{name}/demote": "operator",
    "POST /api/v2/alerts": "operator",
    "POST /api/v1/holds": "admin",
    "POST /api/v1/holds/{name:path}/release": "admin",
    "POST /api/v1/vram/gate": "admin",
    "POST /api/v1/vram/verdicts/{sha256}/signature": "admin",
}
OPEN = {"GET /healthz", "GET /readyz", "GET /login", "POST /login", "POST /logout"}
# A sender's token is enough for these, and for nothing else.
BY_SCOPE = {"POST /api/v1/import/outcomes": "outcomes", "POST /api/v2/alerts": "alerts"}
# Only where a service attributes by itself.
ELSEWHERE = {"POST /api/v1/recompute"}
ROLES = [role.value for role in Role]


def token(name: str, **more: object) -> TokenConfig:
    """Return the settings of a token that is `mwt_` and its name."""
    return TokenConfig.model_validate({"name": name, "hash": hash_text(f"mwt_{name}"), **more})


TOKENS = (
    *(token(role, role=role) for role in ROLES),
    token("outcomes", scopes=["outcomes"]),
    token("alerts", scopes=["alerts"]),
    token("traces", scopes=["traces", "logs", "metrics"]),
)


@pytest.fixture(scope="module")
def server(api: Api) -> FastAPI:
    """Return the whole application."""
    app = api.app.server
    assert isinstance(app, FastAPI)
    return app


def guarded(app: ASGIApp) -> AccessGuard:
    """Return an application behind tokens of each kind."""
    clock = SystemClock()
    gate = Gate(load_tokens(AccessConfig(tokens=TOKENS)), Counters(), clock)
    return AccessGuard(app, gate, Sessions(gate, clock, hours=1))


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield each route as the table has it, and a path that it answers."""
    for route in iter_route_contexts(app.router.routes):
        if route.path == "/_dash-ws-callback":  # a WebSocket: the server has none
            continue
        path = re.sub(r"\{\w+(:path)?\}", "1", str(route.path))
        for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
            yield f"{method} {route.path}", path + ("/x.js" if path == "/assets" else "")


async def statuses(app: ASGIApp, name: str, asked: list[tuple[str, str]]) -> list[int]:
    """Return the status of each method and path, asked with a token."""
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": f"Bearer mwt_{name}"} if name else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        found = [await client.request(m, p, headers=headers) for m, p in asked]
    return [answer.status_code for answer in found]


@pytest.mark.parametrize("who", ["", *ROLES, "outcomes", "alerts", "traces"])
def test_every_route_is_for_the_roles_that_it_says(server: FastAPI, who: str) -> None:
    """Pages, API and tools, each with each role, each kind of sender, and nobody."""
    declared = list(routes(server))
    asked = [(name.partition(" ")[0], path) for name, path in declared]
    behind = Behind(server, PlainTextResponse("let through"))
    found = asyncio.run(statuses(guarded(behind), who, asked))
    assert len(found) > 90
    for (name, _), status in zip(declared, found, strict=True):
        least = LEAST.get(name, "viewer" if name.startswith("GET ") else "nobody")
        may = (
            name in OPEN
            or (who in ROLES and least in ROLES and ROLES.index(who) >= ROLES.index(least))
            or BY_SCOPE.get(name) == who
        )
        expected = 200 if may else 403 if who else 401
        # Without a token the probes and the page to sign in at are open, and nothing else.
        assert status == expected, (who, name)


def test_table_has_no_row_without_a_route(server: FastAPI) -> None:
    """A route that was renamed would leave its role behind for another to find."""
    assert set(TABLE) - {name for name, _ in routes(server)} == ELSEWHERE
    assert TABLE["POST /api/v1/recompute"].role is Role.OPERATOR


def test_route_that_is_not_in_the_table_is_refused_to_everybody(world: Connections) -> None:
    """A new action is closed until somebody says who may use it, also where nobody is asked."""
    app = Api(world).app.server
    assert isinstance(app, FastAPI)
    app.add_api_route("/api/v1/new-action", lambda: "done", methods=["POST"])

    async def ask() -> list[int]:
        asked = [("POST", "/api/v1/new-action")]
        return await statuses(guarded(app), "admin", asked) + await statuses(app, "", asked)

    assert asyncio.run(ask()) == [403, 403]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/v1/alerts/open/ack", 403),
        ("POST", "/api/v1/alerts/a%2Fb/ack", 404),
        ("POST", "//api/v1/silences", 404),
        ("POST", "/api/v1/silences/", 307),
        ("post", "/api/v1/silences", 403),
        ("PUT", "/api/v1/silences", 405),
        ("HEAD", "/api/v1/silences", 405),
        ("OPTIONS", "/api/v1/silences", 405),
        ("HEAD", "/api/v1/openapi.json", 200),
        ("GET", "/nope", 404),
    ],
)
def test_no_spelling_of_a_request_gets_a_viewer_past_the_table(
    server: FastAPI, method: str, path: str, status: int
) -> None:
    """What the router takes for an action the guard takes for the same."""
    found = asyncio.run(statuses(guarded(server), "viewer", [(method, path)]))
    assert found == [status]


def test_refusal_says_what_is_missing_and_is_counted(server: FastAPI) -> None:
    """A person is told the role, and whoever looks at the counters that it was a role."""
    counters, clock = Counters(), SystemClock()
    gate = Gate(load_tokens(AccessConfig(tokens=TOKENS)), counters, clock)
    app = AccessGuard(server, gate, Sessions(gate, clock, hours=1))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        headers = {"authorization": "Bearer mwt_viewer"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/api/v1/silences", headers=headers, json={})

    answer = asyncio.run(ask())
    assert answer.json()["detail"] == (
        "token viewer has the role viewer, and this needs the role responder; use a token that "
        "has it (`millworth token new --role`)"
    )
    assert counters.denied.labels("dashboard", "viewer", "role")._value.get() == 1


def test_what_is_asked_from_inside_is_held_to_the_table(server: FastAPI) -> None:
    """A tool of `/mcp` asks the application as its agent: so a tool that acts would be refused."""
    gate = Gate(load_tokens(AccessConfig(tokens=TOKENS)), Counters(), SystemClock())

    async def ask(name: str) -> list[int]:
        note_caller(gate.sender("dashboard", f"Bearer mwt_{name}"), gate)
        return await statuses(server, "", [("POST", "/api/v1/silences")])

    assert asyncio.run(ask("viewer")) == [403]
    assert asyncio.run(ask("responder")) == [400]

"""Whose token it was is in the audit, and every action of the API is closed to a reader."""

from __future__ import annotations

import asyncio

import httpx

from collector.audit.log import read_audit
from collector.auth.gate import Gate, load_tokens
from collector.auth.tokens import AccessConfig, Scope, TokenConfig, hash_text
from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.caller import caller, note_caller
from dashboard.web.security import READING_POSTS, AccessGuard, needed_scope
from tests.support.dashboard.app import Api
from tests.support.dashboard.seed import TODAY_NS

# What changes something. Whoever adds a route with POST says here, or in
# dashboard.web.security.READING_POSTS, which of the two it is.
CHANGING = {
    "/api/v1/import/outcomes",
    "/api/v1/import/rates",
    "/api/v1/import/ledger",
    "/api/v1/import/costs",
    "/api/v1/import/channels",
    "/api/v1/rejected/replay",
    "/api/v1/holds",
    "/api/v1/holds/{name}/release",
    "/api/v1/vram/model",
    "/api/v1/experiments",
    "/api/v1/experiments/{name}/stop",
    "/api/v1/vram/gate",
    "/api/v1/vram/verdicts/{sha256}/signature",
    "/api/v1/slope",
    "/api/v1/alerts/dead/replay",
    "/api/v2/alerts",
    "/api/v1/alerts/{episode_id}/ack",
    "/api/v1/alerts/{episode_id}/comment",
    "/api/v1/rules/{name}/promote",
    "/api/v1/rules/{name}/demote",
    "/api/v1/silences",
    "/api/v1/silences/{number}/end",
}


def test_every_action_is_known_to_change_something_or_only_to_read(world: Connections) -> None:
    """A route that nobody thought of is closed, which its first user would take for a fault."""
    paths = Api(world).app.server.openapi()["paths"]
    actions = {path for path, methods in paths.items() if set(methods) - {"get"}}
    assert actions - READING_POSTS == CHANGING
    for path in actions:
        needed = needed_scope({"method": "POST", "path": path})
        assert (needed is Scope.READ) == (path in READING_POSTS)


def test_token_that_imported_is_in_the_audit(own_world: Connections) -> None:
    """Dollars change with it; the token's name is there, and never the token."""
    entry = TokenConfig.model_validate(
        {"name": "till", "hash": hash_text("mwt_till"), "scopes": ["outcomes"]}
    )
    tokens = load_tokens(AccessConfig(tokens=(entry,)))
    gate = Gate(tokens, Counters(), SystemClock())
    app = AccessGuard(Api(own_world).app.server, gate)
    rows = (
        "outcome_id,decision_id,kind,converted,margin,occurred_at\n"
        f"o-1,d-12,sale,true,1.25,{TODAY_NS}\n"
        f"o-2,d-12,sale,true,1.2.5,{TODAY_NS}\n"
    )

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(
                "/api/v1/import/outcomes?name=may.csv",
                content=rows,
                headers={"authorization": "Bearer mwt_till"},
            )

    assert asyncio.run(send()).json()["imported"] == 1
    (row,) = [row for row in read_audit(own_world.client()) if row.action == "outcomes_imported"]
    assert (row.actor, row.detail) == ("token till", "may.csv: 1 imported, 1 refused")


def test_name_in_a_request_stands_beside_the_token_that_vouches_for_it() -> None:
    """Anybody can write a name."""
    assert (caller(), caller("anna")) == ("api", "anna")

    async def request() -> tuple[str, str]:
        note_caller("ops")
        return caller(), await asyncio.to_thread(caller, "anna")

    assert asyncio.run(request()) == ("token ops", "anna (token ops)")
    assert caller() == "api"  # one request says nothing of the next

"""Who made a request is in the audit."""

from __future__ import annotations

import asyncio

import httpx

from collector.audit.log import read_audit
from collector.auth.gate import Gate, Sender, load_tokens
from collector.auth.tokens import AccessConfig, TokenConfig, hash_text
from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.caller import caller, note_caller
from dashboard.web.security import AccessGuard
from dashboard.web.sessions import Sessions
from tests.support.dashboard.app import Api
from tests.support.dashboard.seed import TODAY_NS


def test_token_that_imported_is_in_the_audit(own_world: Connections) -> None:
    """Dollars change with it; the token's name is there, and never the token."""
    entry = TokenConfig.model_validate(
        {"name": "till", "hash": hash_text("mwt_till"), "scopes": ["outcomes"]}
    )
    tokens = load_tokens(AccessConfig(tokens=(entry,)))
    gate = Gate(tokens, Counters(), SystemClock())
    sessions = Sessions(gate, SystemClock(), hours=1)
    app = AccessGuard(Api(own_world).app.server, gate, sessions)
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
    assert (caller(), caller("anna")) == ("somebody unnamed", "anna")

    async def request(sender: Sender) -> tuple[str, str]:
        note_caller(sender)
        return caller(), await asyncio.to_thread(caller, "anna")

    assert asyncio.run(request(Sender("ops", "token"))) == ("token ops", "anna (token ops)")
    user = Sender("b@shop (token boss)", "user")
    # What a proxy calls somebody is no token, whatever it looks like.
    assert asyncio.run(request(user))[1] == "anna (user b@shop (token boss))"
    assert caller() == "somebody unnamed"  # one request says nothing of the next

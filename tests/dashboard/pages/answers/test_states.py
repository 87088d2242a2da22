"""A reading says in its own panel that it is partial, refused, or failed, and is asked again."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from dash import Dash

from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.pages.answers import budgets, velocity
from dashboard.pages.answers.states import Found, _read, state_outputs
from dashboard.web.app import create_app
from tests.support.dashboard.app import FixedHealth


def ask(app: Dash, output: str, inputs: dict[str, Any], kept: str | None) -> dict[str, Any]:
    """Return what a callback answers, by id and property."""
    name = next(each for each in app.callback_map if output in each)
    targets = app.callback_map[name]["output"]
    outputs = [{"id": each.component_id, "property": each.component_property} for each in targets]
    of = {each["id"] + "." + each["property"]: each for each in app.callback_map[name]["inputs"]}
    key = output.partition(".")[0]
    body = {
        "output": name,
        "outputs": outputs,
        "inputs": [{**each, "value": inputs.get(place)} for place, each in of.items()],
        "changedPropIds": [],
        "state": [{"id": f"{key}-kept", "property": "data", "value": kept}],
    }

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/_dash-update-component", json=body)

    answer = asyncio.run(send())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["response"]
    return found


def test_store_that_is_away_is_said_where_the_figures_stand(empty_store: Connections) -> None:
    """With a mark for the log, of when what is shown is, and a button; what is shown stays."""
    app = create_app(AppContext(empty_store, FixedHealth(), Counters()))
    found = ask(app, "budgets-list.rowData", {"url.search": ""}, kept="10:00:00")
    said = found["budgets-list-state"]
    assert said["className"] == "failed"
    assert said["children"].startswith("Could not be read: ")
    assert "What is shown is of 10:00:00 UTC." in said["children"]
    assert "in the log)" in said["children"]
    assert found["budgets-list-retry"]["hidden"] is False
    assert "budgets-list" not in found
    assert "budgets-said" not in found
    first = ask(app, "budgets-list.rowData", {"url.search": ""}, kept=None)
    assert first["budgets-said"]["children"] == "Not known yet."


def test_question_that_cannot_be_asked_is_refused_without_a_retry(world: Connections) -> None:
    """Another click would be refused the same way."""
    app = create_app(AppContext(world, FixedHealth(), Counters()))
    found = ask(app, "velocity-groups.rowData", {"url.search": "?by=colour"}, kept=None)
    assert "'colour' is no dimension" in found["velocity-groups-state"]["children"]
    assert found["velocity-groups-retry"]["hidden"] is True


def test_each_reading_has_its_states_in_the_layout_of_its_page() -> None:
    """A state that nobody laid out would be shown nowhere."""
    assert set(state_outputs("budgets-list")) <= set(budgets.OUTPUTS)
    assert set(state_outputs("velocity-groups")) <= set(velocity.OUTPUTS)


def test_partial_reading_says_what_is_missing() -> None:
    """And one that is whole says nothing."""
    found = Found({}, "bills cover 40.0 % of the range")
    assert _read("x", found.partial, 0)["x-state.children"] == (
        "Partial: bills cover 40.0 % of the range"
    )
    assert _read("x", "", 0)["x-state.children"] == ""

"""A reading says in its own panel that it is partial, refused, or failed, and is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from dash import Dash

from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.context import AppContext
from dashboard.pages.answers import budgets, velocity
from dashboard.pages.states import Reading, _read, state_outputs
from dashboard.web.app import create_app
from tests.conftest import another_database
from tests.support.dashboard.app import Api, FixedHealth


@pytest.fixture(scope="module")
def app(engine: Connections) -> Iterator[Dash]:
    """Yield the application over a database without a table."""
    store = another_database(engine)
    yield create_app(AppContext(store, FixedHealth(), Counters()))
    engine.client().command(f"DROP DATABASE IF EXISTS {store.config.database}")


def ask(app: Dash, output: str, inputs: dict[str, Any], kept: object) -> dict[str, Any]:
    """Return what a callback answers, by id and property."""
    found: dict[str, Any] = answer_of(app, output, inputs, kept)["response"]
    return found


def answer_of(app: Dash, output: str, inputs: dict[str, Any], kept: object) -> dict[str, Any]:
    """Return the whole answer of a callback."""
    name = next(each for each in app.callback_map if output in each)
    targets = app.callback_map[name]["output"]
    outputs = [{"id": each.component_id, "property": each.component_property} for each in targets]
    of = {each["id"] + "." + each["property"]: each for each in app.callback_map[name]["inputs"]}
    states = app.callback_map[name]["state"]
    body = {
        "output": name,
        "outputs": outputs,
        "inputs": [{**each, "value": inputs.get(place)} for place, each in of.items()],
        "changedPropIds": [],
        "state": [
            {**each, "value": kept if each["id"].endswith("-kept") else None} for each in states
        ],
    }

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app.server)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/_dash-update-component", json=body)

    answer = asyncio.run(send())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_store_that_is_away_is_said_where_the_figures_stand(app: Dash) -> None:
    """With a mark for the log, of when what is shown is, and a button; what is shown stays."""
    found = ask(
        app, "budgets-list.rowData", {"url.search": ""}, kept={"at": "10:00:00", "marks": {}}
    )
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


@pytest.mark.parametrize(
    ("output", "where", "said"),
    [
        ("overview-alerts.rowData", "overview-alerts", {"overview-now-value": "unknown"}),
        ("decisions-list.rowData", "decisions", {}),
        ("decision-said.children", "decision", {"decision-said": "Not known yet."}),
        ("alerts-external.rowData", "alerts-list", {}),
        ("alert-facts.children", "alert-page", {"alert-risk-value": "unknown"}),
        ("explore-heatmap.figure", "explore-heat", {}),
        ("velocity-curve.figure", "velocity-groups", {"velocity-said": "Not known yet."}),
    ],
)
def test_first_reading_that_fails_does_not_go_on_loading(
    app: Dash, output: str, where: str, said: dict[str, str]
) -> None:
    """A table said `Loading...` for ever, and a card `…`, while the store was away."""
    asked = {"url.search": "?id=d-1", "url.pathname": "/alerts/episode-1"}
    found = ask(app, output, asked, kept=None)
    assert found[f"{where}-state"]["className"] == "failed unread"
    assert "Nothing is shown yet." in found[f"{where}-state"]["children"]
    assert found[f"{where}-retry"]["hidden"] is False
    assert {name: found[name]["children"] for name in said} == said
    name, prop = output.split(".")
    if prop == "rowData":
        assert found[name][prop] == []
    if prop == "figure":
        assert "Not read yet" in str(found[name][prop])
    again = ask(app, output, asked, kept={"at": "10:00:00", "marks": {}})
    assert set(again) == {f"{where}-state", f"{where}-retry"}


def test_path_and_heatmap_are_read_where_money_cannot_be(app: Dash) -> None:
    """They follow the alerts, and would wait for them for ever."""
    found = ask(app, "overview-alerts.rowData", {"url.search": ""}, kept=None)
    kept = found["overview-top"]["data"]
    assert kept["alerts"] == []
    for name in ("overview-path", "overview-heatmap"):
        shown = ask(app, f"{name}.figure", {"overview-top.data": kept}, kept=None)
        assert shown[f"{name}-state"]["className"] == "failed unread"


def test_error_of_ours_is_one_visible_panel(app: Dash) -> None:
    """It is in the log; the page keeps what it showed, and the service runs on."""
    side = answer_of(app, "budgets-list.rowData", {"url.search": 5}, kept=None)["sideUpdate"]
    assert side["app-error"]["hidden"] is False
    assert "an error of ours" in side["app-error"]["children"]


def test_what_is_found_again_is_not_drawn_again(api: Api) -> None:
    """Whoever marks a reason to copy it lost what was marked at each reading."""
    app = api.app
    first = ask(app, "network-wire.children", {"url.search": ""}, kept=None)
    assert first["network-wire"]["children"]["type"] == "Dl"
    again = ask(app, "network-wire.children", {"url.search": ""}, first["network-kept"]["data"])
    assert "network-wire" not in again
    assert again["network-kept"]["data"]["marks"] == first["network-kept"]["data"]["marks"]
    for junk in ({"marks": None}, {"marks": [5]}, ["?"], {"at": 1}):
        assert "network-wire" in ask(app, "network-wire.children", {"url.search": ""}, junk)
    other = first["network-kept"]["data"]["marks"] | {"network-wire.children": "of before"}
    changed = ask(app, "network-wire.children", {"url.search": ""}, {"at": "", "marks": other})
    assert changed["network-wire"] == first["network-wire"]


def test_question_that_cannot_be_asked_is_refused_without_a_retry(api: Api) -> None:
    """Another click would be refused the same way."""
    app = api.app
    found = ask(app, "velocity-groups.rowData", {"url.search": "?by=colour"}, kept=None)
    assert "'colour' is not a dimension" in found["velocity-groups-state"]["children"]
    assert found["velocity-groups-retry"]["hidden"] is True


def test_each_reading_has_its_states_in_the_layout_of_its_page() -> None:
    """A state that nobody laid out would be shown nowhere."""
    assert set(state_outputs("budgets-list")) <= set(budgets.OUTPUTS)
    assert set(state_outputs("velocity-groups")) <= set(velocity.OUTPUTS)


def test_partial_reading_says_what_is_missing() -> None:
    """And one that is whole says nothing."""
    found = Reading({}, "bills cover 40.0 % of the range")
    assert _read("x", found, None, 0)["x-state.children"] == (
        "Partial: bills cover 40.0 % of the range"
    )
    assert _read("x", Reading({}), None, 0)["x-state.children"] == ""

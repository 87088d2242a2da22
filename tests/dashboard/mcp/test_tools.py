"""Tools are operations of the document, in its words, and none of them changes anything."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from collector.auth.roles import Role
from dashboard.mcp.tools import TOOLS, Offer, offers, question
from dashboard.web.roles import TABLE
from tests.support.dashboard.app import Api


@pytest.fixture
def found(api: Api) -> dict[str, Offer]:
    """Return the tools of the whole application."""
    app = api.app.server
    assert isinstance(app, FastAPI)
    return offers(app.openapi())


def test_every_tool_is_an_operation_of_the_document(found: dict[str, Offer]) -> None:
    """A route that was renamed would take its tool away without a word."""
    assert list(found) == [tool.name for tool in TOOLS]
    assert 10 <= len(found) <= 13
    roles = {route.replace(":path}", "}"): row.role for route, row in TABLE.items()}
    assert {roles[f"{tool.method} {tool.path}"] for tool in TOOLS} == {Role.VIEWER}


def test_schemas_are_whole_and_of_2020_12(found: dict[str, Offer]) -> None:
    """One bad schema makes a client drop the whole server."""
    for each in found.values():
        meta.validate(each.schema)
        assert each.schema["type"] == "object"
        assert "#/components" not in str(each.schema)
        assert each.description.endswith((".", ")"))
        Draft202012Validator(each.schema)  # raises where a reference leads nowhere


def test_arguments_go_where_the_operation_has_them(found: dict[str, Offer]) -> None:
    """Into the path, the query or the body."""
    asked = question(found["incident"], {"episode_id": "a/b?c"})
    assert (asked.path, asked.query, asked.body) == ("/api/v1/alerts/a%2Fb%3Fc/report", {}, None)
    assert asked.page == "/alerts/a%2Fb%3Fc"
    asked = question(found["decisions"], {"window": "1h", "region": "eu-west"})
    assert asked.query == {"window": "1h", "region": "eu-west"}
    asked = question(found["query"], {"sql": "SELECT 1"})
    assert (asked.method, asked.query, asked.body) == ("POST", {}, {"sql": "SELECT 1"})
    with pytest.raises(KeyError, match="episode_id"):
        question(found["incident"], {})


@given(st.text() | st.sampled_from(["..", ".", "../silences", "%2e%2e"]))
def test_no_argument_leaves_its_part_of_the_path(text: str) -> None:
    """An id such as ../silences asks nothing else."""
    tool = next(each for each in TOOLS if each.name == "decision")
    asked = question(Offer(tool, "", {}, ("decision_id",)), {"decision_id": text})
    assert asked.path.startswith("/api/v1/decisions/")
    rest = asked.path.removeprefix("/api/v1/decisions/")
    assert not {*rest} & {*"/?#."}
    assert unquote(rest) == text

"""What no page of ours sends is refused with 4xx: a 500 would mean that we are broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.dashboard.app import Api

CALLBACKS = "/_dash-update-component"
JSON_TYPE = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        "dash/nope.js",
        "nope/nope.js",
        "dash/",
        "dash/dcc/%00.js",
        "dash/../../app.py",
        "dash/%2e%2e/%2e%2e/app.py",
        "os/path.py",
        "",
    ],
)
def test_a_component_file_that_is_not_there_is_404(api: Api, path: str) -> None:
    """A page of an older version asks for files of its own."""
    assert api.send("GET", f"/_dash-component-suites/{path}").status_code == 404


def test_component_files_are_served(api: Api) -> None:
    """The index names each of them."""
    index = api.send("GET", "/").text
    paths = [part.split('"')[0] for part in index.split('src="')[1:]]
    files = [path for path in paths if path.startswith("/_dash-component-suites/")]
    assert files
    for path in files:
        assert api.send("GET", path).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[" * 3_000_000,
        b"[" * 5_000_000,
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"output":"x.y","outputs":{"id":"x","property":"y"},"inputs":[],"changedPropIds":[]}',
        b'{"output":"page.children","outputs":{"id":"page","property":"children"},"inputs":[]}',
        b'{"output":{"id":"page"},"outputs":1,"inputs":2}',
    ],
)
def test_a_body_that_is_no_callback_is_400(api: Api, body: bytes) -> None:
    """Anybody who reaches the port may send it."""
    answer = api.send("POST", CALLBACKS, content=body, headers=JSON_TYPE)
    assert answer.status_code == 400
    assert "reload the page" in answer.json()["detail"]


def callback(route: object, query: object) -> dict[str, Any]:
    """Return what a page sends to have its body drawn."""
    return {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [
            {"id": "route", "property": "data", "value": route},
            {"id": "zone", "property": "data", "value": "UTC"},
        ],
        "state": [{"id": "url", "property": "search", "value": query}],
        "changedPropIds": ["route.data"],
    }


def test_a_callback_is_answered(api: Api) -> None:
    """What is refused must not be what our pages send."""
    answer = api.send("POST", CALLBACKS, json=callback("/health", ""))
    assert answer.status_code == 200
    assert "page" in answer.json()["response"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    field=st.sampled_from(["output", "outputs", "inputs", "state", "changedPropIds", "value"]),
    value=JSON_VALUES,
)
def test_no_body_is_answered_with_500(api: Api, field: str, value: object) -> None:
    """Each part of a good body, replaced by anything."""
    body = callback("/decisions", "?window=1h")
    if field == "value":
        body["inputs"][0]["value"] = body["state"][0]["value"] = value
    else:
        body[field] = value
    answer = api.send("POST", CALLBACKS, content=json.dumps(body).encode(), headers=JSON_TYPE)
    assert answer.status_code < 500


def test_every_callback_takes_any_value(api: Api) -> None:
    """Whoever sends a number where a page sends a text gets an answer, and no traceback."""
    app = api.app
    app.index  # noqa: B018  the callbacks are set up with the first page
    for output, known in app.callback_map.items():
        named = [name.rpartition(".") for name in output.strip(".").split("...")]
        outputs = [{"id": name, "property": place} for name, _, place in named]
        for value in (None, 1, "", "x\u0000", [], {}, [1], {"a": 1}):
            body = {
                "output": output,
                "outputs": outputs if output.startswith("..") else outputs[0],
                "inputs": [one | {"value": value} for one in known["inputs"]],
                "state": [one | {"value": value} for one in known["state"]],
                "changedPropIds": [f"{one['id']}.{one['property']}" for one in known["inputs"]][:1],
            }
            answer = api.send("POST", CALLBACKS, json=body)
            expected = (200, 204) if "callback" in known else (400,)
            assert answer.status_code in expected, (output, value, answer.text)

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.alerts.imported import OPENSLO, PROMETHEUS, PYRRA, SLOTH
from tests.support.alerts.scene import HURT, write_seconds
from tests.support.alerts.spans import write_parts, write_spans
from tests.support.alerts.state_api import StateApi

PATH = "/api/v1/rules/import"


def body(*texts: str, **changes: object) -> dict[str, Any]:
    """Return a request to import files."""
    files = [{"name": f"{at}.yaml", "text": text} for at, text in enumerate(texts)]
    return {"files": files, **changes}


def test_rules_are_mapped_and_scored(state_api: StateApi) -> None:
    """One request answers what a rule would be here, and what it would have been worth."""
    client, begin_ns = state_api.store.client(), NOW_NS - 3_000 * NS_PER_S
    write_seconds(client, begin_ns, 900, HURT)
    write_seconds(client, begin_ns + 900 * NS_PER_S, 600, HURT, slow_ms=120)
    write_seconds(client, begin_ns + 1_500 * NS_PER_S, 1_200, HURT)
    write_spans(client, begin_ns, [*[(5, 0)] * 900, *[(3, 2)] * 1_000, *[(5, 0)] * 800])
    write_parts(client, HURT, "api")
    broken = "      - {alert: Up, expr: up == 0}\n"

    answer = state_api.send("POST", PATH, body(PROMETHEUS + broken, last="1h", budget_usd=5_000))

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [(each["name"], each["rules"]) for each in found["found"]] == [
        ("HighErrorRate", ["high-error-rate"]),
        ("SlowRequests", ["slow-requests"]),
        ("Up", []),
    ]
    assert "without a rate" in found["found"][2]["reason"]
    assert tomllib.loads(found["found"][0]["toml"])["alerts"]["rules"][0]["service"] == "api"
    errors, slow = found["scores"]
    assert (errors["rule"], errors["severity"]) == ("high-error-rate", "ticket")
    assert errors["imported"]["alerts"] == 1
    assert errors["imported"]["caught_usd"] == errors["proposal"]["caught_usd"] == "3000"
    assert errors["imported"]["earlier_p50_s"] < 0 < errors["proposal"]["earlier_p50_s"]
    assert (slow["imported"]["alerts"], slow["imported"]["missed_usd"]) == (0, "3000")
    assert found["not_scored"] == []


def test_files_of_four_tools_are_mapped_together(state_api: StateApi) -> None:
    """With names of their own; without scores where nobody asks for them."""
    request = body(PROMETHEUS, SLOTH, PYRRA, OPENSLO, scored=False)
    found = state_api.send("POST", PATH, request).json()
    names = [name for each in found["found"] for name in each["rules"]]
    assert len(names) == len(set(names)) == 9
    assert found["scores"] == []


@pytest.mark.parametrize(
    ("request_body", "status", "message"),
    [
        pytest.param(body("a: 1"), 400, "0.yaml: is not a rule file of Prometheus", id="other"),
        pytest.param(body("a: [1"), 400, "correct the YAML", id="not YAML"),
        pytest.param(body("a" * 1_100_000), 400, "split it into files of", id="large file"),
        pytest.param(
            body(*[SLOTH + "#" * 1_000_000] * 9),
            413,
            "import at most 8,388,608 at a time",
            id="all",
        ),
        pytest.param(body(SLOTH, last="1"), 400, "last '1' is not a length of time", id="last"),
        pytest.param(body(), 400, "files", id="no file"),
        pytest.param(body(*["a"] * 201), 400, "files", id="many files"),
        pytest.param(body(SLOTH, budget_usd=-1), 400, "budget_usd", id="budget"),
        pytest.param({"files": [{"name": "x", "text": 5}]}, 400, "text", id="type"),
    ],
)
def test_mistake_says_what_to_do(
    refusing_api: StateApi, request_body: dict[str, Any], status: int, message: str
) -> None:
    """Nothing is scored of half a request."""
    answer = refusing_api.send("POST", PATH, request_body)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text[:500]


def test_progress_of_what_is_not_under_way_is_nothing(state_api: StateApi) -> None:
    """A ticket of nobody's, and one whose answer is there."""
    state_api.send("POST", PATH, body(SLOTH, ticket="t1"))
    for ticket in ("t1", "other"):
        answer = state_api.send("GET", f"/api/v1/rules/progress/{ticket}")
        assert answer.json() == {"done": 0, "of": 0}
    assert state_api.send("GET", f"/api/v1/rules/progress/{'t' * 65}").status_code == 400

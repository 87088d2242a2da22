"""`/api/v1/waterfall`: one decision over time, as the page and any other client reads it."""

from __future__ import annotations

from tests.support.dashboard.app import Api
from tests.support.dashboard.seed import ACTIONS, REGIONS


def test_columns_are_equally_long_and_add_up(api: Api) -> None:
    """One place of each list is one span; the sections of all are the latency."""
    answer = api.send("GET", "/api/v1/waterfall?decision_id=d-12")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    spans, sections = found["spans"], found["sections"]
    assert {len(column) for column in spans.values()} == {5}
    assert sum(spans["sections"]) == len(sections["from_ns"]) == len(sections["to_ns"])
    took = sum(sections["to_ns"]) - sum(sections["from_ns"])
    assert took == found["total_ns"] == 111_000_000
    assert found["names"][spans["name"][0]] == "POST /decide"
    assert [(mark["name"], mark["at_ns"]) for mark in found["stage_marks"]] == [
        ("ingress", 0), ("transform", 2_000_000), ("decision", 14_000_000),
        ("egress", 96_000_000),
    ]  # fmt: skip
    assert len(found["packets"]["at_ns"]) == sum(found["exchanges"]["packets"]) == 12


def test_normal_is_of_those_on_target_and_says_of_how_many(api: Api) -> None:
    """In the region of the late ones none met its target, so it is of any region."""
    found = api.send("GET", "/api/v1/waterfall/normal?decision_id=d-12").json()
    assert (found["decisions"], found["action"], found["region"]) == (10, ACTIONS[0], "")
    assert found["stages_ns"]["decision"] == 30_000_000
    assert found["target_ns"] == 80_000_000
    own = api.send("GET", "/api/v1/waterfall/normal?decision_id=d-3").json()
    assert own["region"] == REGIONS[1]


def test_span_is_answered_with_all_that_is_known_of_it(api: Api) -> None:
    """Attributes and events as sent, its rank among its kind, the dollars of its decision."""
    asked = f"/api/v1/waterfall/span?decision_id=d-10&span_id={f'{10:015x}3'}"
    answer = api.send("GET", asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["sent"]["attributes"]["network.local.port"] == "41000"
    assert [event["name"] for event in found["sent"]["events"]] == ["cache.miss"]
    assert found["placed"]["span_name"] == "ZRANGE offers"
    kin = found["kin"]
    assert (kin["spans"], kin["at_most"]) == (15, 11), (
        "ten on time, and of five late ones the fastest"
    )
    assert float(found["money"]["value_usd"]) > 0
    assert found["logs"] == found["verdicts"] == []


def test_what_is_not_there_is_404_and_says_what_to_do(api: Api) -> None:
    """A mistyped id is the asker's, and no failure of the service."""
    for query, said in (
        ("waterfall?decision_id=no/such", "no decision has the id"),
        ("waterfall/normal?decision_id=nope", "no decision has the id"),
        ("waterfall/span?decision_id=d-12&span_id=ff", "GET /api/v1/waterfall"),
    ):
        answer = api.send("GET", f"/api/v1/{query}")
        assert answer.status_code == 404
        assert said in answer.json()["detail"]
    assert api.send("GET", "/api/v1/waterfall").status_code == 400

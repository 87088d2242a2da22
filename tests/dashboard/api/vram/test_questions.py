"""`/api/v1/what-if` and `/api/v1/compare` as an automation meets them."""

from __future__ import annotations

from typing import Any

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.audit.log import read_audit
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_spans
from tests.support.dashboard.app import Api

ROWS = "SELECT * EXCEPT (revision, computed_ns) FROM attributions FINAL ORDER BY ingress_ns"
UNTIL = "2033-05-18T04:00:00Z"


@pytest.fixture
def api(store: Connections) -> Api:
    """Return the application over the forty decisions, for a test that changes them."""
    return over_forty(store)


@pytest.fixture(scope="module")
def asked(shared_store: Connections) -> Api:
    """Return the application over the forty decisions, for tests that only ask."""
    return over_forty(shared_store)


def over_forty(store: Connections) -> Api:
    """Return the application over forty decisions, the later twenty of them slower."""
    jitter = [7 * at % 13 for at in range(40)]
    spans = [
        each
        for at in range(40)
        for each in decision(f"d{at}", 1_000 * at, 100 + 20 * (at >= 20) + jitter[at])
    ]
    put_spans(store, spans)
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    job.drain(BASE_NS + 60 * NS_PER_S)
    return Api(store, attribution_job=job)


def test_what_if_answers_before_and_after_and_shares(asked: Api) -> None:
    """The shares of network and store sum to what both save together, to the nanosecond."""
    answer = asked.send(
        "POST",
        "/api/v1/what-if",
        json={
            "window": "1h",
            "until": UNTIL,
            "changes": [
                {"segment": "store", "scale": 0.5},
                {"segment": "decision/network", "cut_ms_per_call": 5},
            ],
        },
    )
    assert answer.status_code == 200
    got = answer.json()
    assert (got["decisions"], got["money"]) == (40, None)
    assert got["changes"] == [
        "store: the own time of each span times 0.5",
        "decision/network: 5 ms off each call",
    ]
    assert got["saved_ns"] == 40 * 15_000_000
    assert {each["part"]: each["saved_ns"] for each in got["shares"]} == {
        "network": 40 * 5_000_000,
        "store": 40 * 10_000_000,
    }
    assert got["before"]["mean_ms"] - got["after"]["mean_ms"] == pytest.approx(15)


def test_compare_of_few_decisions_says_that_they_are_few(asked: Api) -> None:
    """Twenty against twenty: the difference is plain to see, and still not claimed."""
    answer = asked.send(
        "POST",
        "/api/v1/compare",
        json={
            "before": {"window": "1h", "until": UNTIL, "high_ms": 114},
            "after": {"window": "1h", "until": UNTIL, "low_ms": 114},
        },
    )
    got = answer.json()
    assert answer.status_code == 200
    assert got["verdict"] == "n too small"
    assert (got["decisions_before"] + got["decisions_after"], len(got["segments"])) == (40, 16)
    assert got["values"] == []


def test_compare_takes_a_box_and_the_rest_of_its_scope(asked: Api) -> None:
    """A box that is brushed on the heatmap, and what is outside of it, by the filters of a list."""
    scope = {"window": "1h", "until": UNTIL, "service": "shop", "segment": "compute"}
    body = {"before": scope, "after": {**scope, "low_ms": 120}, "rest": True}
    got = asked.send("POST", "/api/v1/compare", json=body).json()
    assert got["decisions_before"] + got["decisions_after"] == 40
    assert got["before"]["mean_ms"] < 120 < got["after"]["mean_ms"]


def test_recompute_rewrites_what_was_lost_and_is_audited(store: Connections, api: Api) -> None:
    """A lost hour comes back from its trees; a second time nothing changes."""
    before = store.client().query(ROWS).result_rows
    store.client().command("TRUNCATE TABLE attributions")
    body = {"begin": "2033-05-18T03:00Z", "end": "2033-05-18T04:00Z"}
    first = api.send("POST", "/api/v1/recompute", json=body).json()
    again = api.send("POST", "/api/v1/recompute", json=body).json()
    assert (first["attributed"] + first["revised"], first["unchanged"]) == (40, 0)
    assert (again["attributed"] + again["revised"], again["unchanged"]) == (0, 40)
    assert store.client().query(ROWS).result_rows == before
    (last,) = read_audit(store.client())[-1:]
    assert last.action == "attribution_recomputed"
    assert last.detail.endswith("0 written, 40 unchanged")


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("what-if", {"changes": [{"segment": "database", "scale": 0.5}]}, "names no segment"),
        ("what-if", {"changes": []}, "changes"),
        ("what-if", {"changes": [{"segment": "store", "scale": -1}]}, "changes.0.scale"),
        (
            "what-if",
            {"changes": [{"segment": "store"}], "window": "soon"},
            "window 'soon' is not a length of time",
        ),
        (
            "what-if",
            {"changes": [{"segment": "store"}], "until": "tomorrow"},
            "until 'tomorrow' is not an instant",
        ),
        (
            "recompute",
            {"begin": "2033-05-18T03:00Z", "end": "soon"},
            "'soon' is not an instant",
        ),
        ("recompute", {"begin": "2033-05-18", "end": "2033-05-20"}, "at most a day"),
        ("compare", {"before": {}, "after": {}}, "the same decisions"),
        ("compare", {"before": {"segment": "disk"}, "after": {}}, "'disk' names no segment"),
        ("compare", {"before": {"regoin": "eu"}, "after": {}}, "before.regoin"),
    ],
)
def test_bad_questions_are_refused_with_the_remedy(
    asked: Api, path: str, body: dict[str, Any], error: str
) -> None:
    """One line that names the field."""
    answer = asked.send("POST", f"/api/v1/{path}", json=body)
    assert answer.status_code == 400
    assert error in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]

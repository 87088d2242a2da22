"""`/api/v1/decisions` and its file."""

from __future__ import annotations

import csv
import io
import random
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.api.context import AppContext, Services
from dashboard.api.evidence.decisions import TRUNCATED, _cell, decisions_router
from dashboard.health.items import NoHealth
from dashboard.read.workers import Workers
from tests.conftest import ManualClock
from tests.support.dashboard.app import Api
from tests.support.dashboard.seed import TODAY_NS, Seed


def test_decisions_are_paged_with_their_sum(api: Api) -> None:
    """The sum is of all that the filter holds, and not of the page."""
    first = api.send("GET", "/api/v1/decisions?sort=latency&limit=2&late=true").json()
    assert [each["decision_id"] for each in first["decisions"]] == ["d-14", "d-13"]
    assert first["totals"]["decisions"] == 5
    asked = f"?sort=latency&limit=9&late=true&totals=false&after={quote(first['next'])}"
    second = api.send("GET", f"/api/v1/decisions{asked}").json()
    assert [each["decision_id"] for each in second["decisions"]] == ["d-12", "d-11", "d-10"]
    assert (second["next"], second["totals"]) == ("", None)
    # Where the id of a decision is long, so is what it ends with.
    asked = f"?sort=latency&after={quote(first['next'] + 'x' * 9_000)}"
    assert api.send("GET", f"/api/v1/decisions{asked}").status_code == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("window=banana", "window"),
        ("until=yesterday", "until"),
        ("segment=stores", "names no segment"),
        ("sort=price", "sort"),
        ("after=x", "is not where a page ended"),
        ("limit=0", "limit"),
        ("limit=5000", "limit"),
        ("low_ms=-1", "low_ms"),
        ("late=perhaps", "late"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(api: Api, query: str, said: str) -> None:
    """A default in its place would answer another question."""
    for path in ("decisions", "decisions.csv"):
        if path == "decisions.csv" and query.startswith("limit"):
            continue
        answer = api.send("GET", f"/api/v1/{path}?{query}")
        assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text


def test_file_holds_all_rows_and_no_formula(own_world: Connections) -> None:
    """A spreadsheet runs what begins with an equals sign, and anybody may name an action."""
    seed = Seed(random.Random(0))
    seed.decision(TODAY_NS - 5 * NS_PER_S, 900, action="=HYPERLINK(1)", region='a,"b\n')
    seed.insert(own_world.client())
    answer = Api(own_world).send("GET", "/api/v1/decisions.csv?order=asc")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 16
    assert (rows[-1]["action"], rows[-1]["region"]) == ("'=HYPERLINK(1)", 'a,"b\n')
    assert rows[-1]["loss_usd"] == "", "unknown is empty, and not zero"
    assert rows[0]["is_error"] == "false"
    marks = {"@a": "'@a", "-1": "'-1", "\tx": "'\tx", "\n=x": "'\n=x", "a=b": "a=b"}
    # A spreadsheet of East Asia reads the wide forms as these.
    marks |= {f"{wide}1": f"'{wide}1" for wide in "\uff1d\uff0b\uff0d\uff20"}
    assert {text: _cell(text) for text in marks} == marks
    assert _cell(-1) == "-1"


def test_file_of_nothing_has_its_head(api: Api) -> None:
    """A program reads it as one of no rows."""
    answer = api.send("GET", "/api/v1/decisions.csv?region=nowhere")
    assert answer.text.splitlines()[1:] == []
    assert answer.text.startswith("decision_id,ingress_ns,")


@pytest.mark.parametrize(
    ("rows_max", "query", "said", "rows"),
    [
        (4, "", "4 of 15", 4),
        (4, "?late=true", "4 of 5", 4),
        (5, "?late=true", None, 5),
        (15, "", None, 15),
    ],
)
def test_a_file_that_is_cut_says_so_in_a_header(
    world: Connections, rows_max: int, query: str, said: str | None, rows: int
) -> None:
    """100,000 rows looked like all of them; a comment in the file would be a row to a program."""
    app = FastAPI()
    workers = Workers(1, "test")
    context = AppContext(world, NoHealth(), Counters(), ManualClock(TODAY_NS))
    app.include_router(decisions_router(Services(context, workers, workers), rows_max))
    with TestClient(app) as client:
        answer = client.get(f"/api/v1/decisions.csv{query}")
    workers.close()
    assert answer.headers.get(TRUNCATED) == said
    assert len(answer.text.splitlines()) == rows + 1


@pytest.mark.parametrize("query", ["", "?region=eu-west&late=1&window=1h", "?id=&late=1"])
def test_the_address_of_no_decision_leads_to_the_list(api: Api, query: str) -> None:
    """The list was there, and links to it were kept; the question goes with it."""
    answer = api.send("GET", f"/decision{query}")
    assert (answer.status_code, answer.headers["location"]) == (307, f"/decisions{query}")
    assert api.send("GET", f"/decisions{query}").status_code == 200
    assert api.send("GET", "/decision?id=d-1").status_code == 200

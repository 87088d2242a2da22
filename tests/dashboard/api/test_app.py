"""`/api/v1` as a command or an automation meets it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from urllib.parse import quote, urlencode

import pytest

from collector.core.http.path import path_part
from collector.store.connect import Connections
from dashboard.pages.decisions.lines import decision_href
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.settings.config import DashboardConfig
from tests.support.dashboard.app import Api
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.seed import TODAY_NS


def test_query_answers_rows_with_names_and_types(api: Api) -> None:
    """Bound parameters keep text of the caller out of the statement."""
    answer = api.query(
        "SELECT decision_id, total_ns FROM attributions FINAL WHERE region = {region:String}"
        " ORDER BY total_ns DESC LIMIT 1",
        region="eu-west",
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "columns": ["decision_id", "total_ns"],
        "types": ["String", "UInt64"],
        "rows": [["d-14", 113_000_000]],
        "row_count": 1,
    }


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO decisions (decision_id) VALUES ('x')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'RawBLOB')",
        "SELECT number FROM numbers(10001)",
        "SELEC 1",
        "",
    ],
)
def test_what_query_refuses_is_400_with_one_line(api: Api, sql: str) -> None:
    """A caller learns what to correct, and gets no traceback and no half answer."""
    answer = api.query(sql)
    assert answer.status_code == 400
    assert list(answer.json()) == ["type", "title", "status", "detail", "instance"]
    assert answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_query_says_which_field_of_the_request_is_wrong(api: Api) -> None:
    """A misspelt key must not be taken for an empty statement."""
    answer = api.send("POST", "/api/v1/query", json={"sq": "SELECT 1"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "sql: is missing")


def test_trace_has_spans_with_attributes_events_and_decisions(api: Api) -> None:
    """`millworth trace` shows what the sender sent."""
    answer = api.send("GET", f"/api/v1/traces/{12:032X}")
    trace = answer.json()
    assert trace["decisions"] == ["d-12"]
    assert [span["name"] for span in trace["spans"]][:2] == ["POST /decide", "GET identity"]
    root = trace["spans"][0]
    assert root["start_ns"] == TODAY_NS - 48_000_000_000
    assert root["duration_ns"] == 111_000_000
    assert root["attributes"]["decision.id"] == "d-12"
    assert root["events"][0]["name"] == "cache.miss"


def test_trace_is_found_by_its_decision_too(api: Api) -> None:
    """What an alert names is a decision."""
    assert api.send("GET", "/api/v1/traces/d-12").json()["trace_id"] == f"{12:032x}"


@pytest.mark.parametrize("path", ["/api/v1/traces/nope", "/api/v1/decisions/nope", "/api/v1/nope"])
def test_what_does_not_exist_is_404_with_a_reason(api: Api, path: str) -> None:
    """JSON, whatever the browser accepts: an API must not answer with a page."""
    answer = api.send("GET", path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.json()["detail"]


def test_decision_has_its_split_and_its_evidence(api: Api) -> None:
    """Sixteen parts, exact to the nanosecond; money as a string."""
    decision = api.send("GET", "/api/v1/decisions/d-12").json()
    split = decision["attribution"]
    assert sum(split["segments_ns"]) == split["total_ns"] == 111_000_000
    assert sum(decision["classes"].values()) == sum(decision["stages"].values()) == 111_000_000
    assert decision["classes"]["store"] == sum(split["segments_ns"][2::4])
    assert decision["stages"]["ingress"] == sum(split["segments_ns"][:4])
    assert decision["trace_ids"][0] == decision["facts"]["trace_id"]
    assert Decimal(decision["facts"]["value_usd"]) == Decimal("0.42")
    assert len(decision["flows"]) == 3
    assert decision["spans"][0]["sections"][0][0] == TODAY_NS - 48_000_000_000


@pytest.mark.parametrize("odd", [" =1#6", "\t=1#7", "\r=1#8 "])
def test_id_that_begins_with_a_blank_is_found_where_its_link_leads(
    own_world: Connections, odd: str
) -> None:
    """What the list shows has a page; and a copied id may have blanks about it."""
    put_odd(own_world, odd)
    reader, api = Reader(own_world), Api(own_world)
    href = decision_href(odd, TODAY_NS - 48_000_000_000)
    wanted = parse_scope(href.partition("?")[2]).decision_id
    query = urlencode({"decision_id": wanted})
    for way in (f"decisions/{quote(wanted, safe='')}", f"waterfall?{query}"):
        assert api.send("GET", f"/api/v1/{way}").status_code == 200, way
    found = reader.decision(wanted)
    assert found is not None
    assert found.decision_id == odd
    copied = reader.decision("  d-12\n")
    assert copied is not None
    assert copied.decision_id == "d-12"


def put_odd(store: Connections, odd: str) -> None:
    """Store decision d-12 once more under another id."""
    store.client().command(
        "INSERT INTO decisions SELECT * REPLACE({odd:String} AS decision_id)"
        " FROM (SELECT * FROM decisions FINAL WHERE decision_id = 'd-12')",
        parameters={"odd": odd},
    )


@pytest.mark.parametrize("odd", ["nl\nx", "nl\n", "\n", ".", "..", "a/../b", "\x1f", "\u2028"])
def test_any_id_is_a_part_of_a_path(run: Run, own_world: Connections, odd: str) -> None:
    """Who wrote it had other rules; the API finds it, and `millworth trace` asks for it."""
    put_odd(own_world, odd)
    api = Api(own_world)
    decision = api.send("GET", f"/api/v1/decisions/{path_part(odd)}")
    assert decision.status_code == 200, decision.text
    assert decision.json()["facts"]["decision_id"] == odd
    assert odd in api.send("GET", f"/api/v1/traces/{path_part(odd)}").json()["decisions"]

    result = run("trace", odd, "--json")
    assert result.exit_code == 0, result.output
    details = json.loads(result.stdout)["decision_details"]
    assert odd in [one["facts"]["decision_id"] for one in details]


def test_alerts_name_a_decision_to_look_at(api: Api) -> None:
    """Automation follows the same link as a person."""
    (alert,) = api.send("GET", "/api/v1/alerts").json()["alerts"]
    assert (alert["state"], alert["exemplar"]) == ("firing", "d-12")
    assert Decimal(alert["revenue_at_risk_usd_per_h"]) == Decimal("1840.5")


def test_health_is_as_bad_as_its_worst_item(api: Api) -> None:
    """One bad figure is what someone has to look at."""
    health = api.send("GET", "/api/v1/health").json()
    assert health["status"] == "bad"
    assert health["items"][1]["detail"] == "run as root"


def test_outcomes_are_imported_and_bad_lines_named(own_world: Connections) -> None:
    """What a decision earned comes from a file as well; the good lines of it count."""
    rows = (
        "outcome_id,decision_id,kind,converted,margin,occurred_at\n"
        f"o-1,d-12,sale,true,1.25,{TODAY_NS}\n"
        f"o-2,d-12,sale,true,1.2.5,{TODAY_NS}\n"
        f"o-3,d-12,sale,,0.75,{TODAY_NS + 1}\n"
        f"o-4,d-12,sale,false,0,{TODAY_NS + 2}\n"
    )
    api = Api(own_world)
    answer = api.send("POST", "/api/v1/import/outcomes?name=may.csv", content=rows)
    assert answer.json()["imported"] == 3
    assert answer.json()["refused"][0].startswith("may.csv:3")
    outcomes = api.send("GET", "/api/v1/decisions/d-12").json()["outcomes"]
    assert [(o["outcome_id"], Decimal(o["margin"]), o["is_sale"]) for o in outcomes] == [
        ("o-1", Decimal("1.25"), True),
        ("o-3", Decimal("0.75"), True),
        ("o-4", Decimal(0), False),
    ]


def test_probes_and_metrics(api: Api) -> None:
    """What a supervisor and a scraper ask for."""
    api.counters.received.labels("traces", "grpc").inc(3)
    assert api.send("GET", "/healthz").text == "ok\n"
    assert api.send("GET", "/readyz").text == "ready\n"
    metrics = api.send("GET", "/metrics").text
    assert 'millworth_received_total{signal="traces",transport="grpc"} 3.0' in metrics


RESOURCES = [
    "/api/v1/alerts",
    "/api/v1/alerts/dead",
    "/api/v1/alerts/dead/replay",
    "/api/v1/alerts/open",
    "/api/v1/alerts/receivers/try",
    "/api/v1/alerts/{episode_id}",
    "/api/v1/alerts/{episode_id}/ack",
    "/api/v1/alerts/{episode_id}/comment",
    "/api/v1/alerts/{episode_id}/report",
    "/api/v1/audit",
    "/api/v1/audit/check",
    "/api/v1/budgets",
    "/api/v1/clocks",
    "/api/v1/compare",
    "/api/v1/cost",
    "/api/v1/decisions",
    "/api/v1/decisions.csv",
    "/api/v1/decisions/{decision_id}",
    "/api/v1/experiments",
    "/api/v1/experiments/active",
    "/api/v1/experiments/{name}",
    "/api/v1/experiments/{name}/stop",
    "/api/v1/health",
    "/api/v1/heatmap",
    "/api/v1/holds",
    "/api/v1/holds/{name}/release",
    "/api/v1/import/channels",
    "/api/v1/import/costs",
    "/api/v1/import/costs/replace",
    "/api/v1/import/ledger",
    "/api/v1/import/outcomes",
    "/api/v1/import/rates",
    "/api/v1/network",
    "/api/v1/packets/{name}",
    "/api/v1/provenance",
    "/api/v1/provenance/checkpoints",
    "/api/v1/provenance/copies",
    "/api/v1/provenance/events",
    "/api/v1/provenance/outcomes",
    "/api/v1/provenance/rows",
    "/api/v1/query",
    "/api/v1/reconcile",
    "/api/v1/reconstructions/{name}",
    "/api/v1/rejected",
    "/api/v1/rejected/replay",
    "/api/v1/retention",
    "/api/v1/review",
    "/api/v1/rules",
    "/api/v1/rules/import",
    "/api/v1/rules/progress/{ticket}",
    "/api/v1/rules/replay",
    "/api/v1/rules/{name}/demote",
    "/api/v1/rules/{name}/promote",
    "/api/v1/search",
    "/api/v1/silences",
    "/api/v1/silences/preview",
    "/api/v1/silences/{number}/end",
    "/api/v1/slope",
    "/api/v1/store/parts",
    "/api/v1/store/parts/{table}/{part}",
    "/api/v1/traces/{trace_id}",
    "/api/v1/vram/caches",
    "/api/v1/vram/channels",
    "/api/v1/vram/debt",
    "/api/v1/vram/diff",
    "/api/v1/vram/gate",
    "/api/v1/vram/model",
    "/api/v1/vram/models",
    "/api/v1/vram/models/{version}",
    "/api/v1/vram/modes",
    "/api/v1/vram/nodes",
    "/api/v1/vram/npv",
    "/api/v1/vram/tail",
    "/api/v1/vram/tiers",
    "/api/v1/vram/verdicts",
    "/api/v1/vram/verdicts/{sha256}",
    "/api/v1/vram/verdicts/{sha256}/signature",
    "/api/v1/vram/worth",
    "/api/v1/waterfall",
    "/api/v1/waterfall/normal",
    "/api/v1/waterfall/span",
    "/api/v1/what-if",
    "/api/v2/alerts",
]


def test_openapi_lists_the_resources_and_no_page(api: Api) -> None:
    """The contract of automation is complete, and free of Dash's own paths."""
    paths = api.send("GET", "/api/v1/openapi.json").json()["paths"]
    assert sorted(paths) == RESOURCES
    assert api.send("GET", "/docs").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
    ],
)
def test_a_foreign_page_cannot_query(api: Api, headers: dict[str, str]) -> None:
    """An operator's browser reaches loopback on behalf of any page that it has open."""
    answer = api.send("POST", "/api/v1/query", json={"sql": "SELECT 1"}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["detail"]


def test_a_name_that_resolves_to_loopback_reads_nothing(api: Api) -> None:
    """DNS rebinding makes a foreign page same-origin; the Host header gives it away."""
    assert api.send("GET", "/api/v1/health", headers={"host": "evil.example"}).status_code == 403


def test_the_named_proxy_is_served(world: Connections) -> None:
    """With public_url set, its host and origin are ours as well."""
    api = Api(world, DashboardConfig(public_url="https://millworth.example"))
    headers = {"host": "millworth.example", "origin": "https://millworth.example"}
    answer = api.send("POST", "/api/v1/query", json={"sql": "SELECT 1"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/decision?id=d-12", "/health"])
def test_each_page_is_served_whole_at_its_own_address(api: Api, path: str) -> None:
    """A permalink may be the first request of all; the browser may load from here alone."""
    answer = api.send("GET", path)
    assert answer.status_code == 200
    assert '<html lang="en">' in answer.text
    for kind in ("js", "css"):
        (address,) = re.findall(rf'"(/bundle/millworth.{kind}\?m=\w+)"', answer.text)
        file = api.send("GET", address)
        assert (file.status_code, file.text != "") == (200, True)
        assert "immutable" in file.headers["cache-control"]
    # Nothing is left for whoever sits down after somebody has signed out.
    for kept in (answer, api.send("GET", "/api/v1/health"), api.send("GET", "/_dash-layout")):
        assert kept.headers["cache-control"] == "no-store"
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe-eval" not in policy


def test_an_unknown_page_is_404_and_still_a_page(api: Api) -> None:
    """A wrong link leads somewhere, and a checker sees that it is wrong."""
    answer = api.send("GET", "/nope", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "<html" in answer.text


def test_every_operation_has_one_topic_and_a_name_of_its_own(api: Api) -> None:
    """Generated clients are made of both: a name that changes breaks the programs of others."""
    document = api.send("GET", "/api/v1/openapi.json").json()
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    operations = [each for verbs in document["paths"].values() for each in verbs.values()]
    assert all(len(each["tags"]) == 1 for each in operations)
    assert {each["tags"][0] for each in operations} == set(described)
    assert all(described.values())
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    # A verb, and what it is about.
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []


def test_every_list_that_comes_in_pages_goes_on_in_one_way(api: Api) -> None:
    """`after` is `next` of the page before, a text, and empty on the last."""
    document = api.send("GET", "/api/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    paged = set()
    for path, verbs in document["paths"].items():
        for operation in verbs.values():
            names = {each["name"] for each in operation.get("parameters", [])}
            content = operation["responses"]["200"].get("content", {}).get("application/json", {})
            schema = schemas.get(content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1], {})
            if "after" in names and schema:
                paged.add(path)
                assert schema["properties"]["next"]["type"] == "string", path
            else:
                assert "next" not in schema.get("properties", {}) or path.endswith("/replay"), path
            assert not names & {"after_ns", "after_seq", "offset", "page", "cursor"}
    assert len(paged) == 7


def test_audit_is_read_page_by_page(own_world: Connections) -> None:
    """What one page leaves out is on the next, and the last says so."""
    api = Api(own_world)
    for number in range(3):
        api.query(f"SELECT {number}")
    found, after = [], ""
    while True:
        page = api.send("GET", f"/api/v1/audit?limit=2&after={after}").json()
        found += [row["detail"] for row in page["rows"]]
        after = page["next"]
        if not after:
            break
    assert found == ["SELECT 0", "SELECT 1", "SELECT 2"]
    wrong = api.send("GET", "/api/v1/audit?after=abc")
    assert (wrong.status_code, "`next`" in wrong.json()["detail"]) == (400, True)

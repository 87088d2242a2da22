"""A late span, from its arrival to what a person and a program are told of it."""

from __future__ import annotations

import json

from collector.store.connect import Connections
from tests.attribution.stored import MS, Stored, decision, put_spans, span_id, trace_id
from tests.attribution.test_job import at, job
from tests.dashboard.conftest import Run
from tests.dashboard.test_api import Api

LINE = (
    "2: 1 span came (GET offers), decision/compute 50.000 ms → 30.000 ms, "
    "decision/store 20.000 ms → 40.000 ms"
)


def put_late_span(store: Connections) -> None:
    """Attribute decision a before and after a call to a store came in, and b once."""
    put_spans(store, decision())
    running = job(store)
    running.run_once(at(10))
    late = Stored("late", "root", 75, 20, "Client", name="GET offers", received_s=20,
                  attributes={"db.system": "mysql"})  # fmt: skip
    put_spans(store, [late, *decision("b", 200, received_s=20)])
    running.run_once(at(30))


def test_api_tells_what_a_late_span_changed(store: Connections) -> None:
    """From revision 1 to 2; a decision without a late span has nothing to tell."""
    put_late_span(store)
    api = Api(store, now_ns=at(60))
    (revision,) = api.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()["revisions"]
    assert (revision["revision"], revision["computed_ns"]) == (2, at(30))
    assert revision["spans_added"] == [span_id("late")]
    assert {each["name"]: each["after"] for each in revision["changes"]} == {
        "decision_compute_ns": str(30 * MS),
        "decision_store_ns": str(40 * MS),
        "span_count": "4",
    }
    assert api.send("GET", f"/api/v1/decisions/{trace_id('b')}").json()["revisions"] == []


def test_trace_tells_what_a_late_span_changed(run: Run, store: Connections) -> None:
    """As a line on the terminal, and with all that is known of the decision as JSON."""
    put_late_span(store)
    told = run("trace", trace_id("a"))
    assert told.exit_code == 0, told.output
    assert f"revision {LINE}" in told.stdout
    (details,) = json.loads(run("trace", trace_id("a"), "--json").stdout)["decision_details"]
    assert details["facts"]["decision_id"] == trace_id("a")
    assert [each["revision"] for each in details["revisions"]] == [2]
    assert [each["reason"] for each in details["missing"]] == ["never sent"]  # the call's answer

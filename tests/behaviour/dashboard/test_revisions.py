"""A late span, from its arrival to what a person and a program are told of it."""

from __future__ import annotations

import json

from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at
from tests.support.attribution.stored import MS, span_id, trace_id
from tests.support.dashboard.app import Api
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.revisions import LINE, put_late_span


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

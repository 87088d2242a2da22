"""Decisions that share an id, as two of one trace may, and each is found."""

from __future__ import annotations

import pytest

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_MS
from collector.store.connect import Connections
from dashboard.pages.decisions.lines import decision_href
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference, exact_id, exact_of
from dashboard.read.scope import parse_scope
from dashboard.read.search.finder import Finder
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import Stored, decision, put_spans, trace_id
from tests.support.dashboard.app import Api


@pytest.fixture
def shared(store: Connections) -> str:
    """Store a decision within another, of one trace and without ids; return the id of both."""
    inner = {"decision.action": "price", "decision.region": "eu"}
    put_spans(store, decision("a", 0, 200))
    put_spans(store, [Stored("in", "root", 100, 50, "Server", attributes=inner)])
    job(store).drain(at(30))
    return trace_id("a")


def test_each_of_two_decisions_of_a_trace_is_found(store: Connections, shared: str) -> None:
    """The address of the first led to the second, on every page and by every command."""
    reader, api = Reader(store), Api(store)
    newest = reader.decision(shared)
    assert newest is not None
    assert newest.action == "price"
    for action, began_ns in (("offer", at(0)), ("price", at(0.1))):
        wanted = parse_scope(decision_href(shared, began_ns).partition("?")[2]).decision_id
        assert wanted == exact_id(shared, began_ns)
        answer = api.send("GET", f"/api/v1/decisions/{wanted}").json()
        assert (answer["facts"]["action"], answer["facts"]["ingress_ns"]) == (action, began_ns)
        drawn = api.send("GET", "/api/v1/waterfall", params={"decision_id": wanted}).json()
        assert drawn["ingress_ns"] == began_ns
    both = [exact_id(shared, began_ns) for began_ns in (at(0), at(0.1))]
    assert reader.trace_decisions(shared) == both
    assert sorted(reader.decision_ids(shared)) == both
    assert reader.decision(exact_id(shared, at(0) + NS_PER_MS)) is None


def test_search_finds_both(store: Connections, shared: str) -> None:
    """It had two hits that were alike, and led to one."""
    reader = Reader(store)
    listing = DecisionList(reader, AttributionConfig(), Reference(80_000_000, {}))
    found = Finder(reader, listing, None, []).find(shared, at(30))
    hits = [each for each in found.hits if each.kind == "decision"]
    assert [each.note for each in hits] == ["this decision"] * 2
    assert len({each.href for each in hits}) == 2


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("a@17", ("a", 17)), ("a@b@17", ("a@b", 17)), (" a@17", (" a", 17)), ("a", None),
        ("@17", None), ("a@", None), ("a@-1", None), ("a@\u0661", None), ("a@" + "9" * 20, None),
    ],
)  # fmt: skip
def test_exact_name_is_read_back(name: str, exact: tuple[str, int] | None) -> None:
    """What is no time is a part of the id."""
    assert exact_of(name) == exact
    if exact is not None:
        assert exact_id(*exact) == name

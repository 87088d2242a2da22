from __future__ import annotations

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.retention_policy import RetentionConfig
from tests.conftest import NOW_NS
from tests.support.attribution.stored import (
    BASE_NS,
    Stored,
    decision,
    put_spans,
    span_id,
    trace_id,
)
from tests.support.dashboard.app import Api


def test_decision_says_what_is_missing_and_why(store: Connections) -> None:
    """Answered calls of the same name tell a lost span from a peer that never sends any."""
    answered = [
        *decision("b", 1_000),
        Stored("served", "post", 1_045, 20, "Server", "b", service="cart"),
    ]
    call = {"network.protocol.name": "http"}
    put_spans(
        store,
        [
            *decision("a"), *answered,
            Stored("ask", "root", 75, 5, "Client", "a", name="GET /tax", attributes=call),
            Stored("lost", "gone", 82, 2, trace="a"), Stored("kept", "bad", 85, 2, trace="a"),
        ],
    )  # fmt: skip
    store.client().insert(
        "rejected",
        [[NOW_NS, "traces", "end_before_start", "", f"{trace_id('a')}:{span_id('bad')}", 1, b""]],
        column_names=[
            "received_ns", "signal", "reason_code", "detail", "item_id", "item_count", "bytes",
        ],
    )  # fmt: skip
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 60 * NS_PER_S)

    api = Api(store, now_ns=BASE_NS + 600 * NS_PER_S)
    got = api.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()["missing"]

    assert {(gap["what"], gap["span_id"]): gap["reason"] for gap in got} == {
        ("answer", span_id("post")): "lost before ingest",
        ("answer", span_id("ask")): "never sent",
        ("parent", span_id("gone")): "lost before ingest",
        ("parent", span_id("bad")): "lost at ingest",
    }
    details = {gap["span_id"]: gap["detail"] for gap in got}
    assert details[span_id("post")].endswith("of 2 such calls 1 were answered by a span")
    assert details[span_id("bad")] == "end_before_start"
    whole = api.send("GET", f"/api/v1/decisions/{trace_id('b')}").json()["missing"]
    assert whole == []
    young = Api(store, now_ns=BASE_NS + 10 * NS_PER_S)
    got = young.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()["missing"]
    assert [gap["reason"] for gap in got if gap["span_id"] == span_id("gone")] == ["late"]


def test_split_outlives_its_spans(store: Connections) -> None:
    """`retention.spans_days`: what lapsed is said, and no run computes the rest from less."""
    put_spans(store, decision("a"))
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    job.drain(BASE_NS + 60 * NS_PER_S)
    api = Api(store, now_ns=BASE_NS + 600 * NS_PER_S)
    before = api.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()
    config = RetentionConfig(spans_days=1)
    lapsing = [
        str(row[0])
        for row in store.client()
        .query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
            " AND engine LIKE '%MergeTree'"
        )
        .result_rows
        if config.days(str(row[0])) == 1
    ]
    assert len(lapsing) == 4
    for table in lapsing:
        store.client().command(f"TRUNCATE TABLE {table}")

    put_spans(store, decision("b", 1_000))
    job.drain(BASE_NS + 120 * NS_PER_S)
    job.recompute(BASE_NS - 60 * NS_PER_S, BASE_NS + 60 * NS_PER_S, BASE_NS + 130 * NS_PER_S)

    after = api.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()
    assert after["attribution"] == before["attribution"]
    assert after["classes"] == before["classes"] != {}
    [gap] = after["missing"]
    assert (gap["what"], gap["reason"]) == ("spans", "lapsed")
    drawn = api.send("GET", f"/api/v1/waterfall?decision_id={trace_id('a')}").json()
    assert (drawn["span_count"], drawn["gaps"]) == (0, [gap])


def test_message_whose_consumer_links_to_it_is_answered(store: Connections) -> None:
    """The consumer was drawn three rows below, and the call said to have no answer."""
    sent = {"messaging.system": "kafka"}
    put_spans(
        store,
        [
            *decision("a"),
            Stored("served", "post", 45, 20, "Server", "a", service="cart"),
            Stored("tell", "root", 75, 5, "Producer", "a", attributes=sent),
            Stored("lone", "root", 82, 5, "Producer", "a", name="other", attributes=sent),
            Stored("told", "", 90, 5, "Consumer", "m", service="mail", links=(("a", "tell"),)),
        ],
    )
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 60 * NS_PER_S)

    api = Api(store, now_ns=BASE_NS + 600 * NS_PER_S)
    got = api.send("GET", f"/api/v1/decisions/{trace_id('a')}").json()

    assert span_id("told") in {each["span_id"] for each in got["spans"]}
    assert [(each["what"], each["span_id"]) for each in got["missing"]] == [
        ("answer", span_id("lone"))
    ]

"""A batch that comes five times is one batch in every figure, down to the dollars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    decision_span,
    logs_request,
    new_trace_id,
    outcome,
    span,
    trace_request,
)
from tests.support.collector.clients import LOGS, TRACES, WAIT_S, post

pytestmark = pytest.mark.integration

TIMES = 5
MS = 1_000_000
STARTED_NS = NOW_NS // NS_PER_S * NS_PER_S - 2 * NS_PER_S

# Everything that a reader makes a figure from, without what says when it was computed.
FIGURES = {
    "decisions": "SELECT * EXCEPT received_ns FROM decisions FINAL ORDER BY decision_id",
    "outcomes": "SELECT * EXCEPT received_ns FROM outcomes FINAL ORDER BY outcome_id",
    "attributions": "SELECT * EXCEPT (revision, computed_ns) FROM attributions FINAL"
    " ORDER BY decision_id",
    "path_spans": "SELECT * EXCEPT revision FROM path_spans ORDER BY decision_id, span_id",
    "minutes": "SELECT * EXCEPT revision FROM attribution_minutes FINAL WHERE (minute_ns, revision)"
    " IN (SELECT minute_ns, max(revision) FROM attribution_minutes GROUP BY 1) ORDER BY ALL",
    "cells": "SELECT * EXCEPT revision FROM revenue_cells FINAL ORDER BY ALL",
}


def batch() -> tuple[Message, Message]:
    """Return two decisions with a call each, and what they earned."""
    ids = [new_trace_id() for _ in range(2)]
    spans = []
    for trace_id in ids:
        root = decision_span(
            trace_id=trace_id, start_ns=STARTED_NS, stamps_ns=[STARTED_NS], duration_ns=100 * MS
        )
        call = span(
            trace_id=trace_id,
            parent_span_id=root.span_id.hex(),
            kind="client",
            start_ns=STARTED_NS + 10 * MS,
            duration_ns=30 * MS,
            attributes={"db.system.name": "redis"},
        )
        spans += [root, call]
    sold = [
        outcome(outcome_id=f"order-{n}", decision_id=trace_id, margin=Decimal(margin))
        for n, (trace_id, margin) in enumerate(zip(ids, ("4.25", "6.50"), strict=True))
    ]
    return trace_request(*spans), logs_request(*sold)


def read(store: Connections) -> dict[str, list[dict[str, Any]]]:
    """Return every figure as it stands."""
    client = store.client()
    return {name: list(client.query(sql).named_results()) for name, sql in FIGURES.items()}


def test_batch_sent_five_times_gives_the_same_decisions_and_dollars(
    service: CollectorService, store: Connections, http: httpx.Client, clock: ManualClock
) -> None:
    """An SDK that hears no answer sends again, hours later too, over whichever transport."""
    traces, logs = batch()
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    found = []
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        for time in range(TIMES):
            for path, message in ((TRACES, traces), (LOGS, logs)):
                if time % 2:
                    signal = "traces" if message is traces else "logs"
                    assert post(http, message, f"/v1/{signal}").status_code == 200
                else:
                    channel.unary_unary(path, None, None)(
                        message.SerializeToString(), timeout=WAIT_S
                    )
            assert service.flush(WAIT_S)
            clock.ns += 25 * NS_PER_MINUTE  # a retry that is known by its bytes is not stored
            job.run_once(clock.ns)
            found.append(read(store))

    assert store.client().query("SELECT count() FROM otel_traces").result_rows == [(4 * TIMES,)]
    assert all(later == found[0] for later in found)
    assert [row["decision_id"] for row in found[0]["decisions"]] == sorted(
        row["decision_id"] for row in found[0]["attributions"]
    )
    assert [row["margin"] for row in found[0]["outcomes"]] == [Decimal("4.25"), Decimal("6.50")]
    assert [
        (row["total_ns"], row["decision_store_ns"], row["decision_compute_ns"], row["span_count"])
        for row in found[0]["attributions"]
    ] == [(100 * MS, 30 * MS, 70 * MS, 2)] * 2
    (cell,) = found[0]["cells"]
    assert (cell["second_ns"], cell["decisions"], cell["converted"]) == (STARTED_NS, 2, 2)
    assert (cell["margin_usd"], cell["revenue_usd"]) == (Decimal("10.75"), Decimal(40))
    assert store.client().query("SELECT max(revision) FROM attributions").result_rows[0][0] == 1, (
        "a retry changes no result, so it is no revision"
    )

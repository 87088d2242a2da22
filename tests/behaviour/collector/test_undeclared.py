"""Plain OpenTelemetry traces are decisions of their routes, until somebody declares decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig, OutcomesConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from collector.wal.frames import encode_frame
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import new_trace_id, span, trace_request
from tests.support.collector.writer import Segments

SERVER, CONSUMER = "server", "consumer"


@pytest.fixture(params=[True, False], ids=["native", "protobuf"])
def segments(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Segments:
    """Return segments of either reader of spans."""
    return Segments(tmp_path, clock, is_native=request.param)


def send(segments: Segments, store: Connections, *spans: Span) -> None:
    """Store one segment of spans."""
    name = f"traces-{new_trace_id()}"
    frame = encode_frame(trace_request(*spans).SerializeToString(), NOW_NS, len(spans))
    segments.store(store, segments.write(name, frame))


def actions(store: Connections) -> list[str]:
    """Return the action of each decision."""
    rows = store.client().query("SELECT action FROM decisions FINAL ORDER BY action").result_rows
    return [str(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        pytest.param(
            {
                "name": "GET",
                "kind": SERVER,
                "attributes": {"http.request.method": "GET", "http.route": "/users/{id}"},
            },
            "auto GET /users/{id}",
            id="a route",
        ),
        pytest.param(
            {"kind": SERVER, "attributes": {"http.method": "POST", "http.route": "/pay"}},
            "auto POST /pay",
            id="by the older names",
        ),
        pytest.param({"name": "shop.Cart/Get", "kind": SERVER}, "auto shop.Cart/Get", id="a call"),
        pytest.param(
            {"name": "GET /users/4711/orders/9f2c?x=1", "kind": SERVER},
            "auto GET /users/{id}/orders/{id}",
            id="ids are no names",
        ),
        pytest.param(
            {"name": "orders process", "kind": CONSUMER}, "auto orders process", id="mail"
        ),
        pytest.param({"name": "tick", "kind": "internal"}, None, id="internal"),
        pytest.param({"name": "GET", "kind": "client"}, None, id="a client"),
        pytest.param(
            {"name": "GET", "kind": SERVER, "parent_span_id": "00000000000000aa"},
            None,
            id="no root",
        ),
    ],
)
def test_root_that_serves_is_a_decision_of_its_route(
    segments: Segments, store: Connections, fields: dict[str, Any], action: str | None
) -> None:
    """Latency is split from the first trace on; of dollars nothing is known."""
    send(segments, store, span(trace_id=new_trace_id(), **fields))

    assert actions(store) == ([] if action is None else [action])
    values = store.client().query("SELECT value_usd, outcome_key FROM decisions").result_rows
    assert {*values} <= {(None, "")}


def test_first_declared_decision_ends_it(segments: Segments, store: Connections) -> None:
    """What came before stays, as what it was; after it only what is declared is a decision."""
    root: dict[str, Any] = {"name": "GET /a", "kind": SERVER}
    declared: dict[str, Any] = {"kind": SERVER, "attributes": {"decision.action": "checkout"}}
    calibration: dict[str, Any] = {
        "kind": "server",
        "attributes": {"decision.action": "calibration"},
    }
    for made in (calibration, root, declared):
        send(segments, store, span(trace_id=new_trace_id(), **made))
    for _ in range(2):
        send(segments, store, span(trace_id=new_trace_id(), **root))

    assert actions(store) == ["auto GET /a", "calibration", "checkout"]


@pytest.mark.parametrize(
    "decisions",
    [
        DecisionsConfig(auto=False),
        DecisionsConfig(match=(DecisionMatch(span_name="POST /pay", action="pay"),)),
    ],
    ids=["off", "a rule"],
)
def test_settings_end_it(
    segments: Segments, store: Connections, decisions: DecisionsConfig
) -> None:
    """Whoever declares by rules, or wants none, gets none."""
    apply_views(store.client(), AttributesConfig(), decisions, OutcomesConfig(), NOW_NS)
    send(segments, store, span(trace_id=new_trace_id(), name="GET /a", kind=SERVER))

    assert actions(store) == []

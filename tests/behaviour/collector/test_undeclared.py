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
DECLARED: dict[str, Any] = {"kind": SERVER, "attributes": {"decision.action": "checkout"}}
ROOT: dict[str, Any] = {"name": "GET /a", "kind": SERVER}


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
        pytest.param(
            {"name": "GET", "kind": SERVER, "attributes": {"url.path": "/users/4711/cart"}},
            "auto GET /users/{id}/cart",
            id="a path where the name is the method",
        ),
        pytest.param(
            {"name": "HTTP POST", "kind": SERVER, "attributes": {"http.target": "/pay?x=1"}},
            "auto HTTP POST /pay",
            id="a path by the older names",
        ),
        pytest.param(
            {
                "name": "GET",
                "kind": SERVER,
                "attributes": {"url.path": "/wp-admin", "http.response.status_code": 404},
            },
            "auto GET",
            id="a path that was not found",
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
        pytest.param(
            {"kind": CONSUMER, "attributes": {"messaging.operation.type": "receive"}},
            None,
            id="a wait for messages",
        ),
        pytest.param(
            {"kind": CONSUMER, "attributes": {"messaging.operation": "receive"}},
            None,
            id="a wait by the older name",
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
    calibration: dict[str, Any] = {
        "kind": "server",
        "attributes": {"decision.action": "calibration"},
    }
    for made in (calibration, ROOT, DECLARED):
        send(segments, store, span(trace_id=new_trace_id(), **made))
    for _ in range(2):
        send(segments, store, span(trace_id=new_trace_id(), **ROOT))

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


def traces(*fields: dict[str, Any]) -> list[Span]:
    """Return a span of a trace of its own for each of these."""
    return [span(trace_id=new_trace_id(), **each) for each in fields]


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        pytest.param([DECLARED], ["checkout"], id="declared"),
        pytest.param(
            [{"kind": SERVER, "attributes": {"decision.action": "calibration"}}],
            ["auto GET /a", "calibration"],
            id="calibration declares nothing",
        ),
        pytest.param(
            [{"kind": SERVER, "attributes": {"decision.action": "x", "decision.schema": "99"}}],
            ["auto GET /a"],
            id="nor does what is refused",
        ),
        pytest.param(
            [{"kind": "client", "attributes": {"decision.action": ""}}],
            ["auto GET /a"],
            id="nor an empty action",
        ),
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_segment_that_declares_one_has_no_others(
    segments: Segments,
    store: Connections,
    beside: list[dict[str, Any]],
    expected: list[str],
    *,
    is_first: bool,
) -> None:
    """The roots that come with the first declared decision are judged as those that come later."""
    send(segments, store, *traces(*([*beside, ROOT] if is_first else [ROOT, *beside])))

    assert actions(store) == expected


def test_second_trace_of_the_first_decision_is_a_part_of_it(
    segments: Segments, store: Connections
) -> None:
    """Its root carries the id of the decision and declares none."""
    named = {"decision.id": "order-1"}
    declared = {"kind": SERVER, "attributes": {**named, "decision.action": "checkout"}}
    send(segments, store, *traces({**ROOT, "attributes": named}, declared))

    assert actions(store) == ["checkout"]


def test_large_segment_that_declares_one_last(segments: Segments, store: Connections) -> None:
    """However many spans a segment has, they are judged together."""
    many = traces(*[ROOT] * 150_000)
    send(segments, store, *many, *traces(DECLARED))

    assert actions(store) == ["checkout"]


def test_first_segment_once_more_changes_nothing(segments: Segments, store: Connections) -> None:
    """After a kill the same bytes come again, and by then a decision is declared."""
    made = traces(ROOT, DECLARED, ROOT)
    frame = encode_frame(trace_request(*made).SerializeToString(), NOW_NS, len(made))
    for _ in range(2):
        segments.store(store, segments.write("same", frame))

    client = store.client()
    assert client.query("SELECT action FROM decisions").result_rows == [("checkout",)]
    assert client.query("SELECT count() FROM otel_traces").result_rows == [(3,)]


def test_star_is_the_name_of_no_class(segments: Segments, store: Connections) -> None:
    """It stands for all of them in alerts: one decision in such a region doubled all money."""
    regions = ["*", "**", "(*)", "eu"]
    declared = [
        span(
            trace_id=new_trace_id(),
            attributes={"decision.action": action, "decision.region": region},
        )
        for action, region in zip(["*", "a", "b", "c"], regions, strict=True)
    ]
    send(segments, store, *declared)
    rows = store.client().query("SELECT action, region FROM decisions FINAL ORDER BY action")
    assert rows.result_rows == [("(*)", "(*)"), ("a", "**"), ("b", "(*)"), ("c", "eu")]

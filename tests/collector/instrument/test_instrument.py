from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import propagate, trace
from opentelemetry.trace import StatusCode

from collector.instrument import STAGES
from collector.instrument.clock_error import KernelClock
from collector.instrument.hooks import parent_of
from tests.conftest import NOW_NS
from tests.support.collector.instruments import (
    Bench,
    FaultyExporter,
    TickingAnchor,
    attributes_of,
    context_of,
)

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An instrument with an exporter that keeps what it gets."""
    bench = Bench(anchor=TickingAnchor)
    yield bench
    bench.instrument.shutdown()
    bench.provider.shutdown()


def test_child_of_stock_instrumentation_hangs_under_the_decision(bench: Bench) -> None:
    """Otherwise no part of its latency could be charged to a class."""
    with bench.instrument.begin("offer"), bench.tracer.start_as_current_span("GET"):
        pass
    (child,), root = bench.children.get_finished_spans(), bench.root()
    assert child.parent is not None
    assert child.parent.span_id == context_of(root).span_id
    assert context_of(child).trace_id == context_of(root).trace_id
    assert root.parent is None
    assert root.kind is trace.SpanKind.SERVER


def test_decision_passes_its_context_on(bench: Bench) -> None:
    """The next service joins the trace through the header that stock instrumentation writes."""
    carrier: dict[str, str] = {}
    with bench.instrument.begin("offer") as decision:
        propagate.inject(carrier)
    context = decision.get_span_context()
    assert carrier["traceparent"] == f"00-{context.trace_id:032x}-{context.span_id:016x}-03"
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"traceparent": TRACEPARENT, "tracestate": "ot=th:c"}, id="mapping"),
        pytest.param(
            [(b"traceparent", TRACEPARENT.encode()), (b"tracestate", b"ot=th:c")], id="asgi"
        ),
    ],
)
def test_incoming_traceparent_is_continued(bench: Bench, headers: Any) -> None:  # noqa: ANN401  # both forms
    """A decision is a part of the caller's trace where there is a caller."""
    with bench.instrument.begin("offer", headers=headers) as decision:
        pass
    root = bench.root()
    assert root.parent is not None
    assert (root.parent.span_id, root.parent.is_remote) == (int(SPAN_ID, 16), True)
    assert context_of(root).trace_id == int(TRACE_ID, 16)
    assert context_of(root).trace_state.to_header() == "ot=th:c"
    assert decision.id == TRACE_ID


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param(TRACEPARENT.upper(), id="upper case"),
        pytest.param(f"ff-{TRACE_ID}-{SPAN_ID}-01", id="version ff"),
        pytest.param(f"00-{'0' * 32}-{SPAN_ID}-01", id="trace id of zeros"),
        pytest.param(f"00-{TRACE_ID}-{'0' * 16}-01", id="span id of zeros"),
        pytest.param(f"{TRACEPARENT}-more", id="version 00 with more"),
        pytest.param(f"00-{TRACE_ID}-{SPAN_ID}", id="no flags"),
        pytest.param(f"00-{TRACE_ID[1:]}-{SPAN_ID}-01", id="short id"),
    ],
)
def test_bad_traceparent_starts_a_trace(header: str) -> None:
    """W3C: a header that cannot be read is as none."""
    assert parent_of({"traceparent": header}) is None


def test_later_version_of_traceparent_is_read_as_far_as_it_is_known() -> None:
    """W3C: what a later version appends does not cost the trace."""
    parent = parent_of({"traceparent": f"01-{TRACE_ID}-{SPAN_ID}-01-more"})
    assert parent is not None
    assert parent.trace_id == int(TRACE_ID, 16)


@given(st.text())
def test_no_traceparent_can_fail_a_request(header: str) -> None:
    """It comes from outside; telemetry never breaks the service."""
    parent = parent_of({"traceparent": header})
    assert parent is None or parent.is_valid


def test_caller_that_does_not_sample_is_obeyed(bench: Bench) -> None:
    """A root without its children would be a decision that is all untraced; it is counted."""
    headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-00"}
    with bench.instrument.begin("offer", headers=headers):
        pass
    assert bench.roots() == ()
    assert bench.instrument.unsampled == 1


def test_decision_inside_a_span_is_its_child(bench: Bench) -> None:
    """A service that traces its server spans already keeps one trace."""
    tracer = bench.tracer
    with tracer.start_as_current_span("GET /offer") as server, bench.instrument.begin("offer"):
        pass
    parent = bench.root().parent
    assert parent is not None
    assert parent.span_id == server.get_span_context().span_id


def test_root_says_what_the_decision_was(bench: Bench) -> None:
    """The names are the wire contract; money is decimal text, stamps are integers."""
    scope = {
        "method": "GET", "path": "/decide", "headers": [],
        "client": ("10.0.0.7", 40_000), "server": ("10.0.0.1", 8080),
    }  # fmt: skip
    with bench.instrument.begin("offer", scope=scope, region="eu-west", id="order-7") as decision:
        decision.stage("transform")
        decision.stage("decision")
        decision.set(value_usd=Decimal("4.20"), offer_type="bundle", outcome_key="basket-1")
        decision.stage("egress")
        decision.set_attribute("http.response.status_code", 200)
    root = bench.root()
    attributes = attributes_of(root)
    stamps = {f"decision.ts.{stage}": NOW_NS + 1000 * (n + 1) for n, stage in enumerate(STAGES)}
    assert attributes == {
        "decision.schema": "1",
        "decision.id": "order-7",
        "decision.action": "offer",
        "decision.region": "eu-west",
        "decision.offer_type": "bundle",
        "decision.value_usd": "4.20",
        "outcome.key": "basket-1",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.path": "/decide",
        "client.address": "10.0.0.7",
        "client.port": 40_000,
        "network.local.address": "10.0.0.1",
        "network.local.port": 8080,
        **stamps,
    }
    assert root.name == "decide offer"
    assert root.start_time == NOW_NS + 1000
    assert root.end_time == NOW_NS + 5000
    assert root.status.status_code is StatusCode.UNSET


@given(st.lists(st.sampled_from(STAGES)))
def test_stamps_are_in_order_whatever_the_service_does(entered: list[str]) -> None:
    """The receiver refuses disorder; a loop back into a stage is no reason to lose a decision."""
    bench = Bench(anchor=TickingAnchor)
    decision = bench.instrument.begin("offer")
    for stage in entered:
        decision.stage(stage)
        assert decision.stage_name == stage
    decision.end()
    attributes = attributes_of(decision.readable())
    taken = [attributes[key] for name in STAGES if (key := f"decision.ts.{name}") in attributes]
    assert taken == sorted(taken)
    assert attributes["decision.ts.ingress"] == taken[0]
    furthest = max((STAGES.index(stage) for stage in entered), default=0)
    assert f"decision.ts.{STAGES[furthest]}" in attributes
    bench.instrument.shutdown()


def test_unknown_stage_is_refused(bench: Bench) -> None:
    """A typing error is seen at the first call, not as a decision without stages."""
    decision = bench.instrument.begin("offer")
    with pytest.raises(ValueError, match="stage 'ingres' is none; the stages are ingress, tra"):
        decision.stage("ingres")
    decision.end()


def test_clock_that_steps_inside_a_decision_does_not_reach_it() -> None:
    """The SDK alone records a span that ends before it starts; here only the next one moves."""
    anchors = iter([TickingAnchor(), TickingAnchor(NOW_NS - 50_000_000, "second")])
    bench = Bench(anchor=lambda: next(anchors), kernel=lambda: KernelClock(2_000, synced=True))
    running = bench.instrument.begin("offer")
    bench.instrument.reanchor()
    running.stage("egress")
    running.end()
    bench.instrument.begin("offer").end()
    first, second = bench.roots()
    assert [first.start_time, first.end_time] == [NOW_NS + 1000, NOW_NS + 3000]
    assert second.start_time == NOW_NS - 50_000_000 + 1000
    assert dict(first.resource.attributes) == {
        "service.name": "shop",
        "clock.anchor_id": "first",
        "clock.source": "adjtimex",
        "clock.error_ns": 2_100,
        "clock.synced": True,
    }
    assert second.resource.attributes["clock.anchor_id"] == "second"
    bench.instrument.shutdown()


def test_clock_error_that_is_unknown_is_left_out(bench: Bench) -> None:
    """Unknown is never zero."""
    bench.instrument.begin("offer").end()
    assert set(bench.root().resource.attributes) == {"service.name", "clock.anchor_id"}


def test_full_queue_drops_and_counts() -> None:
    """Telemetry takes a bounded part of the service's memory, and says what it lost."""
    bench = Bench(queue_max=2)
    for _ in range(3):
        bench.instrument.begin("offer").end()
    assert len(bench.roots()) == 2
    assert (bench.instrument.exported, bench.instrument.dropped) == (2, 1)
    bench.instrument.shutdown()
    bench.instrument.begin("offer").end()
    assert bench.instrument.dropped == 2


@pytest.mark.parametrize("raises", [True, False], ids=["raises", "says so"])
def test_exporter_that_fails_costs_its_spans_alone(raises: bool) -> None:
    """The thread lives on and the loss is counted."""
    bench = Bench(FaultyExporter(raises=raises))
    for expected in (1, 2):
        bench.instrument.begin("offer").end()
        assert bench.instrument.flush()
        assert bench.instrument.failed == expected
    bench.instrument.shutdown()


def test_decision_that_cannot_be_rendered_costs_itself_alone(bench: Bench) -> None:
    """The thread that exports lives on: with it every later decision would have been lost."""

    class Unsaid:
        def __str__(self) -> str:
            raise ValueError("no text")

    for value in (Unsaid(), "eu-west", "us-east"):
        bench.instrument.begin("offer", region=value).end()  # type: ignore[arg-type]  # that is the point
    assert [attributes_of(root)["decision.region"] for root in bench.roots()] == [
        "eu-west", "us-east",
    ]  # fmt: skip
    assert (bench.instrument.exported, bench.instrument.failed) == (2, 1)


def test_uuid_is_an_id_as_its_text_is(bench: Bench) -> None:
    """Exporters leave out what is no attribute, and the decision's money with it."""
    order = UUID("0af76519-16cd-43dd-8448-eb211c80319c")
    decision = bench.instrument.begin("offer", id=order, outcome_key=order)
    decision.end()
    attributes = attributes_of(bench.root())
    assert {attributes[name] for name in ("decision.id", "outcome.key")} == {str(order)}
    assert decision.id == str(order)


def test_shutdown_exports_what_is_queued() -> None:
    """The last decisions of a service count like any other."""
    bench = Bench()
    for _ in range(40):
        bench.instrument.begin("offer").end()
    bench.instrument.shutdown()
    assert bench.instrument.exported == 40


def test_exception_marks_the_decision_and_passes(bench: Bench) -> None:
    """A failed decision is one that an operator looks for."""
    with pytest.raises(KeyError), bench.instrument.begin("offer"):
        raise KeyError("offer")
    root = bench.root()
    assert root.status.status_code is StatusCode.ERROR
    assert [event.name for event in root.events] == ["exception"]


def test_decision_ends_once(bench: Bench) -> None:
    """A service may end early to keep its answer out of the latency; leaving `with` adds none."""
    with bench.instrument.begin("offer") as decision:
        decision.end()
    assert bench.root().end_time == NOW_NS + 2000


def test_children_carry_the_stage_they_began_in(bench: Bench) -> None:
    """Grandchildren too; a stage that the span names itself wins; after the end there is none."""
    with bench.instrument.begin("offer") as decision:
        with bench.tracer.start_as_current_span("validate"):
            pass
        decision.stage("transform")
        span = bench.tracer.start_as_current_span
        with span("identity"), span("HGETALL"):
            pass
        with span("own", attributes={"decision.stage": "egress"}):
            pass
        decision.end()
    with bench.tracer.start_as_current_span("afterwards"):
        pass
    stages = {
        span.name: attributes_of(span).get("decision.stage")
        for span in bench.children.get_finished_spans()
    }
    assert stages == {
        "validate": "ingress",
        "HGETALL": "transform",
        "identity": "transform",
        "own": "egress",
        "afterwards": None,
    }


async def two_at_once(bench: Bench) -> None:
    """Make two decisions in one event loop, each in the middle of the other."""
    arrived = asyncio.Barrier(2)

    async def decide(stage: str) -> None:
        with bench.instrument.begin(stage) as decision:
            decision.stage(stage)
            await arrived.wait()
            with bench.tracer.start_as_current_span(stage):
                await arrived.wait()

    await asyncio.gather(decide("transform"), decide("egress"))


def test_concurrent_decisions_do_not_mix(bench: Bench) -> None:
    """One event loop serves many decisions at a time."""
    asyncio.run(two_at_once(bench))
    roots = {root.name: context_of(root).span_id for root in bench.roots()}
    for child in bench.children.get_finished_spans():
        assert attributes_of(child)["decision.stage"] == child.name
        assert child.parent is not None
        assert child.parent.span_id == roots[f"decide {child.name}"]

"""A decision is the current span of whoever began it, and gives the place back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS
from tests.support.collector.instruments import Bench, TickingAnchor, attributes_of, context_of


@pytest.fixture
def bench() -> Iterator[Bench]:
    """An instrument with an exporter that keeps what it gets."""
    bench = Bench(anchor=TickingAnchor)
    yield bench
    bench.instrument.shutdown()
    bench.provider.shutdown()


def test_decision_inside_a_decision_is_its_child_and_gives_the_place_back(bench: Bench) -> None:
    """An offer may need a price; each has its own stages, and one trace."""
    with bench.instrument.begin("offer") as outer:
        outer.stage("decision")
        with bench.instrument.begin("price") as inner:
            inner.stage("transform")
            with bench.tracer.start_as_current_span("in price"):
                pass
        with bench.tracer.start_as_current_span("in offer"):
            pass
    roots = {root.name: root for root in bench.roots()}
    parent = roots["decide price"].parent
    assert parent is not None
    assert parent.span_id == context_of(roots["decide offer"]).span_id
    spans = {span.name: span for span in bench.children.get_finished_spans()}
    assert attributes_of(spans["in price"])["decision.stage"] == "transform"
    assert attributes_of(spans["in offer"])["decision.stage"] == "decision"
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_else_is_in_the_context_stays_there(bench: Bench) -> None:
    """Baggage of the caller goes on to the services behind."""
    token = attach(baggage.set_baggage("tenant", "a"))
    carrier: dict[str, str] = {}
    with bench.instrument.begin("offer"):
        propagate.inject(carrier)
    assert baggage.get_baggage("tenant") == "a"
    detach(token)
    assert carrier["baggage"] == "tenant=a"


def test_decision_that_ends_in_another_thread_is_exported_and_has_no_child(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """As what streams its answer is; the next one in the place where it began is another trace."""
    first = bench.instrument.begin("offer")
    thread = threading.Thread(target=first.end)
    thread.start()
    thread.join()
    second = bench.instrument.begin("offer")
    second.end()
    attach(Context())
    roots = bench.roots()
    assert [root.parent for root in roots] == [None, None]
    assert len({context_of(root).trace_id for root in roots}) == 2
    assert caplog.text == ""


class _AskingContext(SpanContext):
    """The ids of a caller; while they are read for the first time, another thread asks for ours."""

    asks: ClassVar[list[Callable[[], None]]] = []  # a context of OpenTelemetry takes no attributes

    @property
    def trace_id(self) -> int:
        """Return the trace id, once the other thread has its answer."""
        if self.asks:
            thread = threading.Thread(target=self.asks.pop())
            thread.start()
            thread.join()
        return super().trace_id


def test_two_threads_that_ask_at_once_are_told_the_same_ids(bench: Bench) -> None:
    """Ids are drawn when first asked for; here another thread asks while they are drawn."""
    caller = _AskingContext(7, 9, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    token = attach(set_span_in_context(NonRecordingSpan(caller), Context()))
    decision = bench.instrument.begin("offer")
    told: list[SpanContext] = []
    caller.asks.append(lambda: told.append(decision.get_span_context()))
    told.append(decision.get_span_context())
    decision.end()
    detach(token)
    assert len(told) == 2
    assert told[0] == told[1] == context_of(bench.root())


def test_scope_is_read_as_it_was_at_the_ingress(bench: Bench) -> None:
    """Servers and frameworks change it while a request is answered."""
    scope: dict[str, Any] = {
        "method": "GET", "path": "/decide", "headers": [], "client": None, "server": ("::1", None),
    }  # fmt: skip
    with bench.instrument.begin("offer", scope=scope):
        scope["path"] = "/mounted"
    attributes = attributes_of(bench.root())
    assert attributes["url.path"] == "/decide"
    assert "client.address" not in attributes
    assert "network.local.port" not in attributes


def test_event_has_the_time_of_the_decision(bench: Bench) -> None:
    """One anchor for stamps and events, so that no event lies outside its span."""
    with bench.instrument.begin("offer") as decision:
        decision.add_event("priced")
        decision.add_event("sent", timestamp=7)
    root = bench.root()
    assert [(event.name, event.timestamp) for event in root.events] == [
        ("priced", NOW_NS + 2000),
        ("sent", 7),
    ]
    assert (root.start_time, root.end_time) == (NOW_NS + 1000, NOW_NS + 3000)


def test_stamps_of_the_machine_are_unix_time() -> None:
    """They are taken from a clock that begins at boot, and told in nanoseconds since 1970."""
    bench = Bench()
    before_ns = SystemClock().now_ns()
    with bench.instrument.begin("offer") as decision:
        decision.stage("egress")
        decision.end(SystemClock().now_ns())
    root = bench.root()
    egress_ns = attributes_of(root)["decision.ts.egress"]
    assert root.start_time is not None
    assert root.end_time is not None
    # The anchor and the wall clock are read one after the other, and either may be slewed.
    assert before_ns - NS_PER_S < root.start_time <= egress_ns
    assert abs(root.end_time - egress_ns) < NS_PER_S
    bench.instrument.shutdown()

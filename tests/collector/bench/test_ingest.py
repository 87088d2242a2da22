"""The parts of `millworth bench ingest` whose mistakes no figure would show."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.sender import read_load, renewed, write_load
from collector.bench.soak import growth_bytes
from collector.bench.spans import SPANS_PER_TRACE, make_requests
from collector.core.config import AttributesConfig
from collector.otlp.check import Signal, check, limits_at
from tests.conftest import NOW_NS


def test_load_is_what_it_is_said_to_be() -> None:
    """A lighter span would be a better figure."""
    bodies = list(make_requests(1, 64, 128, NOW_NS))
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    spans = [s for r in requests for s in r.resource_spans[0].scope_spans[0].spans]

    assert [len(r.resource_spans[0].scope_spans[0].spans) for r in requests] == [64, 64]
    assert {len(one.attributes) for one in spans} == {10}
    assert {len(one.events) for one in spans} == {1}
    assert len(requests[0].resource_spans[0].resource.attributes) == 9
    assert len({one.trace_id for one in spans}) == len(spans) // SPANS_PER_TRACE
    assert min(map(len, bodies)) > 64 * 380
    limits = limits_at(NOW_NS, 30, AttributesConfig())
    checked = [check(Signal.TRACES, body, limits) for body in bodies]
    assert [one.accepted for one in checked] == [64, 64]
    assert all(one.payload is body for one, body in zip(checked, bodies, strict=True))


def test_each_eighth_span_of_the_other_load_is_a_decision() -> None:
    """Stamps are what the check looks at one by one."""
    (body,) = make_requests(1, 64, 64, NOW_NS, decisions=True)
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans

    roots = [one for one in spans if any(p.key == "decision.ts.ingress" for p in one.attributes)]

    assert len(roots) == 8
    assert not any(one.parent_span_id for one in roots)


def test_load_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The sender is another process."""
    requests = [b"", b"a", bytes(70_000)]

    write_load(tmp_path / "load", requests)

    assert read_load(tmp_path / "load") == requests


def test_request_that_is_sent_again_is_another_one() -> None:
    """Equal bytes are answered from a receipt: the figure would be that of a look into a dict."""
    (body,) = make_requests(1, 64, 64, NOW_NS)
    again = ExportTraceServiceRequest.FromString(renewed(body, 7))
    (found, *others) = again.resource_spans[0].scope_spans[0].spans

    assert found.span_id == (7).to_bytes(8, "big")
    first = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]
    assert (found.trace_id, found.name, len(others)) == (first.trace_id, first.name, 63)


def test_growth_leaves_the_warm_up_out_and_sees_what_follows() -> None:
    """A collector that grows to its working size and stays there does not leak."""
    assert growth_bytes([10, 500, *[1000] * 8]) == 0
    assert growth_bytes(list(range(1000, 1100))) == 60
    assert growth_bytes([1000, 900]) == 0

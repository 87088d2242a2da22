"""The load of `millworth bench pipeline`: requests that are written over have to be decisions."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.decision_load import decision_patterns
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.otlp.check import Signal, check, limits_at
from tests.conftest import NOW_NS

_LATER_NS = 7 * NS_PER_S + 123_456_789


def _spans(body: bytes) -> list[Span]:
    return list(ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans)


def test_request_that_is_made_again_is_of_other_decisions_at_another_time() -> None:
    """A time or an id that was left behind would be refused, or be a retry."""
    pattern, _ = decision_patterns(3, 16, NOW_NS)
    before, after = _spans(pattern.request(1, 0)), _spans(pattern.request(2, _LATER_NS))

    assert max(each.end_time_unix_nano for each in before) == NOW_NS
    assert len(after) == 16 * 8
    assert not {each.trace_id for each in before} & {each.trace_id for each in after}
    for old, new in zip(before, after, strict=True):
        assert new.trace_id[8:] == old.trace_id[8:]
        assert new.start_time_unix_nano - old.start_time_unix_nano == _LATER_NS
        assert new.end_time_unix_nano - old.end_time_unix_nano == _LATER_NS
        assert new.events[0].time_unix_nano - old.events[0].time_unix_nano == _LATER_NS
        for mine, its in zip(new.attributes, old.attributes, strict=True):
            moved = mine.value.int_value - its.value.int_value
            assert moved == (_LATER_NS if mine.key.startswith("decision.ts.") else 0)


def test_service_takes_every_span_and_every_outcome() -> None:
    """What is refused costs less than what is stored."""
    spans, outcomes = decision_patterns(3, 16, NOW_NS)
    limits = limits_at(NOW_NS + _LATER_NS, 30, AttributesConfig())

    assert check(Signal.TRACES, spans.request(2, _LATER_NS), limits).accepted == 128
    assert check(Signal.LOGS, outcomes.request(2, _LATER_NS), limits).accepted == 4


def test_outcomes_are_of_the_decisions_of_their_request() -> None:
    """An outcome of nobody would be no work for those who look for its decision."""
    spans, outcomes = decision_patterns(3, 16, NOW_NS)
    group = ExportLogsServiceRequest.FromString(outcomes.request(9, _LATER_NS)).resource_logs[0]
    named = {
        pair.value.string_value
        for record in group.scope_logs[0].log_records
        for pair in record.attributes
        if pair.key == "decision.id"
    }
    assert len(named) == 4
    assert named <= {each.trace_id.hex() for each in _spans(spans.request(9, _LATER_NS))}

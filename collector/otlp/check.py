"""Pure: what an OTLP request must be, and what is refused of it.

Nothing is transformed here: a request whose every item is good goes to the log as it was received.
Where some are refused, the rest is serialised anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from google.protobuf import message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.core.config import AttributesConfig
from collector.core.errors import DecodeError
from collector.core.event_schema import STAGES
from collector.core.times import NS_PER_DAY
from collector.otlp.limits import Limits, Refusal, out_of_range, remove
from collector.otlp.metrics import bad_points, metrics, points
from collector.otlp.spans import keep_good_spans
from collector.otlp.values import Request, flatten_deep_values

STAMPS = tuple(f"decision.ts.{stage}" for stage in STAGES)


class Signal(StrEnum):
    """What a request carries."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"

    @property
    def request_class(self) -> type[Request]:
        """Return the message that an export request of this signal is."""
        return _REQUESTS[self]


_REQUESTS: Mapping[Signal, type[Request]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


# One for all whose every item was taken: receipts keep them, and nobody changes one.
_WHOLE: Mapping[Signal, message.Message] = {
    Signal.TRACES: ExportTraceServiceResponse(),
    Signal.LOGS: ExportLogsServiceResponse(),
    Signal.METRICS: ExportMetricsServiceResponse(),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that was taken, wholly or in part."""

    payload: bytes  # what goes to the log
    accepted: int  # spans, log records or points in it
    refused: Mapping[str, int]  # items by reason code
    message: str  # for the sender; empty where nothing was refused
    trace_id: str = ""  # of the first span that was taken, hex: an example of the request
    is_timed: bool = True  # every item says when it was, so equal bytes are the same items
    service: str = ""  # of whom the first items are, where something was refused

    @property
    def refused_count(self) -> int:
        """Return how many items the sender is told about."""
        return sum(self.refused.values())


def limits_at(
    now_ns: int, retention_days: int, attributes: AttributesConfig, newest_ns: int = 0
) -> Limits:
    """Return the limits of a request that arrives at `now_ns`.

    Args:
        now_ns: Unix ns as the machine's clock has it.
        retention_days: age at which an item is refused.
        attributes: names of the stamps.
        newest_ns: what the clock showed at most: one that was set back by days is wrong, and those
            of all senders are right.
    """
    return Limits(
        earliest_ns=now_ns - retention_days * NS_PER_DAY,
        latest_ns=max(now_ns, newest_ns) + NS_PER_DAY,
        stamp_names=tuple(
            (stamp,) if attributes.name(stamp) == stamp else (stamp, attributes.name(stamp))
            for stamp in STAMPS
        ),
    )


def load_schema(signal: Signal) -> str:
    """Return the wire schema as the store takes it with each insert, without comments."""
    names = ["otlp.proto", "otlp_metrics.proto"] if signal is Signal.METRICS else ["otlp.proto"]
    lines = [
        line for name in names for line in (Path(__file__).parent / name).read_text().splitlines()
    ]
    return "\n".join(code for line in lines if (code := line.split("//")[0].rstrip()))


def check(signal: Signal, body: bytes, limits: Limits) -> Checked:
    """Check one export request.

    Args:
        signal: what the sender says it is.
        body: as it was received.
        limits: what its items are held against.

    Raises:
        DecodeError: the bytes are not a request of this signal; nothing of it is taken.
    """
    try:
        request = signal.request_class.FromString(body)
    except message.DecodeError as error:
        raise DecodeError(
            f"the body is not an OTLP {signal} request ({error}); send "
            f"{signal.request_class.DESCRIPTOR.full_name}"
        ) from error
    trace_id, is_timed = "", True
    if isinstance(request, ExportTraceServiceRequest):
        accepted, refusals = keep_good_spans(request, body, limits)
        trace_id = _first_trace_id(request)
    elif isinstance(request, ExportLogsServiceRequest):
        accepted, refusals, is_timed = _keep_good_records(request, limits)
    else:
        accepted, refusals = _keep_good_points(request, limits)
    return Checked(
        payload=request.SerializeToString() if refusals else body,
        accepted=accepted,
        refused=Counter(refusal.reason for refusal in refusals),
        message=_explain(refusals, accepted),
        trace_id=trace_id,
        is_timed=is_timed,
        service=_first_service(request) if refusals else "",
    )


def count_items(signal: Signal, body: bytes) -> int:
    """Return the spans, records or points in a request, 0 where it cannot be read."""
    try:
        request = signal.request_class.FromString(body)
    except message.DecodeError:
        return 0
    if isinstance(request, ExportTraceServiceRequest):
        return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
    if isinstance(request, ExportLogsServiceRequest):
        return sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
    return sum(len(points(metric)) for metric in metrics(request))


def normalise(signal: Signal, body: bytes) -> bytes:
    """Return a request in the one form that the store's reader takes.

    Protobuf allows a oneof twice, the last counts, and unknown fields; the reader does not allow
    the first. Seen: every request of 2,500 mutations that the two judged differently was taken
    after this.

    Raises:
        DecodeError: the bytes are not a request of this signal.
    """
    try:
        request = signal.request_class.FromString(body)
    except message.DecodeError as error:
        raise DecodeError(f"not an OTLP {signal} request: {error}") from error
    request.DiscardUnknownFields()
    flatten_deep_values(request)
    return request.SerializeToString()


def response(signal: Signal, checked: Checked) -> message.Message:
    """Return the answer to a request: partial success is set only where something was refused."""
    if not checked.refused_count:
        return _WHOLE[signal]
    answer: ExportTraceServiceResponse | ExportLogsServiceResponse | ExportMetricsServiceResponse
    if signal is Signal.TRACES:
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = checked.refused_count
    elif signal is Signal.LOGS:
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = checked.refused_count
    else:
        answer = ExportMetricsServiceResponse()
        answer.partial_success.rejected_data_points = checked.refused_count
    answer.partial_success.error_message = checked.message
    return answer


def _keep_good_records(
    request: ExportLogsServiceRequest, limits: Limits
) -> tuple[int, list[Refusal], bool]:
    accepted = 0
    is_timed = True
    refusals: list[Refusal] = []
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            bad = {}
            for index, record in enumerate(scope_logs.log_records):
                is_timed &= bool(record.time_unix_nano or record.observed_time_unix_nano)
                refusal = refuse_record(record, limits)
                if refusal is not None:
                    bad[index] = refusal
            accepted += len(scope_logs.log_records) - len(bad)
            remove(scope_logs.log_records, bad)
            refusals += bad.values()
    return accepted, refusals, is_timed


def _keep_good_points(
    request: ExportMetricsServiceRequest, limits: Limits
) -> tuple[int, list[Refusal]]:
    accepted = 0
    refusals: list[Refusal] = []
    for metric in metrics(request):
        bad = bad_points(metric, limits)
        kept = points(metric)
        accepted += len(kept) - len(bad)
        remove(kept, bad)
        refusals += bad.values()
    return accepted, refusals


def _first_trace_id(request: ExportTraceServiceRequest) -> str:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                return span.trace_id.hex()
    return ""


def _first_service(request: Request) -> str:
    if isinstance(request, ExportTraceServiceRequest):
        resources = [each.resource for each in request.resource_spans[:1]]
    elif isinstance(request, ExportLogsServiceRequest):
        resources = [each.resource for each in request.resource_logs[:1]]
    else:
        resources = [each.resource for each in request.resource_metrics[:1]]
    named = [pair for each in resources for pair in each.attributes if pair.key == "service.name"]
    return named[0].value.string_value if named else ""


def refuse_record(record: LogRecord, limits: Limits) -> Refusal | None:
    """Return why a log record cannot be stored, None where it can.

    An id of another length is none, as OTLP says; a record without a time has that of its arrival.
    """
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    if time_ns and not limits.earliest_ns <= time_ns <= limits.latest_ns:
        return out_of_range("log record", time_ns, time_ns, limits)
    return None


def _explain(refusals: list[Refusal], accepted: int) -> str:
    if not refusals:
        return ""
    counts = Counter(refusal.reason for refusal in refusals)
    first = {refusal.reason: refusal.detail for refusal in reversed(refusals)}
    reasons = "; ".join(f"{count} {reason}: {first[reason]}" for reason, count in counts.items())
    return f"{len(refusals)} of {accepted + len(refusals)} refused: {reasons}"

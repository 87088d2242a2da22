"""Pure: requests of decisions that are made once, and sent again and again as other decisions.

A request is one of `collector.bench.spans`: eight spans a decision, with ten attributes and an
event each. What makes decisions others is written over in place: the first half of each trace id,
wherever it stands, and every time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.bench.spans import SPANS_PER_TRACE, make_requests
from collector.core.times import NS_PER_MS

# One decision in four earns something, which is told in a record of its own.
DECISIONS_PER_OUTCOME: Final = 4
_STAMPS = ("ingress", "transform", "decision", "egress")
_HALF_ID_BYTES: Final = 8
_Bytes = npt.NDArray[np.uint8]
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes of a request, and where in it the ids and the times are."""

    body: bytes
    ids: _Places  # of the first half of trace ids
    id_texts: _Places  # of the same in hex
    times: _Places  # of times of 64 bits
    times_ns: npt.NDArray[np.int64]
    stamps: _Places  # of times as varints, which take nine bytes
    stamps_ns: npt.NDArray[np.int64]

    def request(self, number: int, later_ns: int) -> bytes:
        """Return the request with other trace ids and every time so much later.

        Args:
            number: any that was not given before.
            later_ns: may be negative.
        """
        buffer = np.frombuffer(self.body, np.uint8).copy()
        half = number.to_bytes(_HALF_ID_BYTES, "big")
        _write(buffer, self.ids, np.frombuffer(half, np.uint8))
        _write(buffer, self.id_texts, np.frombuffer(half.hex().encode(), np.uint8))
        times = (self.times_ns + later_ns).astype("<u8").view(np.uint8).reshape(-1, 8)
        _write(buffer, self.times, times)
        shifts = np.arange(9, dtype=np.uint64) * np.uint64(7)
        words = (self.stamps_ns + later_ns).astype(np.uint64)[:, None] >> shifts
        more = np.where(np.arange(9) < 8, 0x80, 0)
        _write(
            buffer,
            self.stamps,
            ((words & np.uint64(0x7F)).astype(np.uint8) | more).astype(np.uint8),
        )
        return buffer.tobytes()


def decision_patterns(seed: int, decisions: int, now_ns: int) -> tuple[Pattern, Pattern]:
    """Return a request of decisions that ended by `now_ns`, and the one of their outcomes.

    All trace ids of a request begin with the same eight bytes.
    """
    spans = decisions * SPANS_PER_TRACE
    (body,) = make_requests(seed, spans, spans, now_ns, decisions=True)
    request = ExportTraceServiceRequest.FromString(body)
    half = seed.to_bytes(4, "big") + b"\xb1\x0c\xb1\x0c"
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.trace_id = half + span.trace_id[_HALF_ID_BYTES:]
    late_ns = max(
        span.end_time_unix_nano for span in request.resource_spans[0].scope_spans[0].spans
    )
    earned = _outcomes(request, late_ns + NS_PER_MS)
    return _pattern(request, half, now_ns - late_ns), _pattern(earned, half, now_ns - late_ns)


def _outcomes(request: ExportTraceServiceRequest, at_ns: int) -> ExportLogsServiceRequest:
    out = ExportLogsServiceRequest()
    group = out.resource_logs.add()
    group.resource.CopyFrom(request.resource_spans[0].resource)
    records = group.scope_logs.add().log_records
    roots = [
        span
        for span in request.resource_spans[0].scope_spans[0].spans
        if any(pair.key == "decision.action" for pair in span.attributes)
    ]
    for root in roots[::DECISIONS_PER_OUTCOME]:
        record = records.add(
            time_unix_nano=at_ns, observed_time_unix_nano=at_ns, event_name="decision.outcome"
        )
        _say(record, "decision.id", root.trace_id.hex())
        _say(record, "outcome.id", f"o-{root.trace_id.hex()}")
        _say(record, "outcome.kind", "sale")
        _say(record, "outcome.margin", "3.10")
        _say(record, "outcome.currency", "USD")
    return out


def _say(record: LogRecord, key: str, value: str) -> None:
    record.attributes.add(key=key).value.string_value = value


def _pattern(
    request: ExportTraceServiceRequest | ExportLogsServiceRequest, half: bytes, later_ns: int
) -> Pattern:
    """Find the places; times are told as `later_ns` later."""
    times, stamps = set[int](), set[int]()
    if isinstance(request, ExportTraceServiceRequest):
        for span in request.resource_spans[0].scope_spans[0].spans:
            times |= {span.start_time_unix_nano, span.end_time_unix_nano}
            times |= {event.time_unix_nano for event in span.events}
            stamps |= {
                pair.value.int_value
                for pair in span.attributes
                if pair.key in {f"decision.ts.{stage}" for stage in _STAMPS}
            }
    else:
        records = request.resource_logs[0].scope_logs[0].log_records
        times = {record.time_unix_nano for record in records}
    body = request.SerializeToString()
    places, at_ns = _found(body, ((ns.to_bytes(8, "little"), ns) for ns in sorted(times)))
    stamp, stamp_ns = _found(body, ((_nine_byte_varint(ns), ns) for ns in sorted(stamps)))
    return Pattern(
        body=body,
        ids=_found(body, [(half, 0)])[0],
        id_texts=_found(body, [(half.hex().encode(), 0)])[0],
        times=places,
        times_ns=at_ns + later_ns,
        stamps=stamp,
        stamps_ns=stamp_ns + later_ns,
    )


def _found(body: bytes, values: Iterable[tuple[bytes, int]]) -> tuple[_Places, _Places]:
    places = [
        (match.start(), value)
        for text, value in values
        for match in re.finditer(re.escape(text), body)
    ]
    pairs = np.array(places, np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _nine_byte_varint(value: int) -> bytes:
    """Return a number as a varint of nine bytes, whatever its size."""
    parts = [value >> shift & 0x7F for shift in range(0, 63, 7)]
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


def _write(buffer: _Bytes, places: _Places, values: _Bytes) -> None:
    buffer[places[:, None] + np.arange(values.shape[-1])] = values

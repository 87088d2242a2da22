"""Pure: what the spans of a request must be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.otlp.limits import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Limits,
    Refusal,
    out_of_range,
    remove,
)
from collector.otlp.merged_schema import merged_classes

_NO_TRACE_ID = bytes(TRACE_ID_BYTES)
_NO_SPAN_ID = bytes(SPAN_ID_BYTES)
# A stamp of more digits is later than any instant that is taken; Python reads at most 4,300.
_DIGITS_MAX = 20
_BEYOND_NS = 10**_DIGITS_MAX
_SHOWN_MAX = 40  # characters of a stamp that the sender is told

# All spans of a request as one list of bytes, in their order.
_CUT: Mapping[str, Mapping[int, str]] = {
    "ScopeSpans": {2: "*bytes"},
    "ResourceSpans": {2: "ScopeSpans"},
    "Request": {1: "ResourceSpans"},
}


def keep_good_spans(
    request: ExportTraceServiceRequest, body: bytes, limits: Limits
) -> tuple[int, list[Refusal]]:
    """Take what is refused out of a request; return how many spans are left, and why.

    Args:
        request: as parsed from `body`.
        body: as it was received.
        limits: what the spans are held against.
    """
    accepted = 0
    refusals: list[Refusal] = []
    is_stamped = _stamped(body, limits)
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            bad = {}
            for index, span in enumerate(scope_spans.spans):
                refusal = refuse_span(span, limits)
                if next(is_stamped, True) and refusal is None:
                    refusal = refuse_stamps(span, limits)
                if refusal is not None:
                    bad[index] = refusal
            accepted += len(scope_spans.spans) - len(bad)
            remove(scope_spans.spans, bad)
            refusals += bad.values()
    return accepted, refusals


def _stamped(body: bytes, limits: Limits) -> Iterator[bool]:
    """Yield of each span in turn whether it may have a stamp, found in the bytes."""
    stamped = _stamp_pattern(limits.stamp_names)
    if stamped.search(body) is None:
        return repeat(False)
    return (stamped.search(cut) is not None for cut in cut_spans(body))


def cut_spans(body: bytes) -> Sequence[bytes]:
    """Return the bytes of each span of an ExportTraceServiceRequest, in their order."""
    cut = _CUT_CLASS.FromString(body).f1.f2.f2  # type: ignore[attr-defined]  # made at run time
    return list(cut)


@lru_cache(maxsize=8)
def _stamp_pattern(stamp_names: Iterable[Iterable[str]]) -> re.Pattern[bytes]:
    names = (re.escape(name.encode()) for names in stamp_names for name in names)
    return re.compile(b"|".join(names))


def refuse_span(span: Span, limits: Limits) -> Refusal | None:
    """Return why a span cannot be stored, None where it can."""
    if len(span.trace_id) != TRACE_ID_BYTES or span.trace_id == _NO_TRACE_ID:
        return Refusal(
            "trace_id_invalid",
            f"span {span.name!r}: trace_id {span.trace_id.hex()!r} is not 16 bytes, not all zero",
        )
    if len(span.span_id) != SPAN_ID_BYTES or span.span_id == _NO_SPAN_ID:
        return Refusal(
            "span_id_invalid",
            f"span {span.name!r}: span_id {span.span_id.hex()!r} is not 8 bytes, not all zero",
        )
    if span.parent_span_id and len(span.parent_span_id) != SPAN_ID_BYTES:
        return Refusal(
            "parent_span_id_invalid",
            f"span {span.name!r}: parent_span_id {span.parent_span_id.hex()!r} is not 8 bytes",
        )
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    if end_ns < start_ns:
        # A stepped clock at the sender. Storing zero would hide it inside every percentile.
        return Refusal(
            "ends_before_start",
            f"span {span.name!r} ends {start_ns - end_ns} ns before it starts; "
            "take both times from one clock",
        )
    if start_ns < limits.earliest_ns or end_ns > limits.latest_ns:
        return out_of_range(f"span {span.name!r}", start_ns, end_ns, limits)
    return None


def refuse_stamps(span: Span, limits: Limits) -> Refusal | None:
    """Return why a decision's stamps cannot be used: each stage begins no sooner than the last.

    A decision lies in the day of its ingress, so a stamp is held against the same times as a span.
    """
    # Of a name that is there twice the store has the first.
    values = {pair.key: pair for pair in reversed(span.attributes)}
    latest_name, latest_ns = "", 0
    for names in limits.stamp_names:
        for name in names:
            if name in values and (stamp_ns := stamp(values[name])) > 0:
                if not limits.earliest_ns <= stamp_ns <= limits.latest_ns:
                    return Refusal(
                        "time_out_of_range",
                        f"span {span.name!r}: {name} {_shown(values[name])} is outside "
                        f"[{limits.earliest_ns}, {limits.latest_ns}]; stamp in Unix nanoseconds, "
                        "and set the clock of the sender",
                    )
                if stamp_ns < latest_ns:
                    return Refusal(
                        "stamps_out_of_order",
                        f"span {span.name!r}: {name} {stamp_ns} is before {latest_name} "
                        f"{latest_ns}; stamp ingress, transform, decision, egress in this order",
                    )
                latest_name, latest_ns = name, stamp_ns
                break
    return None


def stamp(pair: KeyValue) -> int:
    """Return a stamp in Unix ns, 0 where it is none; text because JavaScript rounds integers."""
    kind = pair.value.WhichOneof("value")
    if kind == "int_value":
        return pair.value.int_value
    text = pair.value.string_value
    if not (text.isascii() and text.isdigit()):
        return 0
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS_MAX else _BEYOND_NS


def _shown(pair: KeyValue) -> str:
    text = pair.value.string_value or str(pair.value.int_value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}... ({len(text)} digits)"


_CUT_CLASS = merged_classes("millworth.cut", _CUT)["Request"]

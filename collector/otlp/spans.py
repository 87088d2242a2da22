"""Pure: what the spans of a request must be, and the form in which they go to the log.

The C parser looks at all spans at once (`collector.otlp.merged_scan`), and of each the times are
read; only where something is found is each looked at. Where every attribute value is a scalar, as
in nearly every request, the store takes the values as they lie on the wire, which costs it half
(ADR 004). Their bytes must be canonical for that. They are, as SDKs write them; where not, the
request is serialised anew, and so it is where values nest and are put in text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.otlp.limits import Limits, Refusal, remove
from collector.otlp.merged_scan import (
    NO_SPAN_ID,
    NO_TRACE_ID,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Nesting,
    SpanSurvey,
    cut_spans,
    survey_spans,
)
from collector.otlp.values import flatten_lists, flatten_outer_lists

# A field of our own after the spans of a request, which says how the store may read them. Every
# request ends in one of these, so that none can pass for another: the last one counts.
SCALAR_MARK = b"\xd8\x3e\x01"  # field 1003, varint
LISTS_MARK = b"\xd8\x3e\x00"

# A stamp of more digits is later than any instant that is taken; Python reads at most 4,300.
_DIGITS_MAX = 20
_BEYOND_NS = 10**_DIGITS_MAX
_SHOWN_MAX = 40  # characters of a stamp that the sender is told

_TIMES = operator.attrgetter("start_time_unix_nano", "end_time_unix_nano")


def check_spans(
    request: ExportTraceServiceRequest,
    body: bytes,
    limits: Limits,
    survey: SpanSurvey | None = None,
) -> tuple[bytes, int, list[Refusal]]:
    """Return what goes to the log, how many spans it has, and what was refused.

    Args:
        request: as parsed from `body`; what is refused is taken out of it.
        body: as it was received.
        limits: what the spans are held against.
        survey: of `body`, where there is one.
    """
    canonical = request.SerializeToString()
    if survey is None or canonical != body:
        survey = survey_spans(canonical)
    times = list(map(_TIMES, _spans(request)))
    refusals: list[Refusal] = []
    if not (
        survey.have_good_ids(len(times))
        and _are_times_good(times, limits)
        and _are_stamps_good(request, canonical, limits)
    ):
        refusals = _remove_bad(request, limits)
    is_changed = bool(refusals)
    if survey.inner is Nesting.DEEP:
        flatten_lists(request)
        is_changed = True
    elif survey.outer is not Nesting.SCALAR:
        # The command line of a process, as Java's agent sends it, costs its spans nothing.
        flatten_outer_lists(request)
        is_changed = True
    payload = request.SerializeToString() if is_changed else canonical
    is_scalar = survey.inner is not Nesting.FLAT and not survey.is_odd
    return (
        payload + (SCALAR_MARK if is_scalar else LISTS_MARK),
        len(times) - len(refusals),
        refusals,
    )


def is_scalar(content: bytes, start: int, end: int) -> bool:
    """Return whether the request in `content[start:end]` is one whose every value is a scalar."""
    return content.endswith(SCALAR_MARK, start, end)


def unmarked(request: bytes) -> bytes:
    """Return a request without the mark that it has in the log."""
    return request.removesuffix(SCALAR_MARK).removesuffix(LISTS_MARK)


def _remove_bad(request: ExportTraceServiceRequest, limits: Limits) -> list[Refusal]:
    refusals: list[Refusal] = []
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            bad = {}
            for index, span in enumerate(scope_spans.spans):
                refusal = refuse_span(span, limits) or refuse_stamps(span, limits)
                if refusal is not None:
                    bad[index] = refusal
            remove(scope_spans.spans, bad)
            refusals += bad.values()
    return refusals


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def _are_times_good(times: Sequence[tuple[int, int]], limits: Limits) -> bool:
    """Return whether each span, by start and end, may be stored."""
    if not times:
        return True
    starts_ns, ends_ns = zip(*times, strict=True)
    return (
        min(starts_ns) >= limits.earliest_ns
        and max(ends_ns) <= limits.latest_ns
        and all(map(operator.le, starts_ns, ends_ns))
    )


def _are_stamps_good(request: ExportTraceServiceRequest, body: bytes, limits: Limits) -> bool:
    """Return whether every stamp may be stored; only spans that have some are looked at."""
    stamped = _stamp_pattern(limits.stamp_names)
    if stamped.search(body) is None:
        return True
    return all(
        refuse_stamps(span, limits) is None
        for span, cut in zip(_spans(request), cut_spans(body), strict=True)
        if stamped.search(cut)
    )


@lru_cache(maxsize=8)
def _stamp_pattern(stamp_names: Iterable[Iterable[str]]) -> re.Pattern[bytes]:
    names = (re.escape(name.encode()) for names in stamp_names for name in names)
    return re.compile(b"|".join(names))


def refuse_span(span: Span, limits: Limits) -> Refusal | None:
    """Return why a span cannot be stored, None where it can."""
    if len(span.trace_id) != TRACE_ID_BYTES or span.trace_id == NO_TRACE_ID:
        return Refusal(
            "trace_id_invalid",
            f"span {span.name!r}: trace_id {span.trace_id.hex()!r} is not 16 bytes, not all zero",
        )
    if len(span.span_id) != SPAN_ID_BYTES or span.span_id == NO_SPAN_ID:
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
        return Refusal(
            "time_out_of_range",
            f"span {span.name!r} from {start_ns} to {end_ns} is outside "
            f"[{limits.earliest_ns}, {limits.latest_ns}] Unix ns; set the clock of the sender",
        )
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

"""Pure: what the C parser alone can tell of a request's spans.

A second schema declares no message as repeated. Protobuf merges what comes again, so that all
spans of a request become one message: a field that is declared as repeated there gathers that
field of every span, and whether any value nests is one question to one message. No loop over
spans or attributes: 0.3 us a span, where asking each of them costs several times that.

Every field of OTLP is declared: to skip one that is not known costs more than to read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from collector.otlp.merged_schema import merged_classes

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
NO_TRACE_ID = bytes(TRACE_ID_BYTES)
NO_SPAN_ID = bytes(SPAN_ID_BYTES)

_ANY = {1: "bytes", 2: "bool", 3: "int64", 4: "double", 7: "bytes"}
_SPAN = {
    1: "*bytes",
    2: "*bytes",
    3: "bytes",
    4: "*bytes",
    5: "bytes",
    6: "int32",
    # Not gathered: numbers may also come packed in one field, which is unknown to OTLP's schema and
    # would stand in for the time of a span that has none.
    7: "fixed64",
    8: "fixed64",
    9: "Pair",
    10: "uint32",
    11: "Event",
    12: "uint32",
    13: "Link",
    14: "uint32",
    15: "Status",
    16: "fixed32",
}
_SURVEY: Mapping[str, Mapping[int, str]] = {
    "Item": {**_ANY, 5: "bytes", 6: "bytes"},
    "Array": {1: "Item"},
    "Value": {**_ANY, 5: "Array", 6: "bytes"},
    "Pair": {1: "bytes", 2: "Value"},
    "Resource": {1: "Pair", 2: "uint32"},
    "Scope": {1: "bytes", 2: "bytes", 3: "Pair", 4: "uint32"},
    "Event": {1: "fixed64", 2: "bytes", 3: "Pair", 4: "uint32"},
    "Link": {1: "bytes", 2: "bytes", 3: "bytes", 4: "Pair", 5: "uint32", 6: "fixed32"},
    "Status": {2: "bytes", 3: "int32"},
    "Span": _SPAN,
    "ScopeSpans": {1: "Scope", 2: "Span", 3: "bytes"},
    "ResourceSpans": {1: "Resource", 2: "ScopeSpans", 3: "bytes"},
    "Request": {1: "ResourceSpans"},
}
_CUT: Mapping[str, Mapping[int, str]] = {
    "ScopeSpans": {2: "*bytes"},
    "ResourceSpans": {2: "ScopeSpans"},
    "Request": {1: "ResourceSpans"},
}


class Nesting(IntEnum):
    """What the values of some attributes are, at most."""

    SCALAR = 0
    FLAT = 1  # an array of scalars
    DEEP = 2  # a list of pairs, or an array that holds one or another array


@dataclass(frozen=True, slots=True)
class SpanSurvey:
    """The spans of a request, as far as one look tells."""

    trace_ids: Sequence[bytes]
    span_ids: Sequence[bytes]
    parent_ids: Sequence[bytes]
    outer: Nesting  # attributes of resources and scopes
    inner: Nesting  # of spans, events and links
    is_odd: bool  # a value or its pair has a field that OTLP does not have yet

    @property
    def is_deep(self) -> bool:
        """Return whether any value is deep."""
        return max(self.outer, self.inner) is Nesting.DEEP

    def have_good_ids(self, count: int) -> bool:
        """Return whether each of `count` spans has good ids; where not, somebody has to look.

        A span of canonical bytes has each field once at most, so that as many ids as spans mean
        one of each.
        """
        return (
            len(self.trace_ids) == len(self.span_ids) == count
            and set(map(len, self.trace_ids)) <= {TRACE_ID_BYTES}
            and set(map(len, self.span_ids)) <= {SPAN_ID_BYTES}
            and set(map(len, self.parent_ids)) <= {SPAN_ID_BYTES}
            and NO_TRACE_ID not in self.trace_ids
            and NO_SPAN_ID not in self.span_ids
        )


def survey_spans(body: bytes) -> SpanSurvey:
    """Return what there is in the bytes of an ExportTraceServiceRequest.

    Raises:
        google.protobuf.message.DecodeError: the bytes are no Protobuf, for OTLP's schema either.
    """
    merged = _SURVEY_CLASS.FromString(body)
    span = merged.f1.f2.f2  # type: ignore[attr-defined]  # made at run time
    outer, inner = _places(merged)
    return SpanSurvey(
        trace_ids=list(span.f1),
        span_ids=list(span.f2),
        parent_ids=list(span.f4),
        outer=max(map(_nesting, outer)),
        inner=max(map(_nesting, inner)),
        is_odd=any(map(_is_odd, (*outer, *inner))),
    )


def have_deep_values(body: bytes) -> bool:
    """Return whether any value of the spans in `body`, or of what they belong to, is deep.

    Raises:
        google.protobuf.message.DecodeError: as `survey_spans`.
    """
    outer, inner = _places(_SURVEY_CLASS.FromString(body))
    return any(_nesting(pair) is Nesting.DEEP for pair in (*outer, *inner))


def _places(merged: Message) -> tuple[Sequence[Message], Sequence[Message]]:
    """Return the one pair that attributes became, of resource and scope, and of what is inside."""
    group = merged.f1  # type: ignore[attr-defined]  # made at run time
    span = group.f2.f2
    return [group.f1.f1, group.f2.f1.f3], [span.f9, span.f11.f3, span.f13.f4]


def cut_spans(body: bytes) -> Sequence[bytes]:
    """Return the bytes of each span of an ExportTraceServiceRequest, in their order."""
    cut = _CUT_CLASS.FromString(body).f1.f2.f2  # type: ignore[attr-defined]  # made at run time
    return list(cut)


def _nesting(pair: Message) -> Nesting:
    value = pair.f2  # type: ignore[attr-defined]  # made at run time
    if value.HasField("f6") or value.f5.f1.HasField("f5") or value.f5.f1.HasField("f6"):
        return Nesting.DEEP
    return Nesting.FLAT if value.HasField("f5") else Nesting.SCALAR


def _is_odd(pair: Message) -> bool:
    value = pair.f2  # type: ignore[attr-defined]  # made at run time
    return any(len(UnknownFieldSet(message)) > 0 for message in (pair, value))


_SURVEY_CLASS = merged_classes("millworth.survey", _SURVEY)["Request"]
_CUT_CLASS = merged_classes("millworth.cut", _CUT)["Request"]

"""Pure: what the kernel of `collector.receive.fastpath.kernel` knows of OTLP, as an array.

Made from the official schema, without what it does not take: values that nest, and fields that the
survey (`collector.otlp.merged_scan`) does not know either.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

# What a field is; its wire type is the number modulo 8.
NONE: Final = 7  # not taken: unknown, or of values that nest
UINT32, INT32, INT64, BOOL = 8, 16, 24, 32
FIXED64: Final = 1
FIXED32: Final = 5
TEXT, BYTES, VALUE_BYTES, MESSAGE = 2, 10, 18, 26
# What it is for.
TRACE_ID, SPAN_ID, PARENT_ID, START, END, KEY, VALUE = 1, 2, 3, 4, 5, 6, 7
# Columns of the schema, whose rows are message * FIELDS + field.
KIND, CHILD, IS_REPEATED, ROLE = 0, 1, 2, 3
FIELDS: Final = 17
SPAN, ANY = 3, 5  # the messages that matter to it; 0 is the request

# What becomes of an attribute's name; 1 to 4 are the stages that it stamps.
NAME_PLAIN, NAME_QUERY, NAME_STOP = 0, 5, 6
PROBES: Final = 16  # of the table of names, so that names made to collide cost no more

# A name's place comes of its length, the first bytes of its quarters and its last four: to read all
# of it costs as much as everything else. Names that agree in those lie side by side.
HASH_STEP, HASH_QUARTERS, HASH_TAIL = 31, 4, 4

# Places of `state`, which the caller reads too; FLAG counts the texts that somebody has to look at.
FLAG, SPANS, FIRST_TRACE, UNKNOWN = 0, 1, 2, 3
DEPTH: Final = 8  # of messages: a value of an event's attribute is in the seventh
UNKNOWN_MAX: Final = 64  # names that are new in one request
DOUBTFUL_MAX: Final = 64  # texts in which a pattern may be, after the names in the same array
OF_TEXT, OF_QUERY, OF_BYTES = 0, 1, 2  # what such a text is
STATE: Final = 14  # as many places, of which the kernel uses the rest

# What is taken of each message; as many rows as there are messages.
_TAKEN: Final[tuple[tuple[Descriptor, tuple[int, ...]], ...]] = (
    (ExportTraceServiceRequest.DESCRIPTOR, (1,)),
    (ResourceSpans.DESCRIPTOR, (1, 2, 3)),
    (ScopeSpans.DESCRIPTOR, (1, 2, 3)),
    (Span.DESCRIPTOR, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
    (KeyValue.DESCRIPTOR, (1, 2)),
    (AnyValue.DESCRIPTOR, (1, 2, 3, 4, 7)),
    (Resource.DESCRIPTOR, (1, 2)),
    (InstrumentationScope.DESCRIPTOR, (1, 2, 3, 4)),
    (Span.Event.DESCRIPTOR, (1, 2, 3, 4)),
    (Span.Link.DESCRIPTOR, (1, 2, 3, 4, 5, 6)),
    (Status.DESCRIPTOR, (2, 3)),
)
_KINDS: Final = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_BYTES: BYTES,
    FieldDescriptor.TYPE_MESSAGE: MESSAGE,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_ENUM: INT32,
    FieldDescriptor.TYPE_INT64: INT64,
    FieldDescriptor.TYPE_BOOL: BOOL,
    FieldDescriptor.TYPE_FIXED64: FIXED64,
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_FIXED32: FIXED32,
}
_ROLES: Final = {
    "trace_id": TRACE_ID,
    "span_id": SPAN_ID,
    "parent_span_id": PARENT_ID,
    "start_time_unix_nano": START,
    "end_time_unix_nano": END,
}


def _schema() -> Bytes:
    places = [descriptor for descriptor, _ in _TAKEN]
    table = np.zeros((len(_TAKEN) * FIELDS, 4), np.uint8)
    table[:, KIND] = NONE
    for number, (descriptor, taken) in enumerate(_TAKEN):
        for field in map(descriptor.fields_by_number.__getitem__, taken):
            child = field.message_type
            kind = _KINDS[field.type]
            if descriptor is AnyValue.DESCRIPTOR and kind == BYTES:
                kind = VALUE_BYTES
            table[number * FIELDS + field.number] = (
                kind,
                0 if child is None else places.index(child),
                field.is_repeated,
                _role(descriptor, field),
            )
    return table


def _role(descriptor: Descriptor, field: FieldDescriptor) -> int:
    if descriptor is Span.DESCRIPTOR and field.name in _ROLES:
        return _ROLES[field.name]
    if descriptor is AnyValue.DESCRIPTOR:
        return VALUE
    is_key = descriptor is KeyValue.DESCRIPTOR and field.name == "key"
    return KEY if is_key or field.message_type is KeyValue.DESCRIPTOR else 0


SCHEMA: Final = _schema()

"""Pure: what an outcome may say, and whether a logs request has one, which a token must be allowed.

Files and log records are held to the same.
"""

from __future__ import annotations

from google.protobuf import message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

OUTCOME_EVENT = "decision.outcome"
# Where a record without an event name has it; the view of outcomes reads both.
EVENT_NAME_ATTRIBUTE = "event.name"
KINDS = ("sale", "refund", "correction")
# What says that it was sold, or was not, in letters of any size.
YES, NO = ("true", "1", "yes"), ("false", "0", "no")
# Ten billion, of any currency: no decision earns that, and a hundred of them still have a sum.
AMOUNT_MAX = 10**10
# What an amount is written like; the whole text has to be one.
NUMBER = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$"


def carries_outcome(request: bytes) -> bool:
    """Return whether a record in a serialised logs request is an outcome.

    A name is one run of bytes on the wire, so most requests need no decoding. Bytes that are no
    request carry nothing: whoever stores them refuses them.
    """
    if OUTCOME_EVENT.encode() not in request:
        return False
    try:
        decoded = ExportLogsServiceRequest.FromString(request)
    except message.DecodeError:
        return False
    return any(
        _is_outcome(record)
        for resource in decoded.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    )


def _is_outcome(record: LogRecord) -> bool:
    return record.event_name == OUTCOME_EVENT or any(
        attribute.key == EVENT_NAME_ATTRIBUTE and attribute.value.string_value == OUTCOME_EVENT
        for attribute in record.attributes
    )

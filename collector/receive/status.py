"""Pure: the google.rpc.Status that OTLP asks for in the body of every error."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

# This module is the only one that imports these.
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # ships no types
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no types

INVALID_ARGUMENT = 3
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16


def rpc_status(code: int, reason: str, retry_seconds: int | None = None) -> Message:
    """Return a status; with `retry_seconds` it says after how long a retry is welcome."""
    details = []
    if retry_seconds is not None:
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=retry_seconds)))
        details.append(detail)
    status: Message = Status(code=code, message=reason, details=details)
    return status


def status_text(content: bytes) -> str:
    """Return what an error's body says; the body as text where it is not a status."""
    try:
        return str(Status.FromString(content).message)
    except DecodeError:
        return content.decode("utf-8", "replace")

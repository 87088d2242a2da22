"""Pure: problem details (RFC 9457): what an error over HTTP says, and in which form."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

MEDIA_TYPE: Final = "application/problem+json"
# Alertmanager's API v2 prescribes a text of JSON, and its senders log that.
_ALERTMANAGER: Final = "/api/v2/"


def problem(status: int, detail: str, path: str = "") -> tuple[str, bytes]:
    """Return media type and body of an error.

    The type is `about:blank`, which in the RFC means that the status says what kind it is.

    Args:
        status: of HTTP.
        detail: what is wrong, with the value that is, and what to do.
        path: that was asked for, "" where it is not known.
    """
    if path.startswith(_ALERTMANAGER):
        return "application/json", json.dumps(detail).encode()
    members = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if path:
        members["instance"] = quote(path)  # a reference, so what is no part of one is escaped
    return MEDIA_TYPE, json.dumps(members, ensure_ascii=False).encode("utf-8", "replace")

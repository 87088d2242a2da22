"""Pure: what `POST /api/v2/alerts` takes, as Alertmanager's API v2 has it (postableAlerts).

As there, what is right in a request is kept, and what is wrong is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from alerts.people.external import PostedAlert
from collector.core.errors import InputError
from collector.core.times import INSTANT_NS_MAX, iso_ns

BYTES_MAX: Final = 1_048_576
ALERTS_MAX: Final = 1_000
PAIRS_MAX: Final = 64
NAME_MAX: Final = 128
LABEL_MAX: Final = 1_024
ANNOTATION_MAX: Final = 8_192
URL_MAX: Final = 2_048

_PAIRS: Final = {
    "type": "object", "additionalProperties": {"type": "string"}, "maxProperties": PAIRS_MAX,
}  # fmt: skip
_INSTANT: Final = {"type": "string", "format": "date-time"}
# What the OpenAPI document says of a body that `parse_alerts` reads.
TAKES_ALERTS: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "Alerts as Alertmanager takes them (postableAlerts)",
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "maxItems": ALERTS_MAX,
                    "items": {
                        "type": "object",
                        "properties": {
                            "labels": {**_PAIRS, "minProperties": 1},
                            "annotations": _PAIRS,
                            "startsAt": _INSTANT,
                            "endsAt": _INSTANT,
                            "generatorURL": {"type": "string", "maxLength": URL_MAX},
                        },
                        "required": ["labels"],
                    },
                }
            }
        },
    }
}


def parse_alerts(content: bytes) -> tuple[list[PostedAlert], list[str]]:
    """Return the alerts of a request, and what is wrong with the others.

    Raises:
        InputError: it is not a list of alerts, or holds too many.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON: {str(error)[:200]}; send a list") from error
    if not isinstance(found, list):
        raise InputError(f"the body is a {type(found).__name__}; send a list of alerts")
    if len(found) > ALERTS_MAX:
        raise InputError(f"{len(found):,} alerts in one request; send {ALERTS_MAX:,} at most")
    alerts, problems = [], []
    for place, each in enumerate(found):
        try:
            alerts.append(_alert(each))
        except InputError as error:
            problems.append(f"alert {place}: {error}")
    return alerts, problems


def _alert(found: object) -> PostedAlert:
    if not isinstance(found, dict):
        raise InputError(f"is a {type(found).__name__}; send an object")
    # An empty label is none: Prometheus has it so.
    pairs = _pairs(found, "labels", LABEL_MAX)
    labels = {name: value for name, value in pairs.items() if value}
    if not labels:
        raise InputError("has no labels; send one pair at least, such as alertname")
    starts_ns, ends_ns = _instant(found, "startsAt"), _instant(found, "endsAt")
    if starts_ns is not None and ends_ns is not None and ends_ns < starts_ns:
        raise InputError("endsAt is before startsAt; an end comes after its start")
    return PostedAlert(
        labels=labels,
        annotations=_pairs(found, "annotations", ANNOTATION_MAX),
        generator_url=_text(found.get("generatorURL") or "", "generatorURL", URL_MAX),
        starts_ns=starts_ns,
        ends_ns=ends_ns,
    )


def _pairs(found: Mapping[str, Any], key: str, value_max: int) -> dict[str, str]:
    pairs = found.get(key) or {}
    if not isinstance(pairs, dict):
        raise InputError(f"{key} is a {type(pairs).__name__}; send an object of texts")
    if len(pairs) > PAIRS_MAX:
        raise InputError(f"{key} has {len(pairs):,} pairs; send {PAIRS_MAX} at most")
    return {
        _text(name, f"a name in {key}", NAME_MAX): _text(value, f"{key}.{name[:40]}", value_max)
        for name, value in pairs.items()
    }


def _text(value: object, what: str, chars_max: int) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} is a {type(value).__name__}; send a text")
    if len(value) > chars_max:
        raise InputError(f"{what} has {len(value):,} characters; send {chars_max:,} at most")
    if value and what.startswith("a name") and not value.isprintable():
        raise InputError(f"{what} holds control characters; send a name without")
    if what.startswith("a name") and not value:
        raise InputError(f"{what} is empty; name it")
    # A lone surrogate is no text that can be stored.
    return value.encode(errors="replace").decode()


def _instant(found: Mapping[str, Any], key: str) -> int | None:
    value = found.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.startswith("0001-"):
        return None  # Go's way to say no time
    at_ns = iso_ns(value, has_offset=True) if isinstance(value, str) and len(value) < 64 else None
    if at_ns is None or not 0 <= at_ns < INSTANT_NS_MAX:
        said = json.dumps(value)[:60]
        raise InputError(
            f"{key} {said} is not an instant; send RFC 3339, such as 2026-05-01T12:00:00Z"
        )
    return at_ns

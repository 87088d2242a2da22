"""Pure: signatures of Standard Webhooks 1.0.0, symmetric scheme `v1` (HMAC-SHA256).

Source: the Standard Webhooks specification 1.0.0, sections "Signature scheme" and "Verifying".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from collector.core.errors import DecodeError
from collector.core.times import NS_PER_S

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of a secret, not one
KEY_BYTES_MIN = 24
KEY_BYTES_MAX = 64


def key_of(secret: str) -> bytes:
    """Return the key in a secret.

    Raises:
        DecodeError: not `whsec_` and base64 of 24 to 64 bytes. The message never holds the secret.
    """
    expected = f"expected {SECRET_PREFIX} and base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes"
    if not secret.startswith(SECRET_PREFIX):
        raise DecodeError(f"a webhook secret lacks its prefix; {expected}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"a webhook secret is not base64; {expected}") from error
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise DecodeError(f"a webhook secret holds {len(key)} bytes; {expected}")
    return key


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature of one message as `webhook-signature` carries it."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, now_ns: int, tolerance_s: int = 300
) -> str:
    """Return the message id of a genuine and fresh webhook; receivers drop an id they have seen.

    Args:
        secret: the one that the sender signs with.
        headers: of the request; the case of their names does not matter.
        body: exactly as it arrived, before any parsing.
        now_ns: the receiver's time.
        tolerance_s: a message that is older, or further ahead, is rejected as a replay.

    Raises:
        DecodeError: a header is missing or malformed, the message is too old or too new, or no
            signature is right. Answer it with 401.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    message_id = _header(lower, "webhook-id")
    stamp = _header(lower, "webhook-timestamp")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise DecodeError(f"webhook-timestamp {stamp[:40]!r} is not whole seconds since 1970")
    age_s = now_ns // NS_PER_S - int(stamp)
    if abs(age_s) > tolerance_s:
        raise DecodeError(f"webhook-timestamp is {age_s} s old, {tolerance_s} s are tolerated")

    expected = sign(secret, message_id, int(stamp), body).encode()
    # Several signatures, separated by spaces, are how a sender rotates its secret.
    for candidate in _header(lower, "webhook-signature").split(" "):
        if hmac.compare_digest(expected, candidate.encode(errors="surrogateescape")):
            return message_id
    raise DecodeError("webhook-signature: none is right for this secret, id, timestamp and body")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise DecodeError(f"{name} is missing")
    return value

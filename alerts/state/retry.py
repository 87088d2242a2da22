"""Pure: the next step of a webhook after an attempt.

Source: Standard Webhooks 1.0.0, "Deliverability and reliability".
"""

from __future__ import annotations

import email.utils
import hashlib
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum

from collector.core.clock import NS_PER_S

# Waits after the first attempt, the second, ...: ten attempts over three days.
RETRY_DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# A receiver may ask for patience, but not hold a message for ever.
RETRY_AFTER_MAX_S = 86_400
_JITTER = 0.2

_GONE = 410
_THROTTLING = (429, 502, 503, 504)


class DeliveryStatus(StrEnum):
    """The status of one message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DISABLED = "disabled"  # the receiver answered that it is gone
    DEAD = "dead"  # given up; kept so that a person can send it again


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an attempt: an answer, or an error without one."""

    status_code: int | None
    retry_after: str = ""  # the header as it came
    error: str = ""
    said: str = ""  # the beginning of the answer, where it is a refusal


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with the message next."""

    status: DeliveryStatus
    due_ns: int
    detail: str


def next_step(reply: Reply, attempts: int, webhook_id: str, now_ns: int) -> Step:
    """Return the next step of a message after its attempt number `attempts`, counted from 1.

    2xx is done, 410 disables the endpoint, everything else, redirects too, is tried again until
    the schedule ends.
    """
    code = reply.status_code
    detail = reply.error or f"HTTP {code}"
    if code is not None and 200 <= code < 300:
        return Step(DeliveryStatus.DELIVERED, now_ns, detail)
    if code == _GONE:
        return Step(DeliveryStatus.DISABLED, now_ns, "HTTP 410: the receiver is gone for good")
    if attempts > len(RETRY_DELAYS_S):
        return Step(DeliveryStatus.DEAD, now_ns, f"{detail}; given up after {attempts} attempts")
    delay_ns = round(RETRY_DELAYS_S[attempts - 1] * NS_PER_S * _stretch(webhook_id, attempts))
    if code in _THROTTLING:
        delay_ns = max(delay_ns, retry_after_s(reply.retry_after, now_ns) * NS_PER_S)
    return Step(DeliveryStatus.PENDING, now_ns + delay_ns, detail)


def retry_after_s(header: str, now_ns: int) -> int:
    """Return the seconds that a Retry-After header asks for, 0 where it is absent or nonsense."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        # Beyond nine digits the number is past every maximum anyway.
        return min(int(text[:9]), RETRY_AFTER_MAX_S)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    wait_s = round(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) - now_ns // NS_PER_S
    return max(0, min(wait_s, RETRY_AFTER_MAX_S))


def _stretch(webhook_id: str, attempts: int) -> float:
    # Jitter that a restart does not draw anew: it spreads messages, so it may rest on their ids.
    # It only ever adds, so that no retry comes before its time.
    drawn = hashlib.sha256(f"{webhook_id}/{attempts}".encode()).digest()
    return 1 + _JITTER * int.from_bytes(drawn[:4], "big") / 2**32

"""Pure: the next step of a webhook after an attempt, and how long its receiver is left alone.

A receiver that does not answer, or answers that it cannot, is left alone for a time that is drawn
from zero to a maximum, which doubles with each failure ("full jitter"); then one message is tried,
the first in order. So a thousand messages for a dead receiver are one attempt at a time, a receiver
that comes back has all of them within minutes, and nothing overtakes. A message that the receiver
refuses as it is (4xx), or that alone fails for an hour, steps aside with its episode.

Source: Standard Webhooks 1.0.0, "Deliverability and reliability", which asks for a backoff with
jitter over days; its schedule of ten attempts, up to a day apart, is an example. An alert that
comes a day late is no alert, so ours stays within ten minutes.
"""

from __future__ import annotations

import email.utils
import hashlib
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Final

from collector.core.times import NS_PER_DAY, NS_PER_S

# The maximum after the first failure, and the largest.
BACKOFF_FIRST_S: Final = 5
BACKOFF_MAX_S: Final = 600
# So soon, at the soonest.
BACKOFF_MIN_S: Final = 1
# A message is given up at the first failure after this time.
GIVE_UP_NS: Final = 3 * NS_PER_DAY
# About an hour of trying the same message.
ASIDE_ATTEMPTS: Final = 12
# A receiver may ask for patience, but not hold a message for ever.
RETRY_AFTER_MAX_S: Final = 86_400

_GONE = 410
_THROTTLING = (429, 502, 503, 504)
# What among 4xx says nothing of the message: a timeout, too early, too many.
_NO_REFUSAL = (408, 425, 429)


class DeliveryStatus(StrEnum):
    """The status of one message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DISABLED = "disabled"  # the receiver answered that it is gone
    DEAD = "dead"  # given up; kept so that a person can send it again
    HELD = "held"  # a silence hides its alert; it is sent if that fires still when it ends
    SILENCED = "silenced"  # over before its silence, or a later message says more: not sent


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a message waits for its receiver, which failed when it was tried last."""

    failures: int  # in a row
    until_ns: int  # it is tried again then
    tried_ns: int  # when it failed last
    detail: str  # what it answered then


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an attempt: an answer, or an error without one."""

    status_code: int | None
    retry_after: str = ""  # the header as it came
    error: str = ""
    message: str = ""  # the beginning of the answer, where it is a refusal


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver one message."""

    webhook_id: str
    number: int  # of this message, from 1
    created_ns: int  # when the message was put into the outbox
    failures: int  # of the receiver in a row, before this attempt


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: with the message, and with its receiver."""

    status: DeliveryStatus
    due_ns: int  # of the message
    detail: str
    rests_until_ns: int = 0  # of the receiver; 0: it is well


def next_step(reply: Reply, attempt: Attempt, now_ns: int) -> Step:
    """Return the next step after an attempt.

    2xx is done, 410 disables the endpoint, everything else, redirects too, is tried again until
    the message is three days old.
    """
    code = reply.status_code
    detail = reply.error or f"HTTP {code}"
    if code is not None and 200 <= code < 300:
        return Step(DeliveryStatus.DELIVERED, now_ns, detail)
    if code == _GONE:
        return Step(DeliveryStatus.DISABLED, now_ns, "HTTP 410: the receiver is gone for good")
    rest_ns = backoff_ns(f"{attempt.webhook_id}/rest/{attempt.number}", attempt.failures + 1)
    if code in _THROTTLING:
        rest_ns = max(rest_ns, retry_after_s(reply.retry_after, now_ns) * NS_PER_S)
    if now_ns - attempt.created_ns >= GIVE_UP_NS:
        given_up = f"{detail}; given up after {attempt.number} attempts"
        return Step(DeliveryStatus.DEAD, now_ns, given_up, now_ns + rest_ns)
    is_refused = code is not None and 400 <= code < 500 and code not in _NO_REFUSAL
    # Due at once, since its receiver rests, whichever way the clock stepped since it was put in.
    due_ns = min(attempt.created_ns, now_ns)
    if is_refused or attempt.number >= ASIDE_ATTEMPTS:
        # Behind the rest, so that another message is the next that is tried.
        aside_ns = backoff_ns(f"{attempt.webhook_id}/{attempt.number}", attempt.number)
        due_ns = now_ns + rest_ns + aside_ns
    return Step(DeliveryStatus.PENDING, due_ns, detail, now_ns + rest_ns)


def backoff_ns(seed: str, failures: int) -> int:
    """Return a wait after so many failures in a row, counted from 1.

    The seed draws it, so that a restart does not draw anew.
    """
    most_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * int(2 ** min(failures - 1, 20)))
    drawn = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
    return round(max(BACKOFF_MIN_S, most_s * drawn) * NS_PER_S)


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

"""Pure: the rows that alerting writes, and the messages that it sends."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import astuple, dataclass
from decimal import Decimal
from typing import Any, Final

# The basis of an alert whose dollars nobody knows: its columns of money have no null.
UNKNOWN = "unknown"
MICRO_USD: Final = Decimal("0.000001")  # to which dollars are told
# Of a reason, where failures are what an alert is about: it may say before this what held it back.
_FAILING: Final = re.compile(
    r"(?:^|; )(([\d.]+)% of (?:its decisions|the decisions of [^;]+?) fail(?:ed)?)(?=$|[;,])"
)
# Of the reason of an alert about several classes: what it says else is of this one.
_FOCUS: Final = re.compile(r"; ([^;]+) loses most of it(?=$|;)")
# Of the reason of an alert whose calls are named (evidence/calls.py).
_CALLS: Final = re.compile(
    r"(?:^|; )((?:slower|first to fail) is [^;]+ (?:failed )?decisions)(?=;|$)"
)
_CALL: Final = re.compile(
    r"(slower|first to fail) is (no one call(?=:)|.+(?=, (?:\+[\d.]+ ms )?in \d+ of \d+ ))"
)


def failing_of(reason: str) -> str:
    """Return which share of decisions fails by the reason of an alert, "" where it is not that."""
    found = _FAILING.search(reason)
    return found[1] if found else ""


def failing_percent(reason: str) -> float:
    """Return the same as a number, 0 where it is not that."""
    found = _FAILING.search(reason)
    return float(found[2]) if found else 0.0


def rate_text(rate: str, over: str) -> str:
    """Return what a reason says an hour costs, by the newest seconds alone."""
    return f"{rate} at the rate of the last {over}"


def has_rate(reason: str) -> bool:
    """Return whether a reason says what an hour costs."""
    return "/h at the rate of the last " in reason


def focus_text(focus: object) -> str:
    """Return what a reason says of the class that it is about, of several."""
    return f"{focus} loses most of it"


def focus_of(reason: str) -> str:
    """Return the class of several that a reason is about, "" where it is about all it names."""
    found = _FOCUS.search(reason)
    return found[1] if found else ""


def calls_of(reason: str) -> list[str]:
    """Return what a reason says of the calls that are slower, or the first to fail; in order."""
    return [found[1] for found in _CALLS.finditer(reason)]


def without_calls(reason: str) -> str:
    """Return a reason without what it says of calls, where that is told beside it."""
    calls = calls_of(reason)
    return "; ".join(part for part in reason.split("; ") if part not in calls)


def calls_text(reason: str) -> tuple[str, str]:
    """Return the call that is the first to fail, and the slower one, "" for none that is named.

    `no one call` where it is in several.
    """
    names = {found[1]: found[2] for found in map(_CALL.match, calls_of(reason)) if found}
    return names.get("first to fail", ""), names.get("slower", "")


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One row of `alert_events`, field by column: a transition and the evaluation behind it."""

    episode_id: str
    seq: int
    rule: str
    severity: str
    action: str
    region: str
    from_state: str
    to_state: str
    at_ns: int
    recorded_ns: int
    started_ns: int
    window_s: int
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    revenue_at_risk_usd_per_h: Decimal
    burn: float
    basis: str
    slope_source: str
    blamed_stage: str
    blamed_class: str
    blamed_excess_ns: int
    reason: str
    is_shadow: bool = False  # its rule routed nothing yet
    incident_id: str = ""  # the episode of the first alert of its incident; "" until it fires

    @property
    def is_priced(self) -> bool:
        """Return whether its dollars mean something."""
        return self.basis != UNKNOWN


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """One row of `capture_requests`, field by column."""

    trigger_id: str
    at_ns: int
    from_ns: int
    to_ns: int
    action: str
    region: str


@dataclass(frozen=True, slots=True)
class Dollars:
    """A loss at the median slope, and the ends of its 90 % interval, of slope and value."""

    usd: Decimal = Decimal(0)
    low_usd: Decimal = Decimal(0)
    high_usd: Decimal = Decimal(0)

    def __add__(self, other: Dollars) -> Dollars:
        """Return the sum; the slope is common to both, so its quantiles add up."""
        return Dollars(
            self.usd + other.usd, self.low_usd + other.low_usd, self.high_usd + other.high_usd
        )

    def __sub__(self, other: Dollars) -> Dollars:
        """Return what is left of a loss that holds the other."""
        return Dollars(
            self.usd - other.usd, self.low_usd - other.low_usd, self.high_usd - other.high_usd
        )

    def __mul__(self, times: int | Decimal) -> Dollars:
        """Return so many of it."""
        return Dollars(self.usd * times, self.low_usd * times, self.high_usd * times)

    def an_hour(self, seconds: Decimal) -> Dollars:
        """Return what an hour costs at the rate of a loss in so many seconds."""
        of = self * (3_600 / seconds)
        return Dollars(*(each.quantize(MICRO_USD) for each in astuple(of)))


@dataclass(frozen=True, slots=True)
class Owned:
    """The dollars that are one alert's own: over all that fire they add up, each counted once."""

    episode_id: str
    at_ns: int  # of the pass
    since_ns: int  # when the losses began that made it fire
    lost: Dollars  # since then
    at_risk: Dollars  # an hour, at the rate of the newest decisions
    explained_by: str  # narrower alerts without whose decisions it would not fire, "" for none


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook for one endpoint: what has the same id has the same body, in every attempt."""

    webhook_id: str
    endpoint: str
    episode_id: str
    seq: int
    kind: str  # alert.firing or alert.resolved
    body: bytes


def webhook_id(episode_id: str, seq: int, endpoint: str) -> str:
    """Return the id of a message; a retry has the same, so that a receiver can drop it."""
    return f"{episode_id}-{seq}-{endpoint}"


def to_json(row: AlertEvent | CaptureRequest) -> str:
    """Return a row as text; money keeps its digits."""
    return json.dumps(dataclasses.asdict(row), default=str, ensure_ascii=False)


def event_from_json(text: str) -> AlertEvent:
    """Return the event that `to_json` wrote."""
    return AlertEvent(**_fields(AlertEvent, text))


def capture_from_json(text: str) -> CaptureRequest:
    """Return the request that `to_json` wrote."""
    return CaptureRequest(**_fields(CaptureRequest, text))


def _fields(row_type: type, text: str) -> dict[str, Any]:
    written = json.loads(text)
    money = {f.name for f in dataclasses.fields(row_type) if f.type in (Decimal, "Decimal")}
    return {name: Decimal(value) if name in money else value for name, value in written.items()}

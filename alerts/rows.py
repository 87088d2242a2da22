"""Pure: the rows that alerting writes, and the messages that it sends."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from decimal import Decimal
from typing import Any, Final

# The basis of an alert whose dollars nobody knows: its columns of money have no null.
UNKNOWN = "unknown"
# Behind why an alert fires stands in its reason how it came to be told.
DELIVERY: Final = "; delivery: "
MICRO_USD: Final = Decimal("0.000001")  # to which amounts are kept
# From so large a share on a percentage has no use for decimals.
_WHOLE_SHARE_MIN: Final = 0.1


def rate_text(rate: str, over: str) -> str:
    """Return what a reason says an hour costs, by the newest seconds alone."""
    return f"{rate} at the rate of the last {over}"


def has_rate(reason: str) -> bool:
    """Return whether a reason says what an hour costs."""
    return "/h at the rate of the last " in reason


def why_alone(reason: str) -> str:
    """Return why an alert is as it is, without how it came to be told."""
    return reason.partition(DELIVERY)[0]


def share_text(share: float) -> str:
    """Return a share as a percentage, to two figures where it is less than a tenth."""
    return f"{100 * share:,.0f}%" if share >= _WHOLE_SHARE_MIN else f"{100 * share:.2g}%"


def failing_text(share: float, focus: str = "", verb: str = "fail") -> str:
    """Return which share of decisions fails, "" where failures are not what an alert is about.

    Args:
        share: of the decisions, 0 where it is not about failures.
        focus: whose they are, "" for those that the alert is on.
        verb: `failed` of what is over.
    """
    whose = f"the decisions of {focus}" if focus else "its decisions"
    return f"{share_text(share)} of {whose} {verb}" if share else ""


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
    # What the cause is of, where the alert is on several classes: `action/region`; "" for one.
    focus: str = ""
    failing_share: float = 0.0  # of the decisions, where failures are what it is about
    blamed_baseline: str = ""  # than what the blamed segment takes longer
    # By service and name of the span, `no one call` for several, "" where nothing is known; and
    # the same with the number of decisions, in words.
    failing_call: str = ""
    failing_call_text: str = ""
    slow_call: str = ""
    slow_call_text: str = ""

    @property
    def is_priced(self) -> bool:
        """Return whether its dollars mean something."""
        return self.basis != UNKNOWN

    @property
    def calls(self) -> tuple[str, ...]:
        """Return the calls that it is in, in words: the first to fail, then the slower one."""
        return tuple(filter(None, (self.failing_call_text, self.slow_call_text)))

    @property
    def reason_with_calls(self) -> str:
        """Return why it is as it is, for who sees nothing else of it, and perhaps not all."""
        return "; ".join([*self.calls, self.reason])


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


def messages_to(
    endpoints: Iterable[str], kind: str, event: AlertEvent, content: bytes
) -> tuple[Message, ...]:
    """Return what each endpoint is sent of an event."""
    return tuple(
        Message(
            webhook_id=webhook_id(event.episode_id, event.seq, endpoint),
            endpoint=endpoint,
            episode_id=event.episode_id,
            seq=event.seq,
            kind=kind,
            body=content,
        )
        for endpoint in endpoints
    )


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

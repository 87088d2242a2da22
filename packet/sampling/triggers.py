"""Pure: what is worth keeping packets for, beside an alert.

A decision far slower than its kind, a second in which many segments were sent again, a burst that
made a queue. Each asks every recorder for the packets around it; what overlaps is one request, and
an hour has a limit, so that a bad day does not keep everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from packet.tcp.per_second import WireSecond

_NAMED_MAX = 256  # traces or connections that one trigger names


class Cause(StrEnum):
    """What raised a trigger."""

    OUTLIER = "outlier"
    RETRANSMISSIONS = "retransmissions"
    MICROBURST = "microburst"


@dataclass(frozen=True, slots=True)
class Outlier:
    """A decision that took far longer than its action usually does."""

    trace_id: str
    action: str
    ingress_ns: int
    end_ns: int
    usual_ns: int  # the 99.9th percentile of the ten minutes before


@dataclass(frozen=True, slots=True)
class Trigger:
    """One row of `capture_triggers`: a request to every recorder."""

    trigger_id: str
    began_ns: int
    cause: Cause
    from_ns: int
    to_ns: int
    trace_ids: tuple[str, ...]  # whose connections are wanted
    port_pairs: tuple[int, ...]  # connections that are wanted
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """When a trigger is raised, and how much it asks for."""

    before_s: float
    after_s: float
    retransmissions_min: int  # in a second
    retransmission_ratio: float  # ... and of its packets
    queue_ms_min: float


def of_seconds(seconds: Iterable[WireSecond], host: str, limits: Limits) -> list[Trigger]:
    """Return what the figures of the wire raise, by time."""
    raised = []
    for second in seconds:
        ratio = second.retransmissions / second.packets
        if (
            second.retransmissions >= limits.retransmissions_min
            and ratio >= limits.retransmission_ratio
        ):
            reason = f"{second.retransmissions} of {second.packets} packets were sent again"
            raised.append(_around(Cause.RETRANSMISSIONS, second.second_ns, host, limits,
                                  port_pairs=second.retransmitting, reason=reason))  # fmt: skip
        for burst in second.bursts:
            if burst.queue_ns < limits.queue_ms_min * NS_PER_MS:
                continue
            reason = (
                f"{burst.wire_bytes} bytes in {(burst.end_ns - burst.start_ns) / NS_PER_MS:g} ms "
                f"from {burst.flows} connections: {burst.queue_ns / NS_PER_MS:.2f} ms of queue"
            )
            raised.append(_around(Cause.MICROBURST, burst.start_ns, host, limits,
                                  port_pairs=burst.port_pairs, reason=reason))  # fmt: skip
    return raised


def of_outliers(outliers: Iterable[Outlier], host: str) -> list[Trigger]:
    """Return what slow decisions raise: the packets of each, and no others of its time."""
    return [
        Trigger(
            trigger_id=_name(Cause.OUTLIER, host, outlier.ingress_ns),
            began_ns=outlier.ingress_ns,
            cause=Cause.OUTLIER,
            from_ns=outlier.ingress_ns,
            to_ns=outlier.end_ns,
            trace_ids=(outlier.trace_id,),
            port_pairs=(),
            reason=f"{outlier.action} took {(outlier.end_ns - outlier.ingress_ns) / NS_PER_MS:.1f} "
            f"ms; 99.9 % take {outlier.usual_ns / NS_PER_MS:.1f} ms or less",
        )
        for outlier in sorted(outliers, key=lambda each: each.ingress_ns)
    ]


class Debounce:
    """Makes one request of triggers that overlap, and keeps to the limit of an hour."""

    def __init__(self, per_hour_max: int) -> None:
        self._per_hour_max = per_hour_max
        self._open: dict[Cause, Trigger] = {}
        self._raised_ns: deque[int] = deque()
        self.refused = 0

    def take(self, raised: Sequence[Trigger]) -> list[Trigger]:
        """Return the rows to write: new requests, and open ones that now reach further."""
        written: dict[str, Trigger] = {}
        for trigger in raised:
            open_trigger = self._open.get(trigger.cause)
            if open_trigger is not None and trigger.from_ns <= open_trigger.to_ns:
                merged = _merged(open_trigger, trigger)
            else:
                while self._raised_ns and self._raised_ns[0] <= trigger.began_ns - NS_PER_HOUR:
                    self._raised_ns.popleft()
                if len(self._raised_ns) >= self._per_hour_max:
                    self.refused += 1
                    continue
                self._raised_ns.append(trigger.began_ns)
                merged = trigger
            self._open[trigger.cause] = merged
            if merged != open_trigger:
                written[merged.trigger_id] = merged
        return list(written.values())


def _around(
    cause: Cause,
    at_ns: int,
    host: str,
    limits: Limits,
    *,
    port_pairs: tuple[int, ...],
    reason: str,
) -> Trigger:
    return Trigger(
        trigger_id=_name(cause, host, at_ns),
        began_ns=at_ns,
        cause=cause,
        from_ns=at_ns - round(limits.before_s * NS_PER_S),
        to_ns=at_ns + round(limits.after_s * NS_PER_S),
        trace_ids=(),
        port_pairs=port_pairs,
        reason=reason,
    )


def _name(cause: Cause, host: str, at_ns: int) -> str:
    """Return the same name for the same event, so that a rerun writes the same row."""
    return "-".join(part for part in (cause.value, host, f"{at_ns:x}") if part)


def _merged(open_trigger: Trigger, more: Trigger) -> Trigger:
    return replace(
        open_trigger,
        to_ns=max(open_trigger.to_ns, more.to_ns),
        from_ns=min(open_trigger.from_ns, more.from_ns),
        trace_ids=tuple(dict.fromkeys((*open_trigger.trace_ids, *more.trace_ids)))[:_NAMED_MAX],
        port_pairs=tuple(dict.fromkeys((*open_trigger.port_pairs, *more.port_pairs)))[:_NAMED_MAX],
    )

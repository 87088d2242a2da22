"""Pure: what happened to one alert, in order: changes, messages, and what people did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from alerts.people.notes import ACK, Note
from alerts.people.silences import Silence
from alerts.rows import AlertEvent, has_rate
from alerts.state.deliveries import Delivery
from alerts.state.retry import Rest
from collector.core.times import NS_PER_S
from dashboard.read.alerts.wording import after
from dashboard.units import Zone, signed_ms, usd

# A change is dated by the decisions that made it. One that was found so much later says when.
_FOUND_LATE_NS = 30 * NS_PER_S
_USEFUL = {True: "; there was something to do", False: "; there was nothing to do", None: ""}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the history of an alert. The text may hold what a sender wrote."""

    at_ns: int
    kind: str  # changed, cause, message, ack, comment or silence
    actor: str  # "" where it was Millworth itself
    text: str


def timeline(
    events: Sequence[AlertEvent],
    deliveries: Sequence[Delivery],
    notes: Sequence[Note],
    silences: Sequence[Silence],
    zone: Zone,
    now_ns: int,
) -> list[Moment]:
    """Return everything that happened, the newest first; ends are by the clock of a zone."""
    found = [
        *_changes(events, lambda ns: zone.dated_at(ns, now_ns)),
        *(_message(each, zone, now_ns) for each in deliveries),
        *map(_note, notes),
        *(moment for silence in silences for moment in _silence(silence, zone, now_ns)),
    ]
    # What happened in one instant stays in the order of its causes.
    return sorted(found, key=lambda moment: moment.at_ns)[::-1]


def _changes(events: Sequence[AlertEvent], at: Callable[[int], str]) -> Iterator[Moment]:
    for before, event in pairwise([None, *events]):
        assert event is not None
        why = event.reason
        cost = ""  # but of what the reason does not say: each figure stands once
        if event.is_priced and not has_rate(event.reason):
            rate = usd(event.revenue_at_risk_usd_per_h)
            cost = f"; {rate} / h at the rate of its newest seconds"
        if event.from_state == event.to_state:
            if before is None or blamed(before) != blamed(event):
                yield Moment(event.at_ns, "cause", "", _suspect(event))
            elif event.calls and event.calls != before.calls:
                yield Moment(event.at_ns, "cause", "", "; ".join(event.calls))
            else:  # a rule was promoted, or it is told of now
                yield Moment(event.at_ns, "changed", "", f"{event.to_state}{cost}: {why}")
            continue
        is_late = event.recorded_ns - event.at_ns >= _FOUND_LATE_NS
        found = f"; found at {at(event.recorded_ns)}" if is_late else ""
        text = f"{event.from_state} → {event.to_state}{cost}: {why}{found}"
        yield Moment(event.at_ns, "changed", "", text)


def blamed(event: AlertEvent) -> tuple[str, str, int]:
    """Return the suspect: its stage, its class and its mean excess in ns."""
    return event.blamed_stage, event.blamed_class, event.blamed_excess_ns


def _suspect(event: AlertEvent) -> str:
    if not event.blamed_stage:
        return "no segment stands out any more"
    segment = f"{event.blamed_stage}/{event.blamed_class}"
    return f"the cause is now {segment}, {signed_ms(event.blamed_excess_ns)} a decision"


def _message(delivery: Delivery, zone: Zone, now_ns: int) -> Moment:
    tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts or 'no'} attempts"
    detail = f": {delivery.detail}" if delivery.detail else ""
    said = f"{delivery.kind} to {delivery.endpoint}: {delivery.status}, {tries}{detail}"
    if delivery.rest is not None:
        said += "; " + rest_text(delivery.rest, now_ns, lambda ns: zone.dated_at(ns, now_ns))
    # What was held back, or retried, came later than it was written.
    return Moment(delivery.tried_ns or delivery.created_ns, "message", "", said)


def rest_text(rest: Rest, now_ns: int, at: Callable[[int], str]) -> str:
    """Return why a message waits for its receiver, and until when; `at` writes an instant."""
    failed = "failed" if rest.failures == 1 else f"failed {rest.failures:,} times in a row"
    until = f"rests until {at(rest.until_ns)}"
    then = until if rest.until_ns > now_ns else "is tried again now"
    return f"the receiver {failed}, the last time at {at(rest.tried_ns)}: {rest.detail}; it {then}"


def _note(note: Note) -> Moment:
    verb = "acknowledged" if note.kind == ACK else "comment"
    text = f"{verb}{after(note.text)}{_USEFUL[note.is_actionable]}"
    return Moment(note.at_ns, note.kind, note.actor, text)


def _silence(silence: Silence, zone: Zone, now_ns: int) -> Iterator[Moment]:
    names = ", ".join(str(matcher) for matcher in silence.matchers)
    until = zone.dated_at(silence.planned_ns or silence.ends_ns, now_ns)
    text = f"silence {silence.id} until {until} ({names}): {silence.reason}"
    yield Moment(silence.made_ns, "silence", silence.actor, text)
    if silence.ended_by:
        ended = f"silence {silence.id} ended before its time{after(silence.end_reason)}"
        yield Moment(silence.ends_ns, "silence", silence.ended_by, ended)
    elif silence.ends_ns <= now_ns:
        yield Moment(silence.ends_ns, "silence", "", f"silence {silence.id} ended in its time")

"""I/O: the alerts of a range of time, the dearest first, and what is at risk by all that fire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from alerts.people.standing import standings
from alerts.rows import UNKNOWN, AlertEvent, Dollars
from alerts.rules.base import RuleConfig, Severity
from alerts.rules.ledger import Claim, rates
from alerts.state.routed import open_alerts
from alerts.state.sqlite import AlertStore
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import Phase
from dashboard.read.alerts.counts import Counts, count_alerts
from dashboard.read.alerts.exemplars import exemplars
from dashboard.read.alerts.losses import ClassLosses, lost_together, with_losses
from dashboard.read.alerts.rows import FIRING_STATES, OPEN_STATES, AlertRow
from dashboard.read.reader import ALERTS_COUNTED_MAX, Reader
from dashboard.read.rows import Range, Reference

# Each exemplar is a question of its own.
_EXEMPLARS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class IncidentSum:
    """The alerts of one incident together: a dollar that several are about is in it once."""

    incident_id: str
    alerts: int
    began_ns: int  # when the first of them began to fire
    ended_ns: int | None  # when the last of them was over; None: one is open
    at_risk: AtRisk  # by those that fire or cool
    lost_usd: Decimal | None  # so far; None: of none of them it is known


@dataclass(frozen=True, slots=True)
class Listed:
    """The alerts of a range, what costs most first."""

    alerts: list[AlertRow]
    total: int  # of the range, with those beyond as many as are read
    lost: ClassLosses  # what classes lost, of which that of each alert is the sum


@dataclass(frozen=True, slots=True)
class AtRisk:
    """What all alerts that fire or cool cost an hour now, with the ends of the 90 % interval."""

    usd_per_h: Decimal | None  # None: some are open, and of none it is known
    low_usd_per_h: Decimal | None
    high_usd_per_h: Decimal | None
    alerts: int  # that it is the sum of
    unpriced: int  # beside them, of which nobody knows the dollars
    old: int  # counted as of their last change: their newest minutes have no decision
    silent: int  # beside them, that fired and whose data stopped
    counts: Counts  # of all alerts of the range's classes


def dearest_first(alerts: Iterable[AlertRow]) -> list[AlertRow]:
    """Return alerts in the order of all lists: what costs comes first.

    Open ones before what is over; of those classes that went quiet and never fired last, live ones
    before shadow, what can be judged before what cannot; then by what is at risk an hour, then by
    what was lost.
    """
    return sorted(alerts, key=_dearness)


def _dearness(alert: AlertRow) -> tuple[bool, bool, bool, bool, Decimal, Decimal, int]:
    is_over, is_unjudged = alert.state not in OPEN_STATES, alert.state == UNKNOWN
    is_quiet = is_unjudged and not alert.has_fired
    costs = -(Decimal(0) if is_over else rate_of(alert)), -(alert.lost_usd or Decimal(0))
    return is_over, is_quiet, alert.is_shadow, is_unjudged, *costs, -alert.at_ns


def listed_alerts(reader: Reader, seen: Range) -> Listed:
    """Return the alerts of a range, with what they cost now and so far."""
    alerts, total = reader.alerts(seen, ALERTS_COUNTED_MAX)
    found, lost = with_losses(reader, alerts, seen.to_ns)
    return Listed(dearest_first(found), total, lost)


def alerts_at_risk(reader: Reader, seen: Range) -> tuple[list[AlertRow], AtRisk]:
    """Return the same, and what is at risk in a range by those that fire."""
    alerts, _ = reader.alerts(seen, ALERTS_COUNTED_MAX)
    found, lost = with_losses(reader, alerts, seen.to_ns)
    of_classes = [each for each in found if each.is_of(seen.action, seen.region)]
    live = [each for each in of_classes if not each.is_shadow]
    chosen = Subject(seen.action or ALL, seen.region or ALL)
    at_risk = replace(_at_risk(live, lost, chosen), counts=count_alerts(of_classes))
    return dearest_first(found), at_risk


def incident_sum(alerts: Sequence[AlertRow], lost: ClassLosses) -> IncidentSum:
    """Return the sum of alerts of one incident.

    Args:
        alerts: that `with_losses` returned, one or more.
        lost: what it returned beside.
    """
    is_open = any(each.state in OPEN_STATES for each in alerts)
    return IncidentSum(
        incident_id=alerts[0].incident_id,
        alerts=len(alerts),
        began_ns=min(each.started_ns or each.first_ns for each in alerts),
        ended_ns=None if is_open else max(each.at_ns for each in alerts),
        at_risk=_at_risk(alerts, lost, Subject(ALL, ALL)),
        lost_usd=lost_together(alerts, lost),
    )


def incident_sums(listed: Listed) -> list[IncidentSum]:
    """Return the incidents of listed alerts, each where the first of its alerts stands."""
    found: dict[str, list[AlertRow]] = {}
    for alert in listed.alerts:
        if alert.incident_id:
            found.setdefault(alert.incident_id, []).append(alert)
    return [incident_sum(alerts, listed.lost) for alerts in found.values()]


def with_exemplars(
    reader: Reader,
    alerts: Sequence[AlertRow],
    seen: Range,
    reference: Reference,
    rules: Iterable[RuleConfig] = (),
) -> list[AlertRow]:
    """Return alerts, the first 50 each with the decision that shows best what it is about.

    Where its packets were asked for, it says whether all of them were kept.
    """
    named = {rule.name: rule for rule in rules}
    found = with_packets(reader, alerts, seen)
    shown = [
        replace(alert, exemplar=_exemplar(reader, alert, named.get(alert.rule), reference))
        for alert in found[:_EXEMPLARS_MAX]
    ]
    return shown + found[_EXEMPLARS_MAX:]


def _exemplar(
    reader: Reader, alert: AlertRow, rule: RuleConfig | None, reference: Reference
) -> str:
    found = exemplars(reader, alert, rule, reference, alert.at_ns, rows_max=1)
    return next((each.decision_id for each in found), "")


def with_packets(reader: Reader, alerts: Sequence[AlertRow], seen: Range) -> list[AlertRow]:
    """Return alerts with what is known of their packets."""
    packets = reader.kept_packets([alert.episode_id for alert in alerts], seen)
    return [replace(alert, packets=packets.get(alert.episode_id)) for alert in alerts]


def with_people(
    alerts: Sequence[AlertRow], state: AlertStore | None, now_ns: int, to_ns: int | None = None
) -> list[AlertRow]:
    """Return alerts in their order, with what people did about them where this process knows.

    Of a range that ended at `to_ns`, in the past, it is what they had done by then.
    """
    if state is None:
        return list(alerts)
    of_open = [alert for alert in alerts if alert.state in OPEN_STATES]
    at_ns = now_ns if to_ns is None else min(to_ns, now_ns)
    known = standings(state, alerts, of_open, at_ns, is_past=at_ns < now_ns)
    return [replace(each, people=known[each.episode_id]) for each in alerts]


def row_of(events: Sequence[AlertEvent]) -> AlertRow:
    """Return an alert as of the last of its events, without what the store knows beside.

    Of one that is over or cools the reason is why it fired, and not why it does no longer.
    """
    last = events[-1]
    return AlertRow(
        episode_id=last.episode_id,
        seq=last.seq,
        rule=last.rule,
        severity=last.severity,
        action=last.action,
        region=last.region,
        state=last.to_state,
        first_ns=events[0].at_ns,
        at_ns=last.at_ns,
        started_ns=max(event.started_ns for event in events),
        window_s=last.window_s,
        loss_usd=last.loss_usd,
        loss_low_usd=last.loss_low_usd,
        loss_high_usd=last.loss_high_usd,
        revenue_at_risk_usd_per_h=last.revenue_at_risk_usd_per_h,
        burn=last.burn,
        basis=last.basis,
        blamed_stage=last.blamed_stage,
        blamed_class=last.blamed_class,
        blamed_excess_ns=last.blamed_excess_ns,
        reason=explaining_event(events).reason,
        is_shadow=last.is_shadow,
        incident_id=last.incident_id,
        focus=last.focus,
        failing_share=last.failing_share,
        failing_call=last.failing_call,
        failing_call_text=last.failing_call_text,
        slow_call=last.slow_call,
        slow_call_text=last.slow_call_text,
    )


def explaining_event(events: Sequence[AlertEvent]) -> AlertEvent:
    """Return the event whose reason is that of the alert: of what is over, the last as it fired."""
    fired = [each for each in events if each.to_state == Phase.FIRING]
    is_ending = events[-1].to_state in (Phase.COOLING, Phase.RESOLVED)
    return fired[-1] if is_ending and fired else events[-1]


def alerts_of_state(state: AlertStore, now_ns: int) -> list[AlertRow]:
    """Return what fires as the alert state has it, the dearest first: the store may be away."""
    found = [row_of(state.events(alert.episode_id)) for alert in open_alerts(state)]
    return with_people(dearest_first(found), state, now_ns)


def rate_of(alert: AlertRow) -> Decimal:
    """Return what an alert costs an hour: now, or as of its last transition."""
    now = alert.now_usd_per_h
    return alert.revenue_at_risk_usd_per_h if now is None else now


def _at_risk(alerts: Sequence[AlertRow], lost: ClassLosses, chosen: Subject) -> AtRisk:
    """Return the sum over those of alerts that fire or cool, of the classes that are chosen.

    As the ledger of alerts has it: a class counts once, by the alert that owns its losses. An alert
    of whose newest decisions none has a value counts as of its last change, unless another that
    counts may be about the same decisions. The ends add up, because all rest on one slope.
    """
    firing = [each for each in alerts if each.state in FIRING_STATES]
    claims = {_claim(each): each for each in firing if each.is_priced}
    classes = filter(chosen.covers, lost.classes)
    known = rates(claims, classes, lost.an_hour_since, lost.end_ns)
    counted = [each for each in claims if claims[each].now_usd_per_h is not None]
    old: list[Claim] = []
    for claim in sorted(claims, key=lambda each: (-each.breadth, -rate_of(claims[each]))):
        if not any(claim.subject.meets(other.subject) for other in (*counted, *old)):
            old.append(claim)
    before = (Dollars(rate_of(claims[each]), *interval_of(claims[each])) for each in old)
    total = sum((*known.values(), *before), Dollars())
    silent = sum(each.is_open_and_silent for each in alerts)
    is_known = bool(claims) or not (firing or silent)
    return AtRisk(
        usd_per_h=total.usd if is_known else None,
        low_usd_per_h=total.low_usd if is_known else None,
        high_usd_per_h=total.high_usd if is_known else None,
        alerts=len(claims),
        unpriced=len(firing) - len(claims),
        old=len(old),
        silent=silent,
        counts=count_alerts(alerts),
    )


def _claim(alert: AlertRow) -> Claim:
    severity: Severity = "page" if alert.severity == "page" else "ticket"
    subject = alert.subject
    return Claim(alert.rule, subject, severity, alert.window_s, alert.started_ns, subject.covers)


def interval_of(alert: AlertRow) -> tuple[Decimal, Decimal]:
    """Return the ends of the interval of `rate_of`."""
    low, high = alert.now_low_usd_per_h, alert.now_high_usd_per_h
    if alert.now_usd_per_h is not None and low is not None and high is not None:
        return low, high
    # At risk is the rate of the short window; the slope's spread is that of the long one.
    scale = alert.revenue_at_risk_usd_per_h / alert.loss_usd if alert.loss_usd else Decimal(0)
    return alert.loss_low_usd * scale, alert.loss_high_usd * scale


def beside(alerts: Sequence[AlertRow]) -> Mapping[str, int]:
    """Return by episode how many others of its incident are open, of the alerts that are open."""
    open_ones = [each for each in alerts if each.state in OPEN_STATES and each.incident_id]
    of_incident = Counter(each.incident_id for each in open_ones)
    return {each.episode_id: of_incident[each.incident_id] - 1 for each in open_ones}

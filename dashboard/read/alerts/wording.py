"""Pure: what an alert is about, in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol

from alerts.rows import failing_text, why_alone
from dashboard.read.alerts.listing import IncidentSum
from dashboard.read.packet_rows import KeptPackets
from dashboard.units import count, counted, ms, percent, shorten, signed_ms, usd

_NAME_MAX: Final = 80
_REASON_MAX: Final = 160
_CLASSES: Final = {
    "store": "store",
    "network": "network",
    "compute": "own code",
    "untraced": "untraced time",
}


class Caused(Protocol):
    """An alert: an event, or a row of the pages."""

    @property
    def action(self) -> str:
        """Return the action, or the service in its place."""
        ...

    @property
    def region(self) -> str:
        """Return the region."""
        ...

    @property
    def blamed_stage(self) -> str:
        """Return the stage of the suspect segment, "" without one."""
        ...

    @property
    def blamed_class(self) -> str:
        """Return the class of the suspect segment, "" without one."""
        ...

    @property
    def blamed_excess_ns(self) -> int:
        """Return its mean excess over normal, a decision."""
        ...

    @property
    def focus(self) -> str:
        """Return the class that its cause is of, "" where it is on one alone."""
        ...

    @property
    def failing_share(self) -> float:
        """Return the share of decisions that fail, 0 where it is not about failures."""
        ...

    @property
    def failing_call(self) -> str:
        """Return the first call to fail, "" where it is not known."""
        ...

    @property
    def slow_call(self) -> str:
        """Return the call that takes longer, "" where it is not known."""
        ...

    @property
    def reason(self) -> str:
        """Return why it fires."""
        ...


def after(text: str) -> str:
    """Return what somebody wrote, behind what it was written about; "" of nothing."""
    return f": {text}" if text else ""


def subject_of(alert: Caused) -> str:
    """Return what an alert is on: `offer / eu-west`."""
    names = (shorten(name, _NAME_MAX) for name in (alert.action, alert.region) if name)
    return " / ".join({"*": "all"}.get(name, name) for name in names) or "all data"


def cause_of(alert: Caused) -> str:
    """Return the cause: `offer / eu-west: store slower by 120 ms than normal`.

    Of an alert about several classes it is that of one, which it names.
    """
    subject, failing = subject_of(alert), failing_text(alert.failing_share)
    if alert.focus and (failing or alert.blamed_stage):
        subject = f"{subject}, most by {shorten(alert.focus, _NAME_MAX)}"
    failing += f", first in {alert.failing_call}" if failing and alert.failing_call else ""
    if not alert.blamed_stage:
        reason = failing or shorten(why_alone(alert.reason), _REASON_MAX)
        return f"{subject}: {reason or 'no reason was given'}"
    name = _CLASSES.get(alert.blamed_class, alert.blamed_class)
    digits = 0 if abs(alert.blamed_excess_ns) >= 10_000_000 else 1
    slower = f"{name} slower by {ms(alert.blamed_excess_ns, digits)} than normal"
    slower += f", in {alert.slow_call}" if alert.slow_call else ""
    return f"{subject}: {failing}, {slower}" if failing else f"{subject}: {slower}"


def packets_of(packets: KeptPackets | None) -> str:
    """Return how much of the packets of an alert is kept, in words."""
    if packets is None:
        return "not looked for yet, or none are recorded"
    requests = counted(packets.requests, "request")
    if not packets.rebuilt:
        return f"none of {requests} has all of its packets"
    kept = f"every packet of {count(packets.rebuilt)} of {requests} was kept"
    chance = percent(packets.probability, 2)
    return (
        kept if chance == percent(0, 2) else f"{kept}; the chance that none is missing is {chance}"
    )


def incident_of(found: IncidentSum, at: Callable[[int], str]) -> str:
    """Return what an incident costs and has cost, in words; `at` writes an instant."""
    risk, lost = found.at_risk, _lost(found.lost_usd)
    parts = [counted(found.alerts, "alert")]
    if found.ended_ns is None:
        rate = (
            f"{usd(risk.usd_per_h)} / h at risk"
            if risk.alerts and risk.usd_per_h is not None
            else "risk unknown"
        )
        parts += [risk.counts.text, rate, f"{lost} so far", f"since {at(found.began_ns)}"]
    else:
        parts += [lost, f"{at(found.began_ns)} to {at(found.ended_ns)}"]
    return ", ".join(parts)


def companion_dollars(usd_per_h: Decimal | None, lost_usd: Decimal | None) -> str:
    """Return what another alert of an incident costs, in words."""
    rate = "" if usd_per_h is None else f"{usd(usd_per_h)} / h, "
    return rate + _lost(lost_usd)


def _lost(lost_usd: Decimal | None) -> str:
    return "loss unknown" if lost_usd is None else f"{usd(lost_usd)} lost"


def segment_of(blamed: str, excess_ns: int) -> str:
    """Return the segment that an alert is put down to, in words, "" where none stands out."""
    return f"{blamed}, {signed_ms(excess_ns)} a decision over normal" if blamed else ""

"""Pure: what an alert is about, in one sentence."""

from __future__ import annotations

from typing import Final, Protocol

from dashboard.units import ms, shorten

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
    def reason(self) -> str:
        """Return why it fires."""
        ...


def subject_of(alert: Caused) -> str:
    """Return what an alert is on: `offer / eu-west`."""
    names = (shorten(name, _NAME_MAX) for name in (alert.action, alert.region) if name)
    return " / ".join({"*": "all"}.get(name, name) for name in names) or "all data"


def cause_of(alert: Caused) -> str:
    """Return the cause: `offer / eu-west: store slower by 120 ms than normal`."""
    subject = subject_of(alert)
    if not alert.blamed_stage:
        return f"{subject}: {shorten(alert.reason, _REASON_MAX) or 'no reason was given'}"
    name = _CLASSES.get(alert.blamed_class, alert.blamed_class)
    digits = 0 if abs(alert.blamed_excess_ns) >= 10_000_000 else 1
    return f"{subject}: {name} slower by {ms(alert.blamed_excess_ns, digits)} than normal"

"""I/O: what alerts cost, now and so far: one question to the store for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from attribution.core.selection import RATE_S_MIN
from collector.core.clock import NS_PER_HOUR, NS_PER_S
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range

# "Now" is the window of an alert, but not the six hours of a slow one.
NOW_S_MAX: Final = 300
# What an alert has cost counts from before it fired: by its window, but not three days of it.
BEFORE_S_MAX: Final = 3_600
# Seconds are written a while after their decisions.
_OPEN_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True)
class Loss:
    """What lateness cost one class of decisions in one range of time."""

    decisions: int
    unvalued: int
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    first_ns: int
    last_ns: int

    @property
    def is_known(self) -> bool:
        """Return whether the value of some of the decisions is known."""
        return self.unvalued < self.decisions

    def an_hour(self, window_ns: int) -> Decimal:
        """Return what turns the loss into a rate, as `Revenue.per_hour` does."""
        least_ns = min(RATE_S_MIN * NS_PER_S, window_ns)
        return Decimal(NS_PER_HOUR) / Decimal(max(self.last_ns - self.first_ns, least_ns))


def losses(reader: Reader, asked: Sequence[Range]) -> list[Loss | None]:
    """Return the loss of each range, None of one without decisions."""
    if not asked:
        return []
    rows = reader.ask(
        "losses",
        __file__,
        {
            "from_ns": min(each.from_ns for each in asked),
            "to_ns": max(each.to_ns for each in asked),
            "actions": [each.action for each in asked],
            "regions": [each.region for each in asked],
            "froms_ns": [each.from_ns for each in asked],
            "tos_ns": [each.to_ns for each in asked],
        },
    )
    found = {int(row.pop("place")): Loss(**row) for row in rows}
    return [found.get(place) for place in range(1, len(asked) + 1)]


def with_losses(reader: Reader, alerts: Sequence[AlertRow], to_ns: int) -> list[AlertRow]:
    """Return alerts with what open ones cost now, and what each cost so far up to an instant.

    What an alert about no decisions costs is not known, nor what one without dollars does.
    """
    priced = [alert for alert in alerts if alert.is_priced and alert.action and alert.region]
    found = losses(
        reader, [asked for each in priced for asked in (_now(each, to_ns), _so_far(each, to_ns))]
    )
    known = {
        alert.episode_id: _with(alert, found[2 * at], found[2 * at + 1], to_ns)
        for at, alert in enumerate(priced)
    }
    return [known.get(alert.episode_id, alert) for alert in alerts]


def _now(alert: AlertRow, to_ns: int) -> Range:
    return Range(max(0, to_ns - _now_s(alert) * NS_PER_S), to_ns, *alert.scope)


def _now_s(alert: AlertRow) -> int:
    return min(alert.window_s, NOW_S_MAX)


def _so_far(alert: AlertRow, to_ns: int) -> Range:
    began_ns = alert.started_ns or alert.first_ns
    from_ns = max(0, began_ns - min(alert.window_s, BEFORE_S_MAX) * NS_PER_S)
    ends_ns = to_ns if alert.state in OPEN_STATES else min(alert.at_ns, to_ns)
    return Range(from_ns, max(ends_ns, from_ns + _OPEN_NS), *alert.scope)


def _with(alert: AlertRow, now: Loss | None, so_far: Loss | None, to_ns: int) -> AlertRow:
    if so_far is not None and so_far.is_known:
        alert = replace(
            alert,
            lost_usd=so_far.loss_usd,
            lost_low_usd=so_far.loss_low_usd,
            lost_high_usd=so_far.loss_high_usd,
            lost_from_ns=_so_far(alert, to_ns).from_ns,
        )
    if now is None or not now.is_known or alert.state not in OPEN_STATES:
        return alert
    an_hour = now.an_hour(_now_s(alert) * NS_PER_S)
    return replace(
        alert,
        now_usd_per_h=now.loss_usd * an_hour,
        now_low_usd_per_h=now.loss_low_usd * an_hour,
        now_high_usd_per_h=now.loss_high_usd * an_hour,
    )

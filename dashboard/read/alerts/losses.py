"""I/O: what alerts cost, now and so far: one question to the store for all of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range

# "Now" is the window of an alert, but not the six hours of a slow one.
NOW_S_MAX: Final = 300
_S_PER_H: Final = 3_600
# What an alert has cost counts from before it fired: by its window, but not three days of it.
BEFORE_S_MAX: Final = 3_600
# Seconds are written a while after their decisions.
_OPEN_NS: Final = NS_PER_S
# Attribution that is further behind says so on every page; what it has is then not now.
_BEHIND_NS: Final = NS_PER_MINUTE


# Decisions, those of unknown value, and the loss at the median, the low and the high slope.
_Total = tuple[int, int, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Loss:
    """What lateness cost one class of decisions in one range of time."""

    decisions: int
    unvalued: int
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    slope_sources: frozenset[str] = frozenset()  # of the slopes by which it was found

    @property
    def is_known(self) -> bool:
        """Return whether the value of some of the decisions is known."""
        return self.unvalued < self.decisions


def losses(reader: Reader, asked: Sequence[Range]) -> list[Loss | None]:
    """Return the loss of each range, None of one without decisions.

    The store sums each class between all instants at which some range begins or ends, so that it
    reads each second once, however many ranges there are.
    """
    if not asked:
        return []
    bounds = sorted({at for each in asked for at in (each.from_ns, each.to_ns)})
    parameters = {"bounds_ns": bounds, "from_ns": bounds[0], "to_ns": bounds[-1]}
    classes: dict[tuple[str, str], _Sums] = {}
    for row in reader.ask("losses", __file__, parameters):
        name, bound_ns = (row.pop("action"), row.pop("region")), row.pop("bound_ns")
        loss = Loss(**row | {"slope_sources": frozenset(row["slope_sources"])})
        classes.setdefault(name, _Sums()).add(bound_ns, loss)
    return [_loss(classes, each) for each in asked]


class _Sums:
    """The losses of one class by time, summed from the first on."""

    def __init__(self) -> None:
        self._bounds: list[int] = []
        self._totals: list[_Total] = [(0, 0, Decimal(0), Decimal(0), Decimal(0))]
        self._sources: list[frozenset[str]] = []  # of each bound, not summed

    def add(self, bound_ns: int, loss: Loss) -> None:
        """Take what lies behind a bound; bounds come in order."""
        decisions, unvalued, middle, low, high = self._totals[-1]
        self._bounds.append(bound_ns)
        self._sources.append(loss.slope_sources)
        self._totals.append(
            (
                decisions + loss.decisions,
                unvalued + loss.unvalued,
                middle + loss.loss_usd,
                low + loss.loss_low_usd,
                high + loss.loss_high_usd,
            )
        )

    def between(self, from_ns: int, to_ns: int) -> Loss | None:
        """Return the sum between two of the bounds, None where there is no decision."""
        begin, end = bisect_left(self._bounds, from_ns), bisect_left(self._bounds, to_ns)
        if begin == end:
            return None
        first, last = self._totals[begin], self._totals[end]
        return Loss(
            last[0] - first[0],
            last[1] - first[1],
            last[2] - first[2],
            last[3] - first[3],
            last[4] - first[4],
            frozenset().union(*self._sources[begin:end]),
        )


def _loss(classes: Mapping[tuple[str, str], _Sums], asked: Range) -> Loss | None:
    found = [
        loss
        for (action, region), sums in classes.items()
        if asked.action in ("", action) and asked.region in ("", region)
        if (loss := sums.between(asked.from_ns, asked.to_ns)) is not None
    ]
    if not found:
        return None
    return Loss(
        decisions=sum(each.decisions for each in found),
        unvalued=sum(each.unvalued for each in found),
        loss_usd=sum((each.loss_usd for each in found), Decimal(0)),
        loss_low_usd=sum((each.loss_low_usd for each in found), Decimal(0)),
        loss_high_usd=sum((each.loss_high_usd for each in found), Decimal(0)),
        slope_sources=frozenset().union(*(each.slope_sources for each in found)),
    )


def with_losses(reader: Reader, alerts: Sequence[AlertRow], to_ns: int) -> list[AlertRow]:
    """Return alerts with what open ones cost now, and what each cost so far up to an instant.

    What an alert about no decisions costs is not known, nor what one without dollars does. Now ends
    where losses do, as the windows of the rules: the seconds after that, of which nothing is
    attributed yet, would make it cheap.
    """
    to_ns = _end_ns(reader, to_ns)
    priced = [alert for alert in alerts if alert.is_priced and alert.action and alert.region]
    found = losses(
        reader, [asked for each in priced for asked in (_now(each, to_ns), _so_far(each, to_ns))]
    )
    known = {
        alert.episode_id: _with(alert, found[2 * at], found[2 * at + 1], to_ns)
        for at, alert in enumerate(priced)
    }
    return [known.get(alert.episode_id, alert) for alert in alerts]


def _end_ns(reader: Reader, to_ns: int) -> int:
    looked = {"from_ns": max(0, to_ns - _BEHIND_NS), "to_ns": to_ns}
    (row,) = reader.ask("newest_loss", __file__, looked)
    newest_ns = int(row["newest_ns"])
    return min(to_ns, newest_ns + _OPEN_NS) if newest_ns else to_ns


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
    # As the rule has it, and the sum over the alerts that fire: by the whole of the window.
    an_hour = Decimal(_S_PER_H) / _now_s(alert)
    return replace(
        alert,
        now_usd_per_h=now.loss_usd * an_hour,
        now_low_usd_per_h=now.loss_low_usd * an_hour,
        now_high_usd_per_h=now.loss_high_usd * an_hour,
    )

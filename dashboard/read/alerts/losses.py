"""I/O: what alerts cost, now and so far: one question to the store for all of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Final

from alerts.rows import Dollars
from alerts.rules.base import attributed_s, missing_s
from alerts.rules.ledger import RATE_S
from alerts.state.subject import ALL, Subject
from collector.core.intervals import merge
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.reader import Reader
from dashboard.read.rows import Range

# What an alert has cost counts from before it fired: by its window, but not three days of it.
BEFORE_S_MAX: Final = 3_600
# Seconds are written a while after their decisions.
_OPEN_NS: Final = NS_PER_S
# Attribution that is further behind says so on every page; what it has is then not now.
_BEHIND_NS: Final = NS_PER_MINUTE


# Decisions, those of unknown value, the loss at the median, the low and the high slope, and what is
# missing.
_Total = tuple[int, int, Decimal, Decimal, Decimal, int]


@dataclass(frozen=True, slots=True)
class Loss:
    """What lateness cost one class of decisions in one range of time."""

    decisions: int
    unvalued: int
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    slope_sources: frozenset[str] = frozenset()  # of the slopes by which it was found
    missing: int = 0  # decisions that arrived and are not attributed yet: in nothing above

    @property
    def is_known(self) -> bool:
        """Return whether the value of some of the decisions is known."""
        return self.unvalued < self.decisions

    @property
    def dollars(self) -> Dollars:
        """Return the loss without the decisions."""
        return Dollars(self.loss_usd, self.loss_low_usd, self.loss_high_usd)

    def an_hour(self, seconds: int) -> Dollars:
        """Return what an hour costs, of the loss in so many seconds.

        As the rules have it: by the part of them that is attributed.
        """
        return self.dollars.an_hour(attributed_s(seconds, self.decisions, self.missing))

    def __add__(self, other: Loss) -> Loss:
        """Return the sum; the slope is common to both, so its quantiles add up."""
        return Loss(
            self.decisions + other.decisions,
            self.unvalued + other.unvalued,
            self.loss_usd + other.loss_usd,
            self.loss_low_usd + other.loss_low_usd,
            self.loss_high_usd + other.loss_high_usd,
            self.slope_sources | other.slope_sources,
            self.missing + other.missing,
        )


class ClassLosses:
    """What each class of decisions lost between instants, of one question to the store."""

    def __init__(self, end_ns: int, sums: Mapping[Subject, _Sums]) -> None:
        self.end_ns = end_ns  # the last of the instants
        self._sums = sums

    @property
    def classes(self) -> Set[Subject]:
        """Return the classes that decided anything."""
        return self._sums.keys()

    def between(self, subject: Subject, from_ns: int, to_ns: int) -> Loss | None:
        """Return the sum over the classes of a subject, None where there is no decision."""
        is_class = ALL not in (subject.action, subject.region)
        found = (
            self._sums[each].between(from_ns, to_ns)
            for each in ({subject} & self.classes if is_class else self.classes)
            if subject.covers(each)
        )
        parts = [each for each in found if each is not None]
        return reduce(add, parts) if parts else None

    def an_hour_since(self, classes: Iterable[Subject], from_ns: int) -> Dollars:
        """Return what an hour costs at the rate of what classes lost from an instant to the end."""
        parts = (self.between(each, from_ns, self.end_ns) for each in classes)
        found = [each for each in parts if each is not None]
        seconds = (self.end_ns - from_ns) // NS_PER_S
        return reduce(add, found).an_hour(seconds) if found else Dollars()


def losses(reader: Reader, asked: Sequence[Range]) -> list[Loss | None]:
    """Return the loss of each range, None of one without decisions."""
    found = _read(reader, (at for each in asked for at in (each.from_ns, each.to_ns)))
    return [
        found.between(Subject(each.action or ALL, each.region or ALL), each.from_ns, each.to_ns)
        for each in asked
    ]


def _read(reader: Reader, bounds_ns: Iterable[int], due_s: int = 0) -> ClassLosses:
    """Read what classes lost, and what is missing of so many of the last seconds.

    The store sums each class between all instants at which some range begins or ends, so that it
    reads each second once, however many ranges there are.
    """
    bounds = sorted(set(bounds_ns))
    if not bounds:
        return ClassLosses(0, {})
    due_from_ns = max(bounds[0], bounds[-1] - due_s * NS_PER_S)
    parameters = {
        "bounds_ns": bounds,
        "from_ns": bounds[0],
        "to_ns": bounds[-1],
        "due_from_ns": due_from_ns - due_from_ns % NS_PER_S,
    }
    sums: dict[Subject, _Sums] = {}
    for row in reader.ask("losses", __file__, parameters):
        of_class, bound_ns = Subject(row.pop("action"), row.pop("region")), row.pop("bound_ns")
        loss = Loss(**row | {"slope_sources": frozenset(row["slope_sources"])})
        sums.setdefault(of_class, _Sums()).add(bound_ns, loss)
    return ClassLosses(bounds[-1], sums)


class _Sums:
    """The losses of one class by time, summed from the first on."""

    def __init__(self) -> None:
        self._bounds: list[int] = []
        self._totals: list[_Total] = [(0, 0, Decimal(0), Decimal(0), Decimal(0), 0)]
        self._sources: list[frozenset[str]] = []  # of each bound, not summed

    def add(self, bound_ns: int, loss: Loss) -> None:
        """Take what lies behind a bound; bounds come in order."""
        decisions, unvalued, middle, low, high, missing = self._totals[-1]
        self._bounds.append(bound_ns)
        self._sources.append(loss.slope_sources)
        self._totals.append(
            (
                decisions + loss.decisions,
                unvalued + loss.unvalued,
                middle + loss.loss_usd,
                low + loss.loss_low_usd,
                high + loss.loss_high_usd,
                missing + loss.missing,
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
            last[5] - first[5],
        )


def with_losses(
    reader: Reader, alerts: Sequence[AlertRow], to_ns: int
) -> tuple[list[AlertRow], ClassLosses]:
    """Return alerts with what open ones cost now, and what each cost so far up to an instant.

    And what classes lost, of which that is the sum. What an alert about no decisions costs is not
    known, nor what one without dollars does. Now ends where losses do, as the windows of the rules:
    the seconds after that, of which nothing is attributed yet, would make it cheap. What is put off
    before that does: how much says each alert.
    """
    to_ns = _end_ns(reader, to_ns)
    priced = [alert for alert in alerts if alert.is_priced]
    starts_ns = (at for each in priced for at in (_now_from_ns(each, to_ns), *_so_far(each, to_ns)))
    found = _read(reader, (*starts_ns, to_ns) if priced else (), RATE_S)
    return [_with(alert, found, to_ns) if alert.is_priced else alert for alert in alerts], found


def lost_together(alerts: Sequence[AlertRow], found: ClassLosses) -> Decimal | None:
    """Return what alerts cost together, of several about the same decisions once.

    Args:
        alerts: of those that `with_losses` returned.
        found: what it returned beside.

    Returns:
        USD; None where there are alerts and of none it is known.
    """
    known = [alert for alert in alerts if alert.lost_usd is not None]
    if alerts and not known:
        return None
    parts = (
        found.between(of_class, from_ns, to_ns)
        for of_class in found.classes
        for from_ns, to_ns in merge(
            _so_far(alert, found.end_ns) for alert in known if alert.subject.covers(of_class)
        )
    )
    return sum((part.loss_usd for part in parts if part is not None), Decimal(0))


def _end_ns(reader: Reader, to_ns: int) -> int:
    looked = {"from_ns": max(0, to_ns - _BEHIND_NS), "to_ns": to_ns}
    (row,) = reader.ask("newest_loss", __file__, looked)
    newest_ns = int(row["newest_ns"])
    return min(to_ns, newest_ns + _OPEN_NS) if newest_ns else to_ns


def _now_s(alert: AlertRow) -> int:
    return min(alert.window_s, RATE_S)


def _now_from_ns(alert: AlertRow, to_ns: int) -> int:
    return max(0, to_ns - _now_s(alert) * NS_PER_S)


def _so_far(alert: AlertRow, to_ns: int) -> tuple[int, int]:
    began_ns = alert.started_ns or alert.first_ns
    from_ns = max(0, began_ns - min(alert.window_s, BEFORE_S_MAX) * NS_PER_S)
    ends_ns = to_ns if alert.state in OPEN_STATES else min(alert.at_ns, to_ns)
    return min(from_ns, ends_ns), ends_ns


def _with(alert: AlertRow, lost: ClassLosses, to_ns: int) -> AlertRow:
    from_ns, ends_ns = _so_far(alert, to_ns)
    so_far = lost.between(alert.subject, from_ns, ends_ns)
    now = lost.between(alert.subject, _now_from_ns(alert, to_ns), to_ns)
    if so_far is not None and so_far.is_known:
        alert = replace(
            alert,
            lost_usd=so_far.loss_usd,
            lost_low_usd=so_far.loss_low_usd,
            lost_high_usd=so_far.loss_high_usd,
            lost_from_ns=from_ns,
        )
    if now is None or not now.is_known or alert.state not in OPEN_STATES:
        return alert
    now_s = _now_s(alert)
    an_hour = now.an_hour(now_s)
    missing_ns = round(missing_s(now_s, now.decisions, now.missing) * NS_PER_S)
    return replace(
        alert,
        now_usd_per_h=an_hour.usd,
        now_low_usd_per_h=an_hour.low_usd,
        now_high_usd_per_h=an_hour.high_usd,
        now_missing_ns=missing_ns if missing_ns >= NS_PER_S else 0,
    )

"""Pure: alerts of any rule held against the dollars that decisions lost in the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from alerts.replay.report import SIGNIFICANT_SHARE, Stretch, lost, stretches
from alerts.replay.series import Series
from alerts.replay.walk import Change, Instants
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import FIRED, RESOLVED
from collector.core.times import NS_PER_DAY, NS_PER_S

_NS_PER_WEEK = 7 * NS_PER_DAY


@dataclass(frozen=True, slots=True)
class Firing:
    """The time for which one alert fires, Unix ns."""

    action: str  # or the service
    region: str
    from_ns: int
    to_ns: int | None  # None: it fires still

    def touches(self, stretch: Stretch) -> bool:
        """Return whether it fires in a stretch at all."""
        return self.from_ns <= stretch.to_ns and (
            self.to_ns is None or self.to_ns >= stretch.from_ns
        )


@dataclass(frozen=True, slots=True)
class Score:
    """What the alerts of one rule were worth. The three sums of dollars are all that was lost.

    Dollars are None where nobody knows what decisions are worth; how much earlier, where there is
    no stretch that both rules alert in.
    """

    alerts: int
    alerts_per_week: float
    actionable_share: float | None  # alerts in a stretch of 2 % of the budget or more
    caught_usd: Decimal | None  # in stretches with an alert
    missed_usd: Decimal | None  # in stretches without one
    within_usd: Decimal | None  # at a rate that the budget allows
    lost_before_usd: Decimal | None  # of what was caught, before the alert
    delay_p50_s: float | None  # from the begin of a loss to its first alert
    earlier_p50_s: float | None  # than the other rule; below zero: later
    firings: list[Firing]


@dataclass(frozen=True, slots=True)
class Losses:
    """What the classes of one service lost, and the stretches in which it was too much."""

    parts: Sequence[Series]
    stretches: Sequence[Stretch]
    significant_usd: Decimal
    from_ns: int
    to_ns: int

    @staticmethod
    def of(
        budget: DollarBurnConfig, parts: Sequence[Series], instants: Instants, from_ns: int
    ) -> Losses:
        """Find the stretches in which classes together lose more than a budget allows."""
        subject = Subject(ALL, ALL)
        to_ns = int(instants.end_ns[-1]) if len(instants.end_ns) else from_ns
        found = list(stretches(budget, subject, parts, instants, from_ns)) if parts else []
        significant_usd = Decimal(str(budget.budget_usd * SIGNIFICANT_SHARE))
        return Losses(parts, found, significant_usd, from_ns, to_ns)


def firings_of(changes: Iterable[Change], from_ns: int) -> list[Firing]:
    """Return when alerts fired from an instant on, those that fired then already left out."""
    began: dict[Subject, int] = {}
    found: list[Firing] = []
    for change in changes:
        made, subject = change.transition, change.subject
        if made.notification == FIRED:
            began[subject] = made.at_ns
        elif made.notification == RESOLVED and subject in began:
            at_ns = began.pop(subject)
            found.append(Firing(subject.action, subject.region, at_ns, made.at_ns))
    found += [Firing(each.action, each.region, at_ns, None) for each, at_ns in began.items()]
    return sorted(
        (each for each in found if each.from_ns > from_ns), key=lambda firing: firing.from_ns
    )


def score(
    firings: Sequence[Firing],
    length_ns: int,
    losses: Losses | None,
    others: Sequence[Firing] = (),
) -> Score:
    """Hold alerts against losses.

    Args:
        firings: of the rule.
        length_ns: time in which they were looked for.
        losses: None where nobody knows them.
        others: of the rule that it is compared with.
    """
    per_week = len(firings) * _NS_PER_WEEK / max(length_ns, 1)
    if losses is None:
        return Score(
            len(firings), per_week, None, None, None, None, None, None, None, list(firings)
        )
    caught = [each for each in losses.stretches if _first(firings, each) is not None]
    caught_usd = sum((each.lost_usd for each in caught), Decimal(0))
    missed_usd = sum((each.lost_usd for each in losses.stretches), Decimal(0)) - caught_usd
    dear = [each for each in losses.stretches if each.lost_usd >= losses.significant_usd]
    actionable = sum(any(firing.touches(each) for each in dear) for firing in firings)
    delays = [delay_ns for each in caught for delay_ns in _delays(firings, each)]
    leads = list(_leads(firings, others, caught))
    before_usd = sum(
        (
            lost(losses.parts, each.from_ns, each.began_ns + delay_ns)
            for each, delay_ns in zip(caught, delays, strict=True)
        ),
        Decimal(0),
    )
    return Score(
        alerts=len(firings),
        alerts_per_week=per_week,
        actionable_share=actionable / len(firings) if firings else None,
        caught_usd=caught_usd,
        missed_usd=missed_usd,
        within_usd=lost(losses.parts, losses.from_ns, losses.to_ns) - caught_usd - missed_usd,
        lost_before_usd=before_usd,
        delay_p50_s=median(delays) / NS_PER_S if delays else None,
        earlier_p50_s=median(leads) / NS_PER_S if leads else None,
        firings=list(firings),
    )


def _first(firings: Sequence[Firing], stretch: Stretch) -> int | None:
    """Return when the first alert of a stretch began to fire, None where it has none."""
    return min((each.from_ns for each in firings if each.touches(stretch)), default=None)


def _delays(firings: Sequence[Firing], stretch: Stretch) -> Iterator[int]:
    first_ns = _first(firings, stretch)
    if first_ns is not None:
        yield max(0, first_ns - stretch.began_ns)


def _leads(
    firings: Sequence[Firing], others: Sequence[Firing], caught: Iterable[Stretch]
) -> Iterator[int]:
    for stretch in caught:
        own_ns, other_ns = _first(firings, stretch), _first(others, stretch)
        if own_ns is not None and other_ns is not None:
            yield max(other_ns, stretch.began_ns) - max(own_ns, stretch.began_ns)

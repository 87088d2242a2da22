"""Pure: which alert owns which lost dollar, where several that fire are about the same decisions.

Each dollar has one owner, so that the sum over the alerts that fire is what their classes lost:
nothing is counted twice, however rules overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final

from alerts.rows import Dollars
from alerts.rules.base import Severity
from alerts.state.subject import ALL, Subject
from collector.core.times import NS_PER_S

# The newest decisions, by which the rate of a loss is judged: those of the window, at most so many.
RATE_S: Final = 300


@dataclass(frozen=True, slots=True)
class Claim:
    """An alert that fires, and the losses that it is about.

    Args:
        rule: its rule.
        subject: its subject.
        severity: of the rule.
        window_s: by which it fires, as of its last change; the shorter one knows sooner.
        since_ns: when the losses began that made it fire.
        covers: whether it is about a class.
        is_judged: whether it can be said that it fires still; else nothing is at risk by it.
    """

    rule: str
    subject: Subject
    severity: Severity
    window_s: int
    since_ns: int
    covers: Callable[[Subject], bool]
    is_judged: bool = True

    @property
    def breadth(self) -> int:
        """Return 0 for a class, 1 for an action in all regions or all in one, 2 for everything."""
        return (self.subject.action, self.subject.region).count(ALL)

    @property
    def rate_s(self) -> int:
        """Return the length of the newest decisions, by which its rate is judged."""
        return min(self.window_s, RATE_S)

    def rate_start_ns(self, end_ns: int) -> int:
        """Return where they begin."""
        return end_ns - self.rate_s * NS_PER_S

    @property
    def rank(self) -> tuple[bool, int, int, str, Subject]:
        """Return the order of owning: pages before tickets, narrow before wide, fast before slow.

        A ticket owns nothing that a page is about: what it owned would make no page smaller.
        """
        return self.severity != "page", self.breadth, self.window_s, self.rule, self.subject


@dataclass(frozen=True, slots=True)
class Share:
    """What one alert owns of the losses of its classes."""

    lost: Dollars  # since it began, before any other alert about the same class
    at_risk: Dollars  # an hour, as of `rates`


def shares(
    claims: Iterable[Claim],
    classes: Collection[Subject],
    lost_since: Callable[[Subject, int], Dollars],
    an_hour_since: Callable[[Collection[Subject], int], Dollars],
    end_ns: int,
) -> Mapping[Claim, Share]:
    """Return what each alert owns.

    A class whose alert fires is the alert's since the alert's losses began; what a wider or slower
    one lost in it before that stays with the wider one.

    Args:
        claims: the alerts that fire.
        classes: all that lost anything.
        lost_since: the loss of a class from an instant to the end, Unix ns.
        an_hour_since: what an hour costs, at the rate of what some classes lost in that time.
        end_ns: the end.
    """
    owned_ns: dict[Subject, int] = {}  # since when the losses of a class have an owner
    found: dict[Claim, Share] = {}
    ranked = sorted(claims, key=lambda each: each.rank)
    at_risk = rates(ranked, classes, an_hour_since, end_ns)
    for claim in ranked:
        lost = []
        for each in filter(claim.covers, classes):
            until_ns = owned_ns.get(each, end_ns)
            if claim.since_ns < until_ns:
                before = Dollars() if each not in owned_ns else lost_since(each, until_ns)
                lost.append(lost_since(each, claim.since_ns) - before)
            owned_ns[each] = min(until_ns, claim.since_ns)
        found[claim] = Share(reduce(add, lost, Dollars()), at_risk.get(claim, Dollars()))
    return found


def rates(
    claims: Iterable[Claim],
    classes: Iterable[Subject],
    an_hour_since: Callable[[Collection[Subject], int], Dollars],
    end_ns: int,
) -> dict[Claim, Dollars]:
    """Return what is at risk by each alert that can be judged, an hour.

    What a class lost newly is the first one's in rank, by the window of that one. The arguments are
    those of `shares`.
    """
    free, found = set(classes), {}
    judged = (each for each in claims if each.is_judged)
    for claim in sorted(judged, key=lambda each: each.rank):
        own = set(filter(claim.covers, free))
        found[claim] = an_hour_since(own, claim.rate_start_ns(end_ns))
        free -= own
    return found


def narrower(claim: Claim, claims: Iterable[Claim]) -> list[Claim]:
    """Return the alerts about parts of what one is about, none less urgent than it is."""
    return [
        each
        for each in claims
        if each.breadth < claim.breadth
        and claim.covers(each.subject)
        and (each.severity == "page" or claim.severity == "ticket")
    ]

"""Pure: what a rule would have done: its pages, and the dollars caught and missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Final

import numpy as np

from alerts.replay.series import Floats, Ints, Series
from alerts.replay.walk import Change, Instants
from alerts.rules.base import RuleConfig
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from alerts.state.transitions import FIRED, RESOLVED, Transition
from collector.core.times import NS_PER_DAY, NS_PER_S

# An incident that loses this share of a budget is one that somebody has to know of.
SIGNIFICANT_SHARE: Final = 0.02
_NS_PER_WEEK: Final = 7 * NS_PER_DAY
_MICRO: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which one subject lost more than its budget allows, Unix ns.

    A window of it began before the first loss and ends after the last one, so that an alert about
    them is inside; when the loss itself began and ended is told apart.
    """

    action: str
    region: str
    from_ns: int
    to_ns: int
    began_ns: int  # from here on it lost faster than the budget allows
    ended_ns: int  # ... until here
    lost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Page:
    """One alert that would have been routed, and the stretch that it is about."""

    action: str
    region: str
    fired_ns: int
    resolved_ns: int | None  # None: it fires still
    window_s: int  # before it fired, that the rule looked at
    focus: Subject | None  # class of decisions that lost most of it; None: no rule about decisions
    began_ns: int | None  # of its stretch; None: it is in none, or the rule knows no dollars
    ended_ns: int | None  # ... and where it still loses, the end of the replay
    lost_usd: Decimal | None  # in the stretch; None: the rule knows no dollars
    lost_before_usd: Decimal | None  # ... before it fired
    reason: str
    exemplars: list[str]  # the slowest decisions of `focus` in the window, three at the most

    @property
    def delay_s(self) -> float | None:
        """Return how long the loss had lasted when it fired."""
        return None if self.began_ns is None else max(0, self.fired_ns - self.began_ns) / NS_PER_S

    @property
    def lead_s(self) -> float | None:
        """Return how long the loss went on: the time that somebody had to act."""
        return None if self.ended_ns is None else max(0, self.ended_ns - self.fired_ns) / NS_PER_S


@dataclass(frozen=True, slots=True)
class Report:
    """What one rule does with stored data. The three sums of dollars are all that was lost.

    They are None of a rule that knows no dollars.
    """

    rule: str
    severity: str
    from_ns: int
    to_ns: int
    pages: list[Page]
    pages_per_week: float
    actionable_share: float | None  # pages about 2 % of the budget or more; None without a page
    caught_usd: Decimal | None  # in stretches with a page
    missed_usd: Decimal | None  # in stretches without one
    within_usd: Decimal | None  # at a rate that the budget allows
    delay_p50_s: float | None  # from the begin of a loss to its first page
    lead_p50_s: float | None  # ... and from there to the end of the loss
    silent: list[Stretch]  # without a page, of 2 % of the budget or more, the dearest first
    live_transitions: int | None  # that the rule really made; None: it was not evaluated
    equal_transitions: int | None  # ... of which the replay makes the same


def report(
    rule: DollarBurn,
    classes: Mapping[Subject, Series],
    instants: Instants,
    changes: Sequence[Change],
    from_ns: int,
) -> Report:
    """Return what a rule did from an instant on; changes before it only bring the state there."""
    config = rule.config
    to_ns = int(instants.end_ns[-1]) if len(instants.end_ns) else from_ns
    pages: list[Page] = []
    silent: list[Stretch] = []
    firsts: list[Page] = []  # of each stretch
    caught = missed = total = Decimal(0)
    for subject in sorted({config.spender(each) for each in classes if config.spends(each)}):
        parts = [
            series
            for each, series in classes.items()
            if config.spends(each) and config.spender(each) == subject
        ]
        total += lost(parts, from_ns, to_ns)
        fired = [each for each in _fired(changes, subject) if each.fired_ns > from_ns]
        for stretch in stretches(config, subject, parts, instants, from_ns):
            own = [each for each in fired if stretch.from_ns < each.fired_ns <= stretch.to_ns]
            fired = [each for each in fired if each not in own]
            own = [_about(page, stretch, parts) for page in own]
            pages += own
            if own:
                firsts.append(own[0])
                caught += stretch.lost_usd
                continue
            missed += stretch.lost_usd
            if stretch.lost_usd >= _significant_usd(config):
                silent.append(stretch)
        pages += fired
    weeks = max(to_ns - from_ns, 1) / _NS_PER_WEEK
    actionable = [page for page in pages if (page.lost_usd or 0) >= _significant_usd(config)]
    return Report(
        rule=config.name,
        severity=config.severity,
        from_ns=from_ns,
        to_ns=to_ns,
        pages=sorted(pages, key=lambda page: page.fired_ns),
        pages_per_week=len(pages) / weeks,
        actionable_share=len(actionable) / len(pages) if pages else None,
        caught_usd=caught,
        missed_usd=missed,
        within_usd=total - caught - missed,
        delay_p50_s=_median(page.delay_s for page in firsts),
        lead_p50_s=_median(page.lead_s for page in firsts),
        silent=sorted(silent, key=lambda stretch: -stretch.lost_usd),
        live_transitions=None,
        equal_transitions=None,
    )


def unpriced_report(
    config: RuleConfig, instants: Instants, changes: Sequence[Change], from_ns: int
) -> Report:
    """Return the same of a rule that knows no dollars: when it fired."""
    to_ns = int(instants.end_ns[-1]) if len(instants.end_ns) else from_ns
    pages = [
        replace(page, lost_usd=None, lost_before_usd=None)
        for subject in {change.subject for change in changes}
        for page in _fired(changes, subject)
        if page.fired_ns > from_ns
    ]
    return Report(
        rule=config.name,
        severity=config.severity,
        from_ns=from_ns,
        to_ns=to_ns,
        pages=sorted(pages, key=lambda page: (page.fired_ns, page.action, page.region)),
        pages_per_week=len(pages) * _NS_PER_WEEK / max(to_ns - from_ns, 1),
        actionable_share=None,
        caught_usd=None,
        missed_usd=None,
        within_usd=None,
        delay_p50_s=None,
        lead_p50_s=None,
        silent=[],
        live_transitions=None,
        equal_transitions=None,
    )


def transitions_of(changes: Iterable[Change], from_ns: int) -> set[tuple[object, ...]]:
    """Return the transitions of episodes that began after an instant, as they can be compared."""
    began: dict[str, int] = {}
    found = set()
    for change in changes:
        made = change.transition
        if began.setdefault(made.episode_id, made.at_ns) > from_ns:
            found.add(comparable(change.subject, made))
    return found


def comparable(subject: Subject, made: Transition) -> tuple[object, ...]:
    """Return what makes two transitions the same: the subject, the instant and the states."""
    return subject.action, subject.region, made.at_ns, made.from_state, made.to_state


def _significant_usd(config: DollarBurnConfig) -> Decimal:
    return Decimal(str(config.budget_usd * SIGNIFICANT_SHARE))


def _fired(changes: Iterable[Change], subject: Subject) -> Iterator[Page]:
    """Yield the alerts of one subject; one that was never in a stretch lost what it is about."""
    open_page: Page | None = None
    for change in changes:
        made = change.transition
        if change.subject != subject:
            continue
        if made.notification == FIRED:
            cost = change.evaluation.cost
            open_page = Page(
                action=subject.action,
                region=subject.region,
                fired_ns=made.at_ns,
                resolved_ns=None,
                window_s=change.window_s,
                focus=change.focus,
                began_ns=None,
                ended_ns=None,
                lost_usd=cost.loss_usd,
                lost_before_usd=cost.loss_usd,
                reason=change.evaluation.reason,
                exemplars=[],
            )
        elif made.notification == RESOLVED and open_page is not None:
            yield replace(open_page, resolved_ns=made.at_ns)
            open_page = None
    if open_page is not None:
        yield open_page


def _about(page: Page, stretch: Stretch, parts: Sequence[Series]) -> Page:
    return replace(
        page,
        began_ns=stretch.began_ns,
        ended_ns=stretch.ended_ns,
        lost_usd=stretch.lost_usd,
        lost_before_usd=lost(parts, stretch.from_ns, page.fired_ns),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return median(known) if known else None


def stretches(
    config: DollarBurnConfig,
    subject: Subject,
    parts: Sequence[Series],
    instants: Instants,
    from_ns: int,
) -> Iterator[Stretch]:
    """Yield when the newest losses were more than the budget allows; short pauses are inside."""
    ends_ns = instants.end_ns[instants.end_ns > from_ns]
    window_ns = config.reset_window_s * NS_PER_S
    newest = sum(
        series.loss[series.index(ends_ns)] - series.loss[series.index(ends_ns - window_ns)]
        for series in parts
    )
    allowed = config.budget_usd * config.reset_window_s / (config.budget_days * 86_400)
    hot = ends_ns[np.asarray(newest > allowed * 1e6)]
    if not len(hot):
        return
    apart_ns = window_ns + round(config.keep_firing_s * NS_PER_S)
    breaks = np.flatnonzero(np.diff(hot) > apart_ns) + 1
    begun_ns = from_ns
    for part in np.split(hot, breaks):
        begin_ns = max(begun_ns, int(part[0]) - window_ns)
        begun_ns = end_ns = int(part[-1])
        usd = lost(parts, begin_ns, end_ns)
        began_ns, ended_ns = _excess(parts, begin_ns, end_ns, window_ns, allowed * 1e6 / window_ns)
        yield Stretch(subject.action, subject.region, begin_ns, end_ns, began_ns, ended_ns, usd)


def _excess(
    parts: Iterable[Series], from_ns: int, to_ns: int, window_ns: int, allowed: float
) -> tuple[int, int]:
    """Return when a stretch began and ended to lose faster than a rate, millionths of USD per ns.

    What is lost beyond the rate is least at its begin, and most at its end.
    """

    def beyond(at_ns: Ints) -> Floats:
        lost = np.sum([each.loss[each.index(at_ns)] for each in parts], axis=0)
        return np.asarray(lost - allowed * (at_ns - from_ns))

    parts = list(parts)
    firsts_ns = np.arange(from_ns, min(from_ns + window_ns, to_ns) + 1, NS_PER_S)
    lasts_ns = np.arange(to_ns, max(to_ns - window_ns, from_ns) - 1, -NS_PER_S)
    began_ns = int(firsts_ns[::-1][np.argmin(beyond(firsts_ns)[::-1])])
    ended_ns = int(lasts_ns[::-1][np.argmax(beyond(lasts_ns)[::-1])])
    return began_ns, max(began_ns, ended_ns)


def lost(parts: Iterable[Series], from_ns: int, to_ns: int) -> Decimal:
    """Return the USD that classes lost together in [from, to)."""
    at = np.array([from_ns, to_ns], np.int64)
    micro = 0
    for series in parts:
        first, last = series.index(at)
        micro += int(series.loss[last] - series.loss[first])
    return Decimal(micro) / _MICRO

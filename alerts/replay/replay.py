"""Pure: a dollar rule over a stretch of stored losses, evaluated as the job evaluates it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from alerts.people.calendars import Calendars
from alerts.replay.series import Floats, Ints, Series
from alerts.replay.walk import Change, Flags, Instants, Matters, walk
from alerts.rules.burn_rate import Losses
from alerts.rules.dollar_burn import BurnFacts, DollarBurn, budget_factors, window_end_ns
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from collector.core.intervals import Z90
from collector.core.times import NS_PER_MINUTE, NS_PER_S

# By so much the comparison of whole arrays may be wrong.
_ROUNDED: Final = 1e-9


def replay(
    rule: DollarBurn,
    classes: Mapping[Subject, Series],
    instants: Instants,
    calendars: Calendars,
) -> Iterator[Change]:
    """Yield what the rule does with these losses, subject by subject, from a quiet beginning."""
    if len(instants.end_ns) == 0:
        return
    spent: dict[Subject, dict[Subject, Series]] = {}
    for each, series in classes.items():
        if rule.config.spends(each):
            spent.setdefault(rule.config.spender(each), {})[each] = series
    for subject, parts in sorted(spent.items()):
        yield from _replay_subject(rule, subject, parts, instants, calendars)


def _replay_subject(
    rule: DollarBurn,
    subject: Subject,
    parts: Mapping[Subject, Series],
    instants: Instants,
    calendars: Calendars,
) -> Iterator[Change]:
    newest_ns = np.max([series.newest_ns(instants.end_ns) for series in parts.values()], axis=0)
    seen = np.flatnonzero(newest_ns)
    if not len(seen):
        return
    bounds = calendars.factor_bounds(rule.config.calendars)
    quiet = _Quiet(rule, parts, instants, newest_ns, bounds)

    def facts_at(index: int) -> BurnFacts:
        end_ns = int(instants.end_ns[index])
        return BurnFacts(
            instants.moment(index),
            {each: _SeriesLosses(series, end_ns) for each, series in parts.items()},
            budget_factors(rule.config, end_ns, calendars.budget_factor),
        )

    yield from walk(rule, subject, instants.end_ns, int(seen[0]), facts_at, quiet.matters_since)


class _Quiet:
    """Tells from whole arrays at which instants nothing can happen."""

    def __init__(
        self,
        rule: DollarBurn,
        parts: Mapping[Subject, Series],
        instants: Instants,
        newest_ns: Ints,
        factor_bounds: tuple[Decimal, Decimal],
    ) -> None:
        self._rule = rule
        self._least, self._most = factor_bounds
        self._parts = parts
        self._ends_ns = instants.end_ns
        self._is_silent = instants.known_ns - newest_ns > instants.nodata_ns
        self._flags = self._compare(instants.end_ns, 0)

    def matters_since(self, since_ns: int) -> Matters:
        """Return the instants that matter where no window begins before one."""
        is_over, burns = self._flags
        longest_ns = self._rule.config.windows_s[-1] * NS_PER_S + NS_PER_MINUTE
        first, last = np.searchsorted(self._ends_ns, [since_ns, since_ns + longest_ns])
        if since_ns and first < last:
            is_over, burns = is_over.copy(), burns.copy()
            cut = slice(first, last)
            is_over[cut], burns[cut] = self._compare(self._ends_ns[cut], since_ns)
        return Matters.of(is_over, burns, self._is_silent)

    def _compare(self, ends_ns: Ints, since_ns: int) -> tuple[Flags, Flags]:
        """Return whether a tier may be breached, and whether one burns for sure."""
        config = self._rule.config
        is_over, burns = np.zeros(len(ends_ns), np.bool_), np.zeros(len(ends_ns), np.bool_)
        for tier in config.tiers:
            long, short, reset = (
                _Sums.of(self._parts, seconds, ends_ns, since_ns)
                for seconds in (tier.long_window_s, tier.short_window_s, config.reset_s(tier))
            )
            is_known = (long.valued > 0) & (short.valued > 0)
            begins = [
                each.reaches(config.threshold_usd(tier, each.seconds) * self._least)
                for each in (long, short, reset)
            ]
            keeps = [
                each.reaches(config.keeps_usd(tier, each.seconds) * self._most)
                for each in (short, reset)
            ]
            # Where the newest decisions have no value, the short window judges alone.
            has_newest = reset.valued > 0
            burns |= is_known & np.where(has_newest, keeps[1], keeps[0])
            is_sure = long.is_sure(config, config.threshold_usd(tier, long.seconds) * self._least)
            is_over |= is_known & begins[0] & begins[1] & (begins[2] | ~has_newest) & is_sure
        return is_over, burns


@dataclass(frozen=True, slots=True)
class _Sums:
    """What is in the window of one length at every instant."""

    seconds: int
    loss: Ints  # millionths of USD
    loss_low: Ints  # ... the low end of it
    loss_squared: Floats  # USD^2
    valued: Ints  # decisions of known value

    @staticmethod
    def of(parts: Mapping[Subject, Series], seconds: int, ends_ns: Ints, since_ns: int) -> _Sums:
        """Add the classes up."""
        end_ns = window_end_ns(seconds, ends_ns)
        begin_ns = np.minimum(np.maximum(end_ns - seconds * NS_PER_S, since_ns), end_ns)
        loss, low, valued = (np.zeros_like(end_ns) for _ in range(3))
        squared = np.zeros(len(end_ns))
        for series in parts.values():
            first, last = series.index(begin_ns), series.index(end_ns)
            loss += series.loss[last] - series.loss[first]
            low += series.loss_low[last] - series.loss_low[first]
            squared += np.maximum(0.0, series.loss_squared[last] - series.loss_squared[first])
            valued += series.valued[last] - series.valued[first]
        return _Sums(seconds, loss, low, squared, valued)

    def reaches(self, usd: Decimal) -> Flags:
        """Return at which instants at least so much is lost."""
        return np.asarray(self.loss >= math.ceil(usd * 1_000_000))

    def is_sure(self, config: DollarBurnConfig, usd: Decimal) -> Flags:
        """Return at which instants the lower bound of the loss may reach as much.

        By floats, so that what lies within rounding of a limit is left to the exact comparison.
        """
        loss, low = self.loss / 1e6, self.loss_low / 1e6
        with np.errstate(divide="ignore", invalid="ignore"):  # of no loss nothing is sure
            events = loss**2 / self.loss_squared
            deviation = np.hypot(1 / np.sqrt(events), np.maximum(0.0, np.log(loss / low)) / Z90)
            bound = loss * np.exp(-config.confidence_z * deviation)
            enough = events >= config.events_min * (1 - _ROUNDED)
            return np.asarray(enough & (low > 0) & (bound >= float(usd) * (1 - _ROUNDED) - 1e-6))


@dataclass(frozen=True, slots=True)
class _SeriesLosses:
    """The losses of one class up to an instant."""

    series: Series
    end_ns: int

    def since(self, since_ns: int, lengths: Sequence[int]) -> Losses:
        """Return windows of these lengths in seconds; none of them begins before an instant."""
        return Losses(
            {
                each: self.series.window(each, int(window_end_ns(each, self.end_ns)), since_ns)
                for each in lengths
            }
        )

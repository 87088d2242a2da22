"""Pure: a rule of kind `threshold` about decisions over stored seconds, evaluated as live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from alerts.replay.series import Floats, Ints
from alerts.replay.walk import Change, Flags, Instants, Matters, walk
from alerts.rules.threshold import FIGURES, Readings, Threshold, ThresholdConfig
from alerts.state.subject import Subject
from collector.core.times import NS_PER_S

LOSS: Final = "loss"  # the one column that is money, in millionths of USD
_MICRO: Final = Decimal(1_000_000)
# Arrays of floats tell where nothing can happen, but for so much about the limit.
_ROUNDED: Final = 1e-9


def is_replayed(config: ThresholdConfig) -> bool:
    """Return whether what the figure was at an instant can be told from what is stored."""
    return FIGURES[config.figure].is_about_decisions


class FigureSeries:
    """What one class did by second, in the columns of the figure's statement.

    Args:
        subject: the class.
        names: of the columns; the first is `decisions`.
        starts_ns: of each second, Unix ns, ascending.
        columns: by second and column.
        newest_ns: of each second, its newest decision.
    """

    def __init__(
        self,
        subject: Subject,
        names: Sequence[str],
        starts_ns: Ints,
        columns: Ints,
        newest_ns: Ints,
    ) -> None:
        self._subject = subject
        self._names = names
        self._starts_ns = starts_ns
        self._sums = np.concatenate([np.zeros((1, len(names)), np.int64), columns]).cumsum(axis=0)
        self._newest_ns = np.maximum.accumulate(np.concatenate([np.zeros(1, np.int64), newest_ns]))

    def columns(self, begin_ns: Ints, end_ns: Ints) -> list[Floats]:
        """Return the sum of each column between pairs of instants; money in USD."""
        sums = self._between(begin_ns, end_ns).T.astype(np.float64)
        return [
            each / float(_MICRO) if name == LOSS else each
            for name, each in zip(self._names, sums, strict=True)
        ]

    def newest_ns(self, end_ns: Ints) -> Ints:
        """Return the newest decision before each instant, 0 where there is none."""
        return np.asarray(self._newest_ns[np.searchsorted(self._starts_ns, end_ns)])

    def rows(self, begin_ns: int, end_ns: int) -> list[tuple[Any, ...]]:
        """Return what the figure's statement returns of this class in a window."""
        [sums] = self._between(np.array([begin_ns]), np.array([end_ns])).tolist()
        if not sums[0]:
            return []
        figures = [
            Decimal(each) / _MICRO if name == LOSS else each
            for name, each in zip(self._names, sums, strict=True)
        ]
        newest_ns = int(self.newest_ns(np.array([end_ns]))[0])
        # Nothing is missing of what is stored.
        return [(self._subject.action, self._subject.region, *figures, 0, newest_ns)]

    def _between(self, begin_ns: Ints, end_ns: Ints) -> Ints:
        first, last = (np.searchsorted(self._starts_ns, each) for each in (begin_ns, end_ns))
        return np.asarray(self._sums[last] - self._sums[first])


def nothing(subject: Subject) -> FigureSeries:
    """Return the series of a class that decided nothing."""
    names = ("decisions", "late", "failed", "unvalued", LOSS)
    none = np.zeros((0, len(names)), np.int64)
    return FigureSeries(subject, names, none[:, 0], none, none[:, 0])


def replay_figure(
    rule: Threshold, subjects: Mapping[Subject, FigureSeries], instants: Instants
) -> Iterator[Change]:
    """Yield what the rule does with these seconds, class by class, from a quiet beginning."""
    if not len(instants.end_ns):
        return
    named = rule.config.named
    known = dict(subjects)
    if named is not None and named not in known:
        known[named] = nothing(named)
    for subject, series in sorted(known.items()):
        if rule.config.covers(subject):
            yield from _replay_subject(rule, subject, series, instants)


def _replay_subject(
    rule: Threshold, subject: Subject, series: FigureSeries, instants: Instants
) -> Iterator[Change]:
    newest_ns = series.newest_ns(instants.end_ns)
    begins_ns = instants.end_ns - rule.window_s * NS_PER_S
    # A class is evaluated from when it is in a window; one that the rule names, from the first.
    is_named = rule.config.expects(subject)
    seen = np.flatnonzero((newest_ns >= np.maximum(begins_ns, 1)) | is_named)
    if not len(seen):
        return
    is_silent = instants.known_ns - newest_ns > instants.nodata_ns
    if rule.is_least_rate:  # then only where nobody decides
        is_silent &= instants.known_ns - instants.end_ns > instants.nodata_ns
    matters = Matters.of(*_beyond(rule, series, begins_ns, instants.end_ns), is_silent)

    def facts_at(index: int) -> Readings:
        rows = series.rows(int(begins_ns[index]), int(instants.end_ns[index]))
        return rule.readings(instants.moment(index), rows)

    yield from walk(rule, subject, instants.end_ns, int(seen[0]), facts_at, lambda _: matters)


def _beyond(
    rule: Threshold, series: FigureSeries, begins_ns: Ints, ends_ns: Ints
) -> tuple[Flags, Flags]:
    """Return at which instants the figure may be beyond the limit, and at which it is for sure."""
    config = rule.config
    columns = series.columns(begins_ns, ends_ns)
    with np.errstate(divide="ignore", invalid="ignore"):  # no share of no decisions
        row = (None, None, *columns, 0, None)
        values = np.asarray(FIGURES[config.figure].value(row, rule.window_s))
    least = 0 if rule.is_least_rate else FIGURES[config.figure].least(config.decisions_min)
    is_known = columns[0] >= least
    limit, sign = (config.above, 1) if config.above is not None else (config.below, -1)
    assert limit is not None
    over, slack = sign * (values - limit), _ROUNDED * (1 + abs(limit))
    return is_known & (over > -slack), is_known & (over > slack)

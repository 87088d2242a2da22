"""Pure: a rule of kind `slo` over a stretch of stored spans, evaluated as the job evaluates it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from alerts.replay.series import Ints
from alerts.replay.walk import Change, Flags, Instants, Matters, walk
from alerts.rules.slo import Slo, SpanCount, SpanFacts, spans_end_ns
from alerts.state.subject import Subject
from collector.core.times import NS_PER_MINUTE, NS_PER_S


class SpanSeries:
    """Spans of one subject by the step in which they ended.

    Args:
        starts_ns: of each step, Unix ns, ascending; windows begin and end where steps do.
        spans: that ended in it.
        bad: ... and are bad.
        newest_ns: end of the newest one.
    """

    def __init__(self, starts_ns: Ints, spans: Ints, bad: Ints, newest_ns: Ints) -> None:
        self._starts_ns = starts_ns
        self._spans = _summed(spans)
        self._bad = _summed(bad)
        self._newest_ns = np.maximum.accumulate(np.concatenate([np.zeros(1, np.int64), newest_ns]))

    def counts(self, begin_ns: Ints, end_ns: Ints) -> tuple[Ints, Ints]:
        """Return the spans and the bad ones between pairs of instants."""
        first, last = (np.searchsorted(self._starts_ns, each) for each in (begin_ns, end_ns))
        return self._spans[last] - self._spans[first], self._bad[last] - self._bad[first]

    def newest_ns(self, end_ns: Ints) -> Ints:
        """Return the end of the newest span before each instant, 0 where there is none."""
        return np.asarray(self._newest_ns[np.searchsorted(self._starts_ns, end_ns)])

    def window(self, begin_ns: int, end_ns: int) -> SpanCount:
        """Return the spans between two instants."""
        spans, bad = self.counts(np.array([begin_ns]), np.array([end_ns]))
        newest_ns = int(self.newest_ns(np.array([end_ns]))[0])
        return SpanCount(int(spans[0]), int(bad[0]), newest_ns if newest_ns >= begin_ns else 0)


def replay_spans(
    rule: Slo, subjects: Mapping[Subject, SpanSeries], instants: Instants
) -> Iterator[Change]:
    """Yield what the rule does with these spans, subject by subject, from a quiet beginning."""
    if not len(instants.known_ns):
        return
    for subject, series in sorted(subjects.items()):
        if rule.config.covers(subject):
            yield from _replay_subject(rule, subject, series, instants)


def _replay_subject(
    rule: Slo, subject: Subject, series: SpanSeries, instants: Instants
) -> Iterator[Change]:
    newest_ns = series.newest_ns(instants.known_ns)
    seen = np.flatnonzero(newest_ns)
    if not len(seen):
        return
    is_over = _breached(rule, series, instants.known_ns)
    is_silent = instants.known_ns - newest_ns > instants.nodata_ns
    matters = Matters.of(is_over, is_over, is_silent)

    def facts_at(index: int) -> SpanFacts:
        moment = instants.moment(index)
        return SpanFacts(moment, {subject: SeriesSpans(series, moment.known_ns)})

    yield from walk(rule, subject, instants.known_ns, int(seen[0]), facts_at, lambda _: matters)


def _breached(rule: Slo, series: SpanSeries, ends_ns: Ints) -> Flags:
    """Return at which instants a tier is breached."""
    found = np.zeros(len(ends_ns), np.bool_)
    for tier in rule.config.tiers:
        over = np.ones(len(ends_ns), np.bool_)
        for seconds in tier.windows_s:
            end_ns = _end_ns(seconds, ends_ns)
            spans, bad = series.counts(end_ns - seconds * NS_PER_S, end_ns)
            is_known = spans >= rule.config.spans_min
            over &= is_known & (bad / np.maximum(spans, 1) > tier.bad_share_max)
        found |= over
    return found


def _end_ns(seconds: int, ends_ns: Ints) -> Ints:
    if spans_end_ns(seconds, NS_PER_S) == NS_PER_S:
        return ends_ns
    return ends_ns - ends_ns % NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class SeriesSpans:
    """The spans of one subject up to an instant."""

    series: SpanSeries
    end_ns: int

    def window(self, seconds: int) -> SpanCount:
        """Return the window of this length in seconds."""
        end_ns = spans_end_ns(seconds, self.end_ns)
        return self.series.window(end_ns - seconds * NS_PER_S, end_ns)


def _summed(values: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])

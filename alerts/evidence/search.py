"""I/O: finds the suspect segment of an alert when it fires, and again while it fires; examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.evidence.suspect import (
    DECISIONS_MIN,
    Baseline,
    PathNow,
    SegmentTimes,
    Suspect,
    find_suspect,
    path_now,
    pool,
)
from alerts.read.reader import AlertReader
from alerts.rows import AlertEvent
from alerts.state.subject import Subject
from collector.core.errors import first_line
from collector.core.log import get_logger
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S

_log = get_logger("alerts")

# What was usual: the class in the ten minutes before the window, while no alert about it fired.
BASELINE_NS = 10 * NS_PER_MINUTE
BEFORE, ELSEWHERE = "before", "in other regions"  # complete "takes longer than"
# An hour has enough decisions to find the segment; more only cost time.
SEARCHED_NS_MAX = NS_PER_HOUR
_EXEMPLARS = 3
# An excess that moved by less than this share is the same suspect.
_EXCESS_MOVED = 0.1
# From so much of a loss on, failures are what it is about.
_LOSS_SHARE_MIN = 0.5
# A segment that makes so many late, of those that fail, is a cause beside them: a timeout.
_LATE_OF_FAILED_MIN = 0.5
# A share of fewer says little: 1 of 14 is not 7 %. It is then of the next longer window.
_FAILING_OF_MIN = 20
# A share that grew by less than this factor, and by less than this, is no news.
_FAILING_GREW = 1.5
_FAILING_ADDED = 0.2


@dataclass(frozen=True, slots=True)
class Failing:
    """What decisions that fail make of a loss: a failed one loses its whole value."""

    loss_share: float  # of the loss of the class; the rest is of late ones
    share: float  # of its decisions
    late_share: float  # of its decisions, over what is usual

    @property
    def carry_loss(self) -> bool:
        """Return whether most of the loss is of decisions that fail."""
        return self.loss_share >= _LOSS_SHARE_MIN


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search: a segment, or None where no segment stands out, and the path."""

    suspect: Suspect | None
    path: PathNow | None  # None: no decision of the class is in the window
    failed_share: float = 0.0  # of the decisions of the class
    failing: Failing | None = None  # None: nothing failed, or nothing was lost

    @property
    def is_of_failures(self) -> bool:
        """Return whether most of the loss is of decisions that fail."""
        return self.failing is not None and self.failing.carry_loss

    @property
    def is_of_enough(self) -> bool:
        """Return whether a share of its decisions says something."""
        return self.path is not None and self.path.decisions >= _FAILING_OF_MIN


class SuspectSearch:
    """Finds the segment of a class that takes longer in a window than before it.

    While an alert without a suspect fires, each pass searches anew: the cause that lasts may not be
    the cause that set it off. An alert with a suspect is searched again, over the window in which
    the suspect was found, once late spans changed how decisions of that time are split.
    """

    def __init__(self, reader: AlertReader) -> None:
        self._reader = reader
        # By episode, the revisions at its last search. After a restart there is one search more.
        self._searched: dict[str, tuple[int, int]] = {}

    def at(self, subject: Subject, windows_s: Sequence[int], end_ns: int) -> Found:
        """Search the windows that end at an instant; take the first where a segment stands out.

        From what was before in any of them, and only then from other regions: those are slower or
        faster on any day. Where decisions that fail carry the loss of the shortest, a segment that
        makes few late is none.

        Args:
            subject: the class of decisions.
            windows_s: of the tier that burns, the shortest first: what began minutes ago is a
                small part of an hour, and its excess is thinned by all that was well before.
            end_ns: of the windows.
        """
        starts_ns = [end_ns - min(each * NS_PER_S, SEARCHED_NS_MAX) for each in windows_s]
        first_ns = starts_ns[-1]
        before, without = self._usual(subject, first_ns)
        every = list[Found]()
        for start_ns in dict.fromkeys(starts_ns):
            during = self._segment_times(subject.action, start_ns, end_ns)
            every.append(_found(subject, during, before))
            if _is_from_before(every[-1]):
                break
        of_enough = (each for each in every if each.is_of_enough)
        share = next(of_enough, every[-1]).failed_share
        is_failing = any(each.failed_share for each in every)
        failing = self._failing(subject, starts_ns, end_ns, without) if is_failing else None
        found = replace(_best(every), failed_share=share, failing=failing)
        makes_late = failing is not None and failing.late_share >= _LATE_OF_FAILED_MIN * share
        return found if makes_late or not found.is_of_failures else replace(found, suspect=None)

    def _usual(
        self, subject: Subject, end_ns: int
    ) -> tuple[dict[str, SegmentTimes], list[tuple[int, int]]]:
        """Return the times of before an instant, and the intervals that are not in them.

        A fault that comes and goes would be measured from itself: what burned is left out, unless
        too little is left.
        """
        from_ns = max(0, end_ns - BASELINE_NS)
        active = self.active_times(subject, from_ns, end_ns)
        if active:
            times = self._segment_times(subject.action, from_ns, end_ns, active)
            if subject.region in times and times[subject.region].decisions >= DECISIONS_MIN:
                return times, active
        return self._segment_times(subject.action, from_ns, end_ns), []

    def active_times(self, subject: Subject, from_ns: int, end_ns: int) -> list[tuple[int, int]]:
        """Return when alerts about a class fired; none where their mirror cannot be read.

        A cause that is less exact is better than an alert that is not told of.
        """
        try:
            rows = self._reader.rows(
                "active_times",
                __file__,
                action=subject.action,
                region=subject.region,
                from_ns=from_ns,
                end_ns=end_ns,
            )
        except ClickHouseError as error:
            _log.warning("fired_alerts_not_read", reason=first_line(error))
            return []
        return [(int(begin_ns), int(over_ns)) for begin_ns, over_ns in rows]

    def _failing(
        self,
        subject: Subject,
        starts_ns: Sequence[int],
        end_ns: int,
        without: Sequence[tuple[int, int]],
    ) -> Failing | None:
        """Return what failures make of the loss, None where nothing was lost.

        Of the shortest window that has enough decisions, else of the longest; `starts_ns` are those
        of the windows, the shortest first.
        """
        for start_ns in dict.fromkeys(starts_ns):
            [(decisions, failed, late, loss_usd, failed_usd, usual_late)] = self._reader.rows(
                "failing",
                __file__,
                action=subject.action,
                region=subject.region,
                usual_from_ns=max(0, starts_ns[-1] - BASELINE_NS),
                usual_end_ns=starts_ns[-1],
                from_ns=start_ns,
                end_ns=end_ns,
                **left_out(without),
            )
            if decisions >= _FAILING_OF_MIN:
                break
        if not decisions or loss_usd <= 0:
            return None
        return Failing(
            min(1.0, failed_usd / loss_usd), failed / decisions, late / decisions - usual_late
        )

    def exemplars(
        self, subject: Subject, window_s: int, end_ns: int, *, is_of_failures: bool = False
    ) -> list[str]:
        """Return the slowest decisions of a class in the window that ends at an instant.

        Where many fail, those that failed: they lost all that they are worth. Of failures no other.
        """
        from_ns = max(0, end_ns - window_s * NS_PER_S, end_ns - SEARCHED_NS_MAX)
        rows = self._reader.rows(
            "exemplars",
            __file__,
            action=subject.action,
            region=subject.region,
            from_ns=from_ns,
            end_ns=end_ns,
            is_of_failures=int(is_of_failures),
            limit=_EXEMPLARS,
        )
        return [str(row[0]) for row in rows]

    def again(
        self,
        subject: Subject,
        windows_s: Sequence[int],
        events: Sequence[AlertEvent],
        end_ns: int,
    ) -> Found | None:
        """Search an alert that fires once more; return None where there is nothing new.

        Args:
            subject: the class of decisions that the alert is about.
            windows_s: of the tier that burns, the shortest first.
            events: of its episode, in order; none where they are about another class.
            end_ns: of the windows of this pass.
        """
        if not events:
            return self.at(subject, windows_s, end_ns)
        last, found_ns = events[-1], suspected_ns(events)
        if found_ns is None:
            found = self.at(subject, windows_s, end_ns)
            return found if found.suspect is not None or _is_news(last, found.failing) else None
        searched_ns = min(windows_s[-1] * NS_PER_S, SEARCHED_NS_MAX)
        from_ns = found_ns - searched_ns - BASELINE_NS
        revisions = self._revisions(subject.action, from_ns, found_ns)
        starts_ns = [end_ns - min(each * NS_PER_S, SEARCHED_NS_MAX) for each in windows_s]
        failing = self._failing(subject, starts_ns, end_ns, ())
        is_news = _is_news(last, failing)
        if revisions == self._searched.get(last.episode_id, (0, 0)) and not is_news:
            return None
        found = self.at(subject, windows_s, found_ns)
        self._searched[last.episode_id] = revisions
        if is_news and failing is not None:  # the segment is that of then, and failures are of now
            return replace(found, failing=failing, failed_share=failing.share)
        return found if _is_another(last, found.suspect) else None

    def forget(self, episode_ids: set[str]) -> None:
        """Drop what is remembered of all episodes but these."""
        self._searched = {key: seen for key, seen in self._searched.items() if key in episode_ids}

    def _segment_times(
        self, action: str, from_ns: int, end_ns: int, without: Sequence[tuple[int, int]] = ()
    ) -> dict[str, SegmentTimes]:
        """Return the times of the segments by region, of [from, end) but these intervals."""
        rows = self._reader.rows(
            "segment_times",
            __file__,
            action=action,
            from_ns=from_ns,
            end_ns=end_ns,
            **left_out(without),
        )
        return {
            str(region): SegmentTimes(
                int(decisions), tuple(mean_ns), tuple(variance_ns2), float(failed_share)
            )
            for region, decisions, mean_ns, variance_ns2, failed_share in rows
        }

    def _revisions(self, action: str, from_ns: int, end_ns: int) -> tuple[int, int]:
        """Return how many revisions the decisions of [from, end) have, and the newest instant."""
        [(revisions, newest_ns)] = self._reader.rows(
            "revised", __file__, action=action, from_ns=max(from_ns, 0), end_ns=end_ns
        )
        return int(revisions), int(newest_ns)


def left_out(without: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    """Return the parameters of a statement that leaves intervals out."""
    return {
        "without_from_ns": [begin_ns for begin_ns, _ in without],
        "without_end_ns": [over_ns for _, over_ns in without],
    }


def _found(
    subject: Subject, during: Mapping[str, SegmentTimes], before: Mapping[str, SegmentTimes]
) -> Found:
    """Return what stands out of a class in a window, by the times of its action's regions."""
    if subject.region not in during:
        return Found(None, None)
    baselines = []
    if subject.region in before:
        baselines.append(Baseline(BEFORE, before[subject.region]))
    others = [times for region, times in during.items() if region != subject.region]
    baselines.append(Baseline(ELSEWHERE, pool(others)))
    affected = during[subject.region]
    suspect = find_suspect(affected, baselines)
    path = path_now(affected, baselines, suspect.baseline if suspect else "")
    return Found(suspect, path, affected.failed_share)


def _is_from_before(found: Found) -> bool:
    return found.suspect is not None and found.suspect.baseline == BEFORE


def _best(every: Sequence[Found]) -> Found:
    """Return the first with a suspect from what was before, else with any, else the last."""
    if _is_from_before(every[-1]):
        return every[-1]
    return next((each for each in every if each.suspect is not None), every[-1])


def suspected_ns(events: Sequence[AlertEvent]) -> int | None:
    """Return the end of the window in which the suspect of an alert was found, None without one.

    Later events repeat the suspect, or name another in the same window.
    """
    at_ns = None
    for event in events:
        if not event.blamed_stage:
            at_ns = None
        elif at_ns is None:
            at_ns = event.at_ns
    return at_ns


def _is_news(last: AlertEvent, failing: Failing | None) -> bool:
    """Return whether failures carry the loss, and the alert says nothing of them, or too little."""
    known = last.failing_share
    least = min(_FAILING_GREW * known, known + _FAILING_ADDED)
    return failing is not None and failing.carry_loss and failing.share >= least


def _is_another(last: AlertEvent, found: Suspect | None) -> bool:
    before = last.blamed_stage, last.blamed_class
    if found is None or (found.stage, found.latency_class) != before:
        return True
    moved_ns = abs(found.excess_ns - last.blamed_excess_ns)
    return moved_ns > _EXCESS_MOVED * last.blamed_excess_ns

"""I/O: names the call behind an alert that fires, once the alert is judged and its message is out.

Of some decisions alone, whose spans are read one by one. What cannot be read is not named, and
holds nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.evidence.calls import CallFinding, FailedSpan, Path, first_to_fail, slower_call
from alerts.evidence.search import (
    BASELINE_NS,
    ELSEWHERE,
    SEARCHED_NS_MAX,
    SuspectSearch,
    left_out,
)
from alerts.read.reader import AlertReader
from alerts.rows import AlertEvent
from alerts.rules.base import Moment
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Phase, Transition
from attribution.core.segments import CLASSES, STAGES
from collector.core.clock import Clock, SystemClock
from collector.core.errors import StoreUnavailableError, first_line
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE, NS_PER_S

_log = get_logger("alerts")

# So many decisions are looked at of an alert's newest minutes, as many of before, and of those that
# fail; of traces of thousands of spans fewer.
_DECISIONS_MAX: Final = 100
_NEWEST_NS: Final = 5 * NS_PER_MINUTE
_SPANS_MAX: Final = 50_000
_FAILED_SPANS_MAX: Final = 10_000
# An incident of a hundred classes is named over some passes: no judgement waits for it.
_ALERTS_MAX: Final = 4
_PASS_NS: Final = NS_PER_S
# Spans are there when decisions are judged; a store that is slow may need another pass.
_TRIES_MAX: Final = 3
# Decisions that did not fail, that did, and all.
_WELL, _FAILED, _ANY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Decision:
    """One decision of a sample."""

    ingress_ns: int
    decision_id: str
    trace_id: str


class Naming:
    """Finds the calls of alerts, and records them as something new that is known of these."""

    def __init__(
        self,
        reader: AlertReader,
        search: SuspectSearch,
        alert_state: AlertStore,
        clock: Clock | None = None,
    ) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()
        self._search = search
        self._alert_state = alert_state
        self._tried: dict[tuple[str, int], int] = {}  # by episode and event

    def run_once(self, moment: Moment) -> None:
        """Name the calls of some alerts that fire and of which none is named, the dearest first."""
        begun_ns = self._clock.monotonic_ns()
        firing = [
            (state, last)
            for state in self._alert_state.states().values()
            if state.shown is Phase.FIRING
            and (last := self._alert_state.last_event(state.episode_id)) is not None
        ]
        there = {(last.episode_id, last.seq) for _, last in firing}
        self._tried = {key: number for key, number in self._tried.items() if key in there}
        waiting = [
            (state, last, of_class)
            for state, last in firing
            if (of_class := self._class_of(last)) is not None
        ]
        waiting.sort(key=lambda each: (self._tries(each[1]), -each[1].revenue_at_risk_usd_per_h))
        for state, last, of_class in waiting[:_ALERTS_MAX]:
            if self._clock.monotonic_ns() - begun_ns > _PASS_NS:
                break
            key = (last.episode_id, last.seq)
            self._tried[key] = self._tries(last) + 1
            try:
                failing, slow = self._find(last, of_class)
            except (ClickHouseError, StoreUnavailableError) as error:
                _log.warning("calls_not_read", episode_id=key[0], reason=first_line(error))
                continue
            if failing or slow:
                self._alert_state.record([_named(state, last, failing, slow, moment)])

    def _tries(self, last: AlertEvent) -> int:
        return self._tried.get((last.episode_id, last.seq), 0)

    def _class_of(self, last: AlertEvent) -> Subject | None:
        """Return the class that an alert's cause is of, None where there is nothing to name."""
        is_named = bool(last.calls) or self._tries(last) >= _TRIES_MAX
        if is_named or not (last.blamed_stage or last.failing_share):
            return None
        evidence = self._alert_state.evidence_of(last.episode_id)
        if evidence is None or (last.focus and last.focus != str(evidence[1])):
            return None
        return evidence[1]

    def _find(
        self, last: AlertEvent, of_class: Subject
    ) -> tuple[CallFinding | None, CallFinding | None]:
        """Return the first call to fail of decisions that do, and the slower one of slow ones."""
        end_ns = last.at_ns
        from_ns = max(0, end_ns - min(last.window_s * NS_PER_S, _NEWEST_NS))
        failing = self._failing(of_class, from_ns, end_ns) if last.failing_share else None
        slow = self._slow(last, of_class, from_ns, end_ns) if last.blamed_stage else None
        return failing, slow

    def _slow(
        self, last: AlertEvent, of_class: Subject, from_ns: int, end_ns: int
    ) -> CallFinding | None:
        segment = (last.blamed_stage, last.blamed_class)
        if last.blamed_baseline == ELSEWHERE:
            usual = self._sample(of_class, from_ns, end_ns, is_same=False)
        else:
            # Before the whole window that it fired on: what it holds is not as usual.
            until_ns = max(0, end_ns - min(last.window_s * NS_PER_S, SEARCHED_NS_MAX))
            usual_ns = max(0, until_ns - BASELINE_NS)
            active = self._search.active_times(of_class, usual_ns, until_ns)
            usual = self._sample(of_class, usual_ns, until_ns, active=active)
        now = self._sample(of_class, from_ns, end_ns)
        at = STAGES.index(segment[0]), CLASSES.index(segment[1])
        during, then = (
            [path.times_in(*at) for path in self._paths(of).values()] for of in (now, usual)
        )
        return slower_call(during, then)

    def _failing(self, of_class: Subject, from_ns: int, end_ns: int) -> CallFinding | None:
        usual_ns = max(0, from_ns - BASELINE_NS)
        failed = self._sample(of_class, from_ns, end_ns, result=_FAILED)
        well = self._sample(of_class, usual_ns, end_ns, result=_WELL)
        return first_to_fail(
            self._with_failed(failed, from_ns, end_ns), self._with_failed(well, usual_ns, end_ns)
        )

    def _with_failed(
        self, sample: Sequence[_Decision], from_ns: int, end_ns: int
    ) -> list[tuple[Path, list[FailedSpan]]]:
        """Return the paths of decisions, each with its spans that failed."""
        paths = self._paths(sample)
        traces = {each.decision_id: each.trace_id for each in sample}
        rows = self._rows(
            "failed_spans",
            trace_ids=sorted({traces[name] for name in paths}),
            from_ns=from_ns,
            end_ns=end_ns,
            limit=_FAILED_SPANS_MAX,
        )
        found: dict[str, list[FailedSpan]] = {}
        for trace_id, span_id, parent_id, at_ns in rows:
            found.setdefault(str(trace_id), []).append(FailedSpan(span_id, parent_id, at_ns))
        return [(path, found.get(traces[name], [])) for name, path in paths.items()]

    def _sample(
        self,
        of_class: Subject,
        from_ns: int,
        end_ns: int,
        *,
        is_same: bool = True,
        result: int = _ANY,
        active: Sequence[tuple[int, int]] = (),
    ) -> list[_Decision]:
        rows = self._rows(
            "sampled",
            action=of_class.action,
            region=of_class.region,
            from_ns=from_ns,
            end_ns=end_ns,
            is_same=int(is_same),
            result=result,
            limit=_DECISIONS_MAX,
            **left_out(active),
        )
        return [_Decision(*row) for row in rows]

    def _paths(self, of: Sequence[_Decision]) -> dict[str, Path]:
        """Return the paths of decisions by their ids, of those whose spans are kept."""
        rows = self._rows(
            "paths",
            ingress_ns=[each.ingress_ns for each in of],
            decision_ids=[each.decision_id for each in of],
            spans_max=_SPANS_MAX,
        )
        return {str(row[0]): Path(*row[1:]) for row in rows}

    def _rows(self, name: str, **parameters: Any) -> list[Any]:  # noqa: ANN401  of a statement
        return self._reader.rows(name, __file__, **parameters)


def _named(
    state: AlertState,
    last: AlertEvent,
    failing: CallFinding | None,
    slow: CallFinding | None,
    moment: Moment,
) -> Update:
    """Return what records the calls: of the window that the event before is of, as its figures."""
    transition = Transition.while_firing(state, last.at_ns)
    event = replace(
        last,
        seq=transition.seq,
        from_state=transition.from_state.value,
        to_state=transition.to_state.value,
        recorded_ns=moment.now_ns,
        failing_call=failing.call if failing else "",
        failing_call_text=failing.text if failing else "",
        slow_call=slow.call if slow else "",
        slow_call_text=slow.text if slow else "",
    )
    return Update(replace(state, seq=transition.seq), event)

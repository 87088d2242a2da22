"""Pure: the rule kind `dead_man`: data that arrived before have stopped.

Silence counts from the last arrival, but never from before the start of the process, nor from
before its clock was set ahead: a service that was just started, or that nobody ever sent to, misses
nothing. An alert that fires goes on over a restart until data arrive again.

What an import brings is no sign of a sender. The receiver of this process tells it apart; in the
store it is known by its age, and so is what a service sends whose clock is hours behind. That one
is told from a file by that its spans come evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal

from pydantic import Field

from alerts.rules.base import (
    Evaluation,
    Moment,
    Reader,
    Rule,
    RuleConfig,
    Wording,
    duration_text,
)
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Observation, Phase, Status
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S

ALL_DATA: Final = Subject("", "")
# What arrived so long before the newest may be stored after it: signals are stored apart.
_LATE_STORED_NS: Final = NS_PER_MINUTE
# Nobody holds spans back for so long; those of a file are as old as one likes.
_OLD_NS: Final = NS_PER_HOUR
# A clock that is behind is so evenly, and exporters send every few seconds.
_EVEN_NS, _APART_NS, _TIMES_MIN = NS_PER_MINUTE, 10 * NS_PER_S, 4


class DeadManConfig(RuleConfig):
    """Data stop: all of them, or those of a service that is named."""

    kind: Literal["dead_man"] = Field(default="dead_man", description="Kind of the rule")
    silence_s: float = Field(gt=0, description="Silence after which it fires")
    services: tuple[str, ...] = Field(
        default=(), description="Services (service.name) that are watched one by one as well"
    )
    keep_firing_s: float = Field(
        default=0.0, ge=0, description="Time that the alert fires on after data arrived again"
    )

    @property
    def watched(self) -> frozenset[Subject]:
        """Return all data, and each service that is named."""
        return frozenset({ALL_DATA, *(Subject(name, "") for name in self.services)})

    def covers(self, subject: Subject) -> bool:
        """Return whether a subject is watched."""
        return subject in self.watched

    def expects(self, subject: Subject) -> bool:
        """Return whether a subject is watched: its silence is the point."""
        return subject in self.watched


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The newest arrivals at one moment, Unix ns."""

    moment: Moment
    newest_ns: int  # of all data, 0 where none ever came
    by_service: Mapping[str, int]  # of each service that sent anything since the last pass


@dataclass(frozen=True, slots=True)
class DeadMan(Rule[DeadManConfig, Arrivals]):
    """Fires when no data came for a time, and ends with the next arrival."""

    model: ClassVar = DeadManConfig
    goes_by_arrival: ClassVar[bool] = True

    config: DeadManConfig

    @property
    def window_s(self) -> int:
        """Return the silence after which it fires."""
        return round(self.config.silence_s)

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> Arrivals:
        """Read what arrived since the newest arrival that a state remembers."""
        before_start_ns = moment.started_ns - round(self.config.silence_s * NS_PER_S)
        known_ns = max([before_start_ns, *(state.data_ns for state in states.values())])
        after_ns = max(known_ns - _LATE_STORED_NS, 0)
        rows = reader.rows("arrivals", __file__, after_ns=after_ns, old_ns=_OLD_NS)
        by_service = {str(service): int(newest_ns) for service, newest_ns in rows}
        newest_ns = max([moment.progress.newest_ns, *by_service.values()])
        found = Arrivals(moment, newest_ns, by_service)
        if any(self._is_silent(found, state) for state in states.values()):
            # What is silent may have a clock that is behind.
            silence_ns = round(self.config.silence_s * NS_PER_S)
            rows = reader.rows(
                "behind",
                __file__,
                after_ns=max(moment.arriving_ns - silence_ns, 0),
                old_ns=_OLD_NS,
                even_ns=_EVEN_NS,
                apart_ns=_APART_NS,
                times_min=_TIMES_MIN,
            )
            for service, behind_ns in rows:
                by_service[str(service)] = max(int(behind_ns), by_service.get(str(service), 0))
            found = Arrivals(moment, max([newest_ns, *by_service.values()]), by_service)
        return found

    def subjects(self, facts: Arrivals) -> Mapping[Subject, int]:
        """Return what is watched and has ever sent anything."""
        arrived = {each: _newest_ns(facts, each) for each in self.config.watched}
        return {each: newest_ns for each, newest_ns in arrived.items() if newest_ns}

    def evaluate(self, facts: Arrivals, state: AlertState) -> Evaluation:
        """Compare the time since the last arrival with the limit."""
        moment, newest_ns = facts.moment, _newest_ns(facts, state.subject)
        last_ns = max(newest_ns, state.data_ns)
        is_breached = self._is_silent(facts, state)
        seen = Observation(
            status=Status.BREACHED if is_breached else Status.OK,
            at_ns=moment.now_ns,
            newest_ns=last_ns,
            is_silent=False,
        )
        who = self.wording(state.subject).subject
        if not is_breached:
            return Evaluation(seen, f"{who} arrive again")
        at = datetime.fromtimestamp(last_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
        silence = duration_text((moment.arriving_ns - last_ns) / NS_PER_S)
        return Evaluation(
            seen,
            f"no {who} for {silence}, the last came at {at} UTC; look at the senders, and at what "
            "is between them and this service",
        )

    def _is_silent(self, facts: Arrivals, state: AlertState) -> bool:
        """Return whether nothing came for the limit, or since an alert fires."""
        moment, newest_ns = facts.moment, _newest_ns(facts, state.subject)
        if state.phase is Phase.FIRING and newest_ns <= state.data_ns:
            return True
        # A store that is behind makes no service silent.
        until_ns = moment.arriving_ns
        if state.subject != ALL_DATA:
            until_ns = min(until_ns, moment.progress.stored_ns)
        # Nor does one that was away: what came meanwhile waits in the collectors' log.
        last_ns = max(newest_ns, state.data_ns, moment.started_ns, moment.readable_ns)
        return until_ns - last_ns > self.config.silence_s * NS_PER_S

    def wording(self, subject: Subject) -> Wording:
        """Return the words for all data, or for those of a service."""
        of = f"service {subject.action}" if subject.action else "any service"
        return self.config.wording(f"data of {of}")


def _newest_ns(facts: Arrivals, subject: Subject) -> int:
    """Return the newest arrival of a subject, 0 where the facts have none."""
    return facts.newest_ns if subject == ALL_DATA else facts.by_service.get(subject.action, 0)

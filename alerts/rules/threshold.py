"""Pure: the rule kind `threshold`: a figure that is kept anyway is above or below a limit.

A figure is one statement in `sql/` and one entry of FIGURES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from alerts.rules.base import (
    DecisionRuleConfig,
    Evaluation,
    Moment,
    Reader,
    Rule,
    Wording,
    duration_text,
    is_much,
    missing_s,
    missing_text,
    observe,
    unless_missing,
)
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Observation, Phase, Status
from attribution.core.money import currency
from collector.core.times import NS_PER_MS, NS_PER_S

_S_PER_H = 3_600
_S_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure of one subject in one window."""

    value: float
    count: int | None = None  # of what `Figure.counted` says; None: it is a count itself
    newest_ns: int = 0  # the newest of them, missing or not
    missing: int = 0  # decisions that arrived, and are not attributed yet


@dataclass(frozen=True, slots=True)
class Figure:
    """Where a figure comes from.

    Args:
        statement: in `sql/`. Where something is counted its rows begin with two names and the
            count and end with the instant of the newest; of decisions how many are missing is
            before that.
        subject: of a row.
        value: of a row and the length of the window in seconds; of columns likewise.
        of: what one subject is, for people.
        unit: after the value, "" for none; `{currency}` in it is the one of amounts.
        counted: what the figure is a mean of, "" where it is a count itself. Without any it says
            nothing.
        is_prompt: whether they come as they happen, so that none for a time is a silence.
        every_s: of what is dear to read, windows end at whole multiples of so many seconds.
        is_ratio: whether it says nothing of few.
        of_arrived: whether it is known of decisions before they are attributed.
        is_of_time: whether it is of how long decisions take, or whether they fail, so that a
            segment or a call may explain it.
    """

    statement: str
    subject: Callable[[Any], Subject]
    value: Callable[[Any, int], Any]
    of: str
    unit: str = ""
    counted: str = ""
    is_prompt: bool = True
    every_s: int = 0
    is_ratio: bool = True
    of_arrived: bool = False
    is_of_time: bool = False

    def least(self, decisions_min: int) -> int:
        """Return of how many it has to be to say anything."""
        return decisions_min if self.is_ratio else 1

    @property
    def is_about_decisions(self) -> bool:
        """Return whether a subject is a class of decisions."""
        return self.of == "decisions"

    def reading(self, row: Any, seconds: int) -> Reading:  # noqa: ANN401  # a row of any statement
        """Return the figure of one row and of a window of so many seconds."""
        if not self.counted:
            return Reading(float(self.value(row, seconds)))
        count, missing = int(row[2]), int(row[-2]) if self.is_about_decisions else 0
        if self.of_arrived:
            count, missing = count + missing, 0
        value = float(self.value(row, seconds)) if count else 0.0
        return Reading(value, count, int(row[-1]), missing)


def _class(row: Any) -> Subject:  # noqa: ANN401  # a row of any statement
    return Subject(str(row[0]), str(row[1]))


def _alone(row: Any) -> Subject:  # noqa: ANN401  # a row of any statement
    return Subject(str(row[0]), "")


def _share(column: int) -> Callable[[Any, int], Any]:
    """Return a column over what is counted."""
    return lambda row, _: row[column] / row[2]


def _count(row: Any, _: int) -> Any:  # noqa: ANN401  # a row of any statement
    return row[1]


def _per_hour(row: Any, seconds: int) -> Any:  # noqa: ANN401  # a row of any statement
    # Of the part of the window that is attributed, a second at least; a replay has columns here.
    arrived, most = row[2] + row[-2], seconds * row[2]
    arrived = arrived + (most - arrived) * (arrived > most)
    return row[6] * _S_PER_H / seconds * arrived / row[2]


def _of_decisions(
    statement: str,
    value: Callable[[Any, int], Any],
    unit: str = "",
    *,
    is_ratio: bool = True,
    of_arrived: bool = False,
    is_of_time: bool = True,
) -> Figure:
    return Figure(
        statement,
        _class,
        value,
        "decisions",
        unit,
        counted="decisions",
        is_ratio=is_ratio,
        of_arrived=of_arrived,
        is_of_time=is_of_time,
    )


FIGURES: Final[Mapping[str, Figure]] = {
    "late_ratio": _of_decisions("class_figures", _share(3)),
    "failed_ratio": _of_decisions("class_figures", _share(4)),
    "unvalued_ratio": _of_decisions("class_figures", _share(5), is_of_time=False),
    "loss_usd_per_h": _of_decisions("class_figures", _per_hour, " {currency}/h", is_ratio=False),
    "decisions_per_s": _of_decisions(
        "class_figures",
        lambda row, s: (row[2] + row[-2]) / s,
        " /s",
        is_ratio=False,
        of_arrived=True,
        is_of_time=False,
    ),
    "slow_ratio": _of_decisions("slow_decisions", _share(3)),
    "cache_hit_ratio": Figure(
        "cache_lookups", _alone, _share(3), "lookups of cache", counted="lookups", every_s=30
    ),
    "cost_per_decision": Figure(
        "decision_costs",
        _alone,
        _share(3),
        "decisions billed in",
        counted="decisions that bills cover",
        is_prompt=False,
        every_s=_S_PER_H,
    ),
    "rejected": Figure("rejected_items", _alone, _count, "items rejected as"),
    "unproven": Figure("unproven_events", _alone, _count, "events of producer"),
    "microbursts": Figure("bursts", _alone, _count, "bursts at host"),
    "clock_error_ms": Figure(
        "clock_errors", _alone, lambda row, _: row[1] / NS_PER_MS, "clocks of hosts", " ms"
    ),
}


class ThresholdConfig(DecisionRuleConfig):
    """A limit of one figure, over one window."""

    kind: Literal["threshold"] = Field(default="threshold", description="Kind of the rule")
    figure: Literal[
        "late_ratio", "failed_ratio", "unvalued_ratio", "loss_usd_per_h", "decisions_per_s",
        "slow_ratio", "cache_hit_ratio", "cost_per_decision", "rejected", "unproven", "microbursts",
        "clock_error_ms",
    ] = Field(description="What is compared")  # fmt: skip
    above: float | None = Field(default=None, description="It fires above this ...")
    below: float | None = Field(default=None, description="... or below this; give one of the two")
    window_length_s: int = Field(default=300, gt=0, description="Length of the window")
    target_ms: float | None = Field(
        default=None, gt=0, description="Of slow_ratio: a decision that takes longer is slow"
    )
    decisions_min: int = Field(
        default=20,
        ge=1,
        description="Decisions, or lookups of a cache, below which a ratio says nothing",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError(f"rule {self.name}: give either above or below")
        if (self.target_ms is None) == (self.figure == "slow_ratio"):
            raise ValueError(
                f"rule {self.name}: target_ms belongs to figure slow_ratio, which needs it"
            )
        is_never = (self.above or 0) > 1 or (self.below or 0) < 0
        if self.figure.endswith("_ratio") and is_never:
            side, limit = ("above", self.above) if self.below is None else ("below", self.below)
            raise ValueError(
                f"rule {self.name}: {self.figure} is a share from 0 to 1, which is never {side} "
                f"{limit:g}; 5 % is 0.05"
            )
        if self.figure == "cost_per_decision" and self.window_length_s < _S_PER_DAY:
            raise ValueError(
                f"rule {self.name}: window_length_s is {self.window_length_s}; bills are of "
                f"days, so that cost_per_decision needs {_S_PER_DAY} or more"
            )
        return self

    @property
    def named(self) -> Subject | None:
        """Return the class that the rule names in full, None of a figure of something else."""
        return super().named if FIGURES[self.figure].is_about_decisions else None


@dataclass(frozen=True, slots=True)
class Readings:
    """The figure of every subject that has one, at one moment."""

    moment: Moment
    by_subject: Mapping[Subject, Reading]


@dataclass(frozen=True, slots=True)
class Threshold(Rule[ThresholdConfig, Readings]):
    """Fires while the figure is beyond the limit."""

    model: ClassVar = ThresholdConfig

    config: ThresholdConfig

    @property
    def window_s(self) -> int:
        """Return the window."""
        return self.config.window_length_s

    @property
    def is_about_decisions(self) -> bool:
        """Return whether the figure is of decisions."""
        return FIGURES[self.config.figure].is_about_decisions

    @property
    def explains_decisions(self) -> bool:
        """Return whether the figure is of their time or failures, and is too large."""
        return FIGURES[self.config.figure].is_of_time and self.config.above is not None

    @property
    def is_about_failures(self) -> bool:
        """Return whether the figure is of failures."""
        return self.config.figure == "failed_ratio" and self.config.above is not None

    def read(
        self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]
    ) -> Readings:
        """Read the figure of every subject.

        Windows end with the decisions, those of anything else where everything has arrived: where
        all is rejected no decision comes.
        """
        config = self.config
        figure = FIGURES[config.figure]
        if not figure.is_about_decisions:
            moment = replace(moment, end_ns=moment.known_ns)
        every_ns = figure.every_s * NS_PER_S or 1
        end_ns = moment.end_ns - moment.end_ns % every_ns
        parameters = {
            "from_ns": max(0, end_ns - config.window_length_s * NS_PER_S),
            "end_ns": end_ns,
        }
        if config.target_ms is not None:
            parameters["target_ns"] = round(config.target_ms * NS_PER_MS)
        rows = reader.kept_rows if figure.every_s else reader.rows
        return self.readings(moment, rows(figure.statement, __file__, **parameters))

    def readings(self, moment: Moment, rows: Iterable[Any]) -> Readings:
        """Return the figure of every subject of the rows of its statement."""
        figure = FIGURES[self.config.figure]
        found = {figure.subject(row): figure.reading(row, self.window_s) for row in rows}
        return Readings(moment, found)

    def subjects(self, facts: Readings) -> Mapping[Subject, int]:
        """Return what has the figure and is covered, and the class that the rule names."""
        return self.config.classes(facts.by_subject, facts.moment.end_ns)

    def evaluate(self, facts: Readings, state: AlertState) -> Evaluation:
        """Compare the figure of one subject with the limit."""
        moment, figure = facts.moment, FIGURES[self.config.figure]
        reading = facts.by_subject.get(state.subject)
        status, reason = self._judge(figure, reading)
        if self.is_least_rate:
            status, reason = self._too_soon(moment, state) or (status, reason)
        if figure.counted and figure.is_prompt:
            newest_ns = 0 if reading is None else reading.newest_ns
            if reading is not None:
                seconds = missing_s(self.window_s, reading.count or 0, reading.missing)
                reason += missing_text(seconds)
                is_missing = is_much(seconds, self.window_s) and self._may_change(figure, reading)
                status = unless_missing(status, state, is_missing=is_missing)
            seen = observe(status, state, newest_ns, moment)
            # Where others decide, silence is a rate as any other: it is 0.
            others_decide = moment.known_ns - moment.end_ns <= moment.nodata_ns
            is_known = self.is_least_rate and others_decide
            return Evaluation(replace(seen, is_silent=seen.is_silent and not is_known), reason)
        seen = Observation(status, moment.end_ns, moment.end_ns, is_silent=False)
        return Evaluation(seen, reason)

    def wording(self, subject: Subject) -> Wording:
        """Return the words for one subject."""
        figure = FIGURES[self.config.figure]
        of = str(subject) if figure.is_about_decisions else subject.action
        return self.config.wording(f"{figure.of} {'of ' if figure.is_about_decisions else ''}{of}")

    def _judge(self, figure: Figure, reading: Reading | None) -> tuple[Status, str]:
        config = self.config
        during = duration_text(config.window_length_s)
        if reading is None and figure.counted and not self.is_least_rate:
            return Status.NO_DATA, f"no {figure.counted} in {during}"
        if reading is None:
            # What is counted and has no row happened not once.
            reading = Reading(0.0)
        if reading.count is not None and reading.count < figure.least(config.decisions_min):
            few = f"{reading.count:,} {figure.counted} in {during}"
            return Status.NO_DATA, f"{few}, fewer than {figure.least(config.decisions_min):,}"
        unit = figure.unit.format(currency=currency())
        over = "" if config.target_ms is None else f" over {config.target_ms:g} ms"
        value = f"{config.figure} {reading.value:,.6g}{unit}{over} in {during}"
        of = f" of {reading.count:,} {figure.counted}" if reading.count is not None else ""
        is_beyond, limit = self._limit(reading.value)
        return (Status.BREACHED if is_beyond else Status.OK), f"{value}{of}, {limit}"

    @property
    def is_least_rate(self) -> bool:
        """Return whether it is about classes that decide too seldom, or no longer."""
        return self.config.figure == "decisions_per_s" and self.config.below is not None

    def _too_soon(self, moment: Moment, state: AlertState) -> tuple[Status, str] | None:
        """Return what there is to say while a window is longer than a class is known, else None.

        Decisions are few perhaps because nobody was there to receive them, or because the class is
        new.
        """
        window_ns = self.config.window_length_s * NS_PER_S
        is_new = state.phase is Phase.INACTIVE and not state.episodes
        if is_new and state.held_ns < window_ns:
            return Status.OK, "the window begins before its first decision"
        if moment.end_ns - window_ns < moment.started_ns:
            return Status.NO_DATA, "the window begins before this process or its clock did"
        return None

    def _may_change(self, figure: Figure, reading: Reading) -> bool:
        """Return whether the figure may be beyond the limit with what is missing of it."""
        if not figure.is_ratio:
            return True
        missing = reading.missing / ((reading.count or 0) + reading.missing or 1)
        least = reading.value * (1 - missing)
        return any(self._limit(each)[0] for each in (least, least + missing))

    def _limit(self, value: float) -> tuple[bool, str]:
        config = self.config
        if config.above is not None:
            is_beyond = value > config.above
            return is_beyond, f"{'above' if is_beyond else 'not above'} {config.above:g}"
        assert config.below is not None
        is_beyond = value < config.below
        return is_beyond, f"{'below' if is_beyond else 'not below'} {config.below:g}"

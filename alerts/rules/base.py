"""Pure: the parts of every kind of rule. A kind implements `Rule`; the job knows nothing else.

One pass over one rule: `read` asks the store, `subjects` lists what to evaluate, `evaluate`
compares each with the rule, and the state machine (alerts/state) makes transitions of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar

from pydantic import Field

from alerts.rows import UNKNOWN
from alerts.state.subject import Subject
from alerts.state.transitions import ACTIVE_PHASES, AlertState, Observation, Status
from collector.core.config import Section

_S_PER_DAY = 86_400
_S_PER_H = 3_600
_NOTHING = Decimal(0)
# Less of a window is on its way in any pass, and is not worth a word; and so little changes no end.
_MISSING_S_MIN: Final = 1.0
_MISSING_SHARE_MIN: Final = 0.02

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Wording:
    """How messages and pages speak of a rule and a subject."""

    subject: str = "data"  # completes "no ... for 5 min"
    # The shorter window by the longer one, of a rule that compares two.
    shorts: Mapping[int, int] = field(default_factory=dict)
    note: str = ""
    runbook_url: str = ""

    def windows_s(self, window_s: int) -> tuple[int, ...]:
        """Return the windows that are compared where this is the longest, the shortest first."""
        short_s = self.shorts.get(window_s)
        return (window_s,) if short_s is None else (short_s, window_s)


# Of a rule that is configured no longer: what only the rule knew is unknown.
NO_WORDING = Wording()


class RuleConfig(Section):
    """The settings that rules of every kind have. A kind adds its own, and `kind` as a Literal."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        max_length=64,
        description="Name of the rule: a to z, 0 to 9 and -",
    )
    kind: str = Field(description="Kind of the rule")
    severity: Severity = Field(default="page", description="page or ticket")
    for_s: float = Field(
        default=0.0, ge=0, description="Time that the condition has to hold before the alert fires"
    )
    keep_firing_s: float = Field(
        default=180.0, ge=0, description="Time that the alert fires on after the condition ended"
    )
    live: bool | None = Field(
        default=None,
        description="true: its alerts are routed from the start; false: never; by default the rule "
        "is in shadow until `millworth rules promote NAME`",
    )
    runbook_url: str = Field(default="", description="What to do")
    note: str = Field(default="", description="Printed beside the alert")

    @property
    def by_severity(self) -> tuple[RuleConfig, ...]:
        """Return the rules that this entry makes, one a severity."""
        return (self,)

    @property
    def breadth(self) -> int:
        """Return 0 for a rule about each class, more for one about many at once."""
        return 0

    @property
    def follows(self) -> tuple[str, ...]:
        """Return the calendars that the rule follows."""
        return ()

    def covers(self, subject: Subject) -> bool:
        """Return whether the rule is about a subject; an alert on any other is closed."""
        return True

    def expects(self, subject: Subject) -> bool:
        """Return whether the rule names a subject; the state of any other is dropped in time."""
        return False

    def wording(self, subject: str, shorts: Mapping[int, int] | None = None) -> Wording:
        """Return the words of a rule with its note and its runbook."""
        return Wording(subject, shorts or {}, self.note, self.runbook_url)


class AnyTier(Protocol):
    """One of the limits of an entry, any of which fires."""

    @property
    def severity(self) -> Severity | None:
        """Return how urgent its alert is, None where the entry says it."""
        ...


EntryT = TypeVar("EntryT", bound=RuleConfig)


def split_by_severity(config: EntryT, tiers: Iterable[AnyTier]) -> tuple[EntryT, ...]:
    """Return a rule for each severity of the tiers, page before ticket.

    Args:
        config: the entry that has the tiers; its severity is that of a tier that names none.
        tiers: of the entry, in the order in which a rule tries them.
    """
    by_severity: dict[str, list[AnyTier]] = {}
    for tier in tiers:
        by_severity.setdefault(tier.severity or config.severity, []).append(tier)
    rules: list[EntryT] = []
    for severity in sorted(by_severity):
        name = f"{config.name}-{severity}" if rules else config.name
        update = {"name": name, "tiers": tuple(by_severity[severity]), "severity": severity}
        rules.append(config.model_copy(update=update))
    return tuple(rules)


class DecisionRuleConfig(RuleConfig):
    """The settings of a rule about classes of decisions: an action in a region."""

    action: str = Field(
        default="", description="Only this action; empty evaluates each action by itself"
    )
    region: str = Field(
        default="", description="Only this region; empty evaluates each region by itself"
    )

    def covers(self, subject: Subject) -> bool:
        """Return whether the action and the region are those of the rule."""
        return self.action in ("", subject.action) and self.region in ("", subject.region)

    def expects(self, subject: Subject) -> bool:
        """Return whether the rule names the class in full."""
        return subject == self.named

    @property
    def named(self) -> Subject | None:
        """Return the one class that the rule names in full, None where it takes what comes.

        Such a class is evaluated before its first decision, so that its silence is seen.
        """
        return Subject(self.action, self.region) if self.action and self.region else None

    def classes(self, found: Iterable[Subject], since_ns: int) -> dict[Subject, int]:
        """Return the class that the rule names, and those found that it covers, each since then."""
        named = [] if self.named is None else [self.named]
        return {each: since_ns for each in (*found, *named) if self.covers(each)}


@dataclass(frozen=True, slots=True)
class Progress:
    """What the receivers of this process know of arrivals; Unix ns."""

    newest_ns: int  # of the last request of a sender, 0 before the first of this process
    stored_ns: int  # everything that was received by then is stored
    now_ns: int = 0  # by their clock, which goes on where the machine's is set back


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of one pass over all rules; Unix ns."""

    now_ns: int
    known_ns: int  # everything older has arrived and is attributed
    end_ns: int  # of every window of decisions
    started_ns: int  # of the first pass of this process, or since its clock was set ahead
    nodata_ns: int  # duration without decisions after which a state is unknown
    progress: Progress
    # Since when the store answers, for a process that knows of no arrival but by it; else 0.
    readable_ns: int = 0
    from_ns: tuple[int, ...] = ()  # losses are counted from these too, beside ends of alerts

    @property
    def arriving_ns(self) -> int:
        """Return the instant as that of an arrival would be."""
        return max(self.now_ns, self.progress.now_ns)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a subject costs, with the interval of the slope. The default: nobody knows."""

    loss_usd: Decimal = _NOTHING  # in the rule's window
    loss_low_usd: Decimal = _NOTHING  # ends of the 90 % interval
    loss_high_usd: Decimal = _NOTHING
    risk_usd_per_h: Decimal = _NOTHING
    burn: float = 0.0  # multiple of the budget's own rate
    basis: str = UNKNOWN  # margin, revenue, expected, joined by +; unknown: no dollars are known
    slope_source: str = ""  # prior, estimate or unknown


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one rule for one subject at one instant."""

    seen: Observation  # what the state machine needs
    reason: str  # a sentence for the webhook and the pages
    cost: Cost = Cost()
    window_s: int | None = None  # that the cost is of; None: the rule's own


ConfigT = TypeVar("ConfigT", bound=RuleConfig, covariant=True)
FactsT = TypeVar("FactsT")


class Reader(Protocol):
    """Reads from the store."""

    def rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the rows of the statement `sql/NAME.sql` beside the module whose file is `of`."""
        ...

    def kept_rows(self, name: str, of: str, **parameters: str | int | Sequence[int]) -> list[Any]:
        """Return the same, read once while the parameters are the same."""
        ...

    def budget_factor(self, names: Iterable[str], from_ns: int, to_ns: int) -> Decimal:
        """Return how many times its usual loss a budget allows in [from, to), by calendars."""
        ...


class Rule(Protocol[ConfigT, FactsT]):
    """One configured rule. A kind implements what has no default here, and keeps no state.

    Attributes:
        model: the settings of the kind.
        goes_by_arrival: whether its data are dated by when they came, not by when they happened.
        owns_losses: whether a lost dollar is a reason to fire, so that one alert owns it.
    """

    model: ClassVar[type[RuleConfig]]
    goes_by_arrival: ClassVar[bool] = False
    owns_losses: ClassVar[bool] = False

    def __init__(self, config: ConfigT) -> None:
        """Make a rule of its settings."""
        ...

    @property
    def config(self) -> ConfigT:
        """Return the settings of this rule."""
        ...

    @property
    def window_s(self) -> int:
        """Return the time before an instant that one evaluation looks at."""
        ...

    def read(self, reader: Reader, moment: Moment, states: Mapping[Subject, AlertState]) -> FactsT:
        """Read what one pass needs; the only I/O of an evaluation.

        Args:
            reader: of the store.
            moment: the instant of the pass.
            states: of this rule, by subject.
        """
        ...

    def subjects(self, facts: FactsT) -> Mapping[Subject, int]:
        """Return the subjects of the facts, each with the instant from which it is known, Unix ns.

        A subject with a state is evaluated whether it is among them or not.
        """
        ...

    def evaluate(self, facts: FactsT, state: AlertState) -> Evaluation:
        """Compare one subject with the rule. Pure: equal arguments give equal results."""
        ...

    def wording(self, subject: Subject) -> Wording:
        """Return the words for a subject."""
        ...

    @property
    def explains_decisions(self) -> bool:
        """Return whether packets are kept and a segment looked for when a class of it fires."""
        return False

    @property
    def is_about_failures(self) -> bool:
        """Return whether failed decisions alone are its examples."""
        return False

    @property
    def is_about_decisions(self) -> bool:
        """Return whether a subject is a class of decisions, or all of an action, or everything."""
        return self.explains_decisions

    def focus(self, facts: FactsT, subject: Subject) -> Subject:
        """Return the class of decisions that evidence of a subject is looked for in."""
        return subject

    def gives_way(self, facts: FactsT, state: AlertState, of_class: Subject) -> bool:
        """Return whether the class of its evidence is well by now, and another of it burns."""
        return False

    def owner(self, of_class: Subject) -> Subject | None:
        """Return the subject whose alert is about the losses of a class, None where none is."""
        return None

    def without(self, facts: FactsT, is_left_out: Callable[[Subject], bool]) -> FactsT:
        """Return the facts as if some classes had decided nothing."""
        return facts

    def explain(
        self, reader: Reader, facts: FactsT, state: AlertState, evaluation: Evaluation
    ) -> Evaluation:
        """Return an evaluation with what a person needs when an alert begins to fire."""
        return evaluation


def observe(status: Status, state: AlertState, newest_ns: int, moment: Moment) -> Observation:
    """Return the observation of a class of decisions at the end of the windows.

    Args:
        status: by the rule.
        state: of the class.
        newest_ns: the newest second with a decision in the window, 0 without any.
        moment: the instant of the pass.
    """
    latest_ns = max(state.data_ns, newest_ns)
    return Observation(
        status=status,
        at_ns=moment.end_ns,
        newest_ns=latest_ns,
        is_silent=moment.known_ns - latest_ns > moment.nodata_ns,
    )


def missing_s(seconds: int, attributed: int, missing: int) -> float:
    """Return how many seconds of a window are not attributed, by its decisions.

    Args:
        seconds: the length of the window.
        attributed: decisions that its figures are of.
        missing: those that arrived, and are in no figure yet.
    """
    return seconds * missing / (attributed + missing) if missing else 0.0


def attributed_s(seconds: int, attributed: int, missing: int) -> Decimal:
    """Return how many seconds of a window are attributed, a second at least.

    What an hour costs goes by these: by the whole window it would be a part of the truth. The
    arguments are those of `missing_s`.
    """
    return Decimal(max(seconds - missing_s(seconds, attributed, missing), 1.0))


def missing_text(seconds: float) -> str:
    """Return what is said where decisions of so much of a window are not attributed, else ""."""
    if seconds < _MISSING_S_MIN:
        return ""
    return f"; decisions of {duration_text(seconds)} of it are not attributed yet"


def is_much(missing_s: float, seconds: int) -> bool:
    """Return whether so much of a window is missing that it may burn by that."""
    return missing_s >= max(_MISSING_S_MIN, _MISSING_SHARE_MIN * seconds)


def unless_missing(status: Status, state: AlertState, *, is_missing: bool) -> Status:
    """Return a status, or that nothing is known where it would end an alert too soon.

    What is not attributed may burn: until it is, an alert that fires goes on, and a cooling one
    cools no further.

    Args:
        status: by what is attributed.
        state: of the alert.
        is_missing: whether so much is missing that the status may change.
    """
    is_end = status is Status.OK and state.phase in ACTIVE_PHASES
    return Status.NO_DATA if is_end and is_missing else status


def duration_text(seconds: float) -> str:
    """Return a duration in the largest unit of which there are two, to two figures."""
    for unit, size in (("d", _S_PER_DAY), ("h", _S_PER_H), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

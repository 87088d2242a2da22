"""Pure: the file of `millworth rules test`: rules, series, and what is expected of them when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

import promql_parser
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from alerts.replay.trial.notation import expand
from alerts.rules.imports.documents import line_of, prometheus_ns, read_documents
from alerts.rules.imports.promql import parse_expression
from alerts.state.transitions import Phase
from collector.core.config import Section
from collector.core.errors import InputError, complaint
from collector.core.times import NS_PER_MINUTE

# Of each series: the labels that say what it is of.
LABELS: Final = {
    **dict.fromkeys(
        (
            "decisions", "late", "failed", "unvalued", "slow", "loss_usd", "loss_low_usd",
            "loss_high_usd", "loss_squared",
        ),
        ("action", "region"),
    ),
    "spans": ("service",),
    "bad": ("service",),
    "lookups": ("cache",),
    "hits": ("cache",),
    "billed_decisions": ("currency",),
    "cost": ("currency",),
    "arrivals": ("service",),
    "rejected": ("reason",),
    "unproven": ("producer",),
    "microbursts": ("host",),
    "clock_error_ms": ("hosts",),
}  # fmt: skip

Duration = Annotated[int, BeforeValidator(prometheus_ns)]
Values = Annotated[list[float | None], BeforeValidator(lambda text: expand(str(text)))]
EVALUATIONS_MAX: Final = 100_000


class InputSeries(Section):
    """One figure of one subject, interval by interval."""

    series: str = Field(max_length=1_000)
    values: Values

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        name, labels = self.parsed
        if name not in LABELS:
            raise ValueError(f"series {name!r} is not one of {', '.join(sorted(LABELS))}")
        if set(labels) - set(LABELS[name]):
            raise ValueError(f"series {name} has the labels {', '.join(LABELS[name])}")
        if any(value is not None and value < 0 for value in self.values):
            raise ValueError(f"series {self.series}: a value is below zero; there are no such")
        return self

    @property
    def parsed(self) -> tuple[str, dict[str, str]]:
        """Return the name and the labels."""
        found = parse_expression(self.series)
        if not isinstance(found, promql_parser.VectorSelector) or not found.name:
            raise ValueError(f'{self.series[:60]!r} is not a series; write name{{label="value"}}')
        return str(found.name), {each.name: each.value for each in found.matchers.matchers}

    @property
    def of(self) -> tuple[str, str]:
        """Return the subject: action and region, or one name and nothing."""
        name, labels = self.parsed
        first, *rest = (labels.get(label, "") for label in LABELS[name])
        return first, rest[0] if rest else ""


class LateSeries(InputSeries):
    """Values that arrive later than they happen; they are added to those that were there."""

    at: Duration
    begins: Duration = 0


class Gap(Section):
    """A time in which nothing arrives, and nothing of it ever does."""

    begins: Duration
    ends: Duration


class Restart(Section):
    """The service stops, and starts again from the state that it stored."""

    at: Duration
    down: Duration = 0


class ExpectedAlert(Section):
    """One alert that is expected."""

    exp_labels: dict[str, str] = Field(default_factory=dict)
    state: Phase = Phase.FIRING
    loss_usd: float | None = None
    tolerance_usd: float = Field(default=0.01, ge=0)
    reason: str = Field(default="", description="Part of the reason")


class AlertTest(Section):
    """Every alert of one rule that is not over at one instant."""

    eval_time: Duration
    alertname: str
    exp_alerts: list[ExpectedAlert] = Field(default_factory=list)


class Case(Section):
    """One story: what happens, and what is expected."""

    name: str = ""
    interval: Duration = NS_PER_MINUTE
    input_series: list[InputSeries] = Field(default_factory=list)
    late: list[LateSeries] = Field(default_factory=list)
    gap: list[Gap] = Field(default_factory=list)
    restart: list[Restart] = Field(default_factory=list)
    alert_rule_test: list[AlertTest] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.interval < 1_000_000_000:
            raise ValueError("interval is less than a second; write 1s or more")
        return self

    @property
    def ends_ns(self) -> int:
        """Return the last instant that is looked at."""
        return max(each.eval_time for each in self.alert_rule_test)


class TrialFile(Section):
    """A file of tests."""

    rule_files: list[str] = Field(default_factory=list)
    rules: list[dict[str, Any]] = Field(default_factory=list)
    evaluation_interval: Duration = NS_PER_MINUTE
    nodata: Duration = 5 * NS_PER_MINUTE
    tests: list[Case] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if self.evaluation_interval < 1_000_000_000:
            raise ValueError("evaluation_interval is less than a second; write 1s or more")
        steps = sum(case.ends_ns // self.evaluation_interval + 1 for case in self.tests)
        if steps > EVALUATIONS_MAX:
            raise ValueError(
                f"the tests have {steps:,} evaluations, more than {EVALUATIONS_MAX:,}; end them "
                "earlier, or evaluate less often"
            )
        return self


def parse_trial(name: str, text: str) -> TrialFile:
    """Return the tests of a file.

    Raises:
        InputError: it is not YAML, or a key or value is wrong; the message names the line.
    """
    documents = read_documents(name, text)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InputError(f"{name}: is not one mapping with rules and tests; see docs/use/rules.md")
    try:
        return TrialFile.model_validate(documents[0])
    except ValidationError as error:
        raise InputError(explained(name, documents[0], error)) from error


def explained(name: str, document: object, error: ValidationError) -> str:
    """Return the first mistake that a model found in a document, with its line and its key."""
    first = error.errors(include_url=False)[0]
    location = [part for part in first["loc"] if isinstance(part, str | int)]
    line = line_of(document, location) or line_of(document, ())
    key = _dotted(location)
    return f"{name}:{line}: {f'{key}: ' if key else ''}{complaint(first)}"


def _dotted(location: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in location)

"""I/O: the tests of a file, evaluated by the rules themselves; states are stored over a restart."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alerts.config import AlertsConfig
from alerts.replay.trial.cells import BEGIN_NS, Cells
from alerts.replay.trial.file import AlertTest, Case, ExpectedAlert, TrialFile, parse_trial
from alerts.rules.base import Evaluation, Moment, Progress, Rule, RuleConfig
from alerts.rules.imports.documents import BYTES_MAX, line_of, read_documents
from alerts.rules.kinds import rule_of
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import CLOSED, AlertState, Timing, advance, first_state
from attribution.core.money import exact
from collector.core.errors import InputError, complaint

Key = tuple[str, Subject]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that is not over, as a test sees it."""

    labels: Mapping[str, str]
    state: str
    loss_usd: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An instant at which the alerts of a rule are not those that were expected."""

    test: str
    rule: str
    at_ns: int  # from the begin of the test
    expected: list[ExpectedAlert]
    got: list[Alert]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many expectations there were, and those that failed."""

    checked: int
    failures: list[Failure]


def read_trial(path: Path) -> tuple[TrialFile, AlertsConfig]:
    """Return the tests of a file, and the rules that it holds or names.

    Raises:
        InputError: a file cannot be read, or what is in it is not right.
    """
    text = read_text(path)
    trial = parse_trial(str(path), text)
    settings: dict[str, Any] = {"dead_man_seconds": 0}
    rules: list[object] = []
    for name in trial.rule_files:
        there = path.parent / name
        try:
            found = tomllib.loads(read_text(there)).get("alerts", {})
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{there}: is not TOML: {error}; name a millworth.toml") from error
        rules += found.get("rules", [])
        settings |= {key: found[key] for key in _TAKEN if key in found}
    try:
        return trial, AlertsConfig.model_validate({**settings, "rules": [*rules, *trial.rules]})
    except ValidationError as error:
        own = len(rules)
        raise InputError(_mistake(path, text, error, own)) from error


# Of the table [alerts] in a rule file, beside its rules: what else makes alerts.
_TAKEN = ("dead_man_seconds", "dead_man_services")


def _mistake(path: Path, text: str, error: ValidationError, from_files: int) -> str:
    """Return the first mistake in the rules; those of rule files come first in their list."""
    first = error.errors(include_url=False)[0]
    location = list(first["loc"])
    message = f"{'.'.join(map(str, location))}: {complaint(first)}"
    if len(location) < 2 or not isinstance(location[1], int) or location[1] < from_files:
        return f"{path}: alerts.{message}"
    [document] = read_documents(str(path), text)
    location[1] -= from_files
    return f"{path}:{line_of(document, location)}: {message}"


def read_text(path: Path) -> str:
    """Return the text of a file that is not larger than a file of rules may be.

    Raises:
        InputError: it cannot be read, is larger, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            found = file.read(BYTES_MAX + 1)
        if len(found) > BYTES_MAX:
            raise InputError(f"{path}: has more than {BYTES_MAX:,} bytes; split it")
        return found.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; correct the path, or its mode"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: is not UTF-8 text at byte {error.start:,}; save it so"
        ) from error


def run_trial(trial: TrialFile, config: AlertsConfig) -> Outcome:
    """Return how the rules of a configuration did in the tests of a file.

    Raises:
        InputError: a test expects alerts of a rule that there is not.
    """
    names = [rule.name for rule in config.all_rules]
    for case in trial.tests:
        for test in case.alert_rule_test:
            if test.alertname not in names:
                raise InputError(
                    f"test {case.name!r}: no rule is called {test.alertname[:60]!r}; there are "
                    f"{', '.join(names) or 'none'}"
                )
    failures = [
        failure
        for number, case in enumerate(trial.tests)
        for failure in _run_case(trial, case, config, case.name or f"test {number}")
    ]
    return Outcome(sum(len(case.alert_rule_test) for case in trial.tests), failures)


def _run_case(trial: TrialFile, case: Case, config: AlertsConfig, name: str) -> Iterator[Failure]:
    due = sorted(case.alert_rule_test, key=lambda test: test.eval_time)
    with tempfile.TemporaryDirectory(prefix="millworth-rules-") as directory:
        service = _Service(trial, case, config, Path(directory))
        for at_ns in range(0, case.ends_ns + 1, trial.evaluation_interval):
            while due and due[0].eval_time < at_ns:
                yield from _compared(name, due.pop(0), service)
            service.evaluate(at_ns)
        for test in due:
            yield from _compared(name, test, service)


def _compared(name: str, test: AlertTest, service: _Service) -> Iterator[Failure]:
    got = service.alerts(test.alertname)
    left = list(got)
    for expected in test.exp_alerts:
        found = next((alert for alert in left if _is(alert, expected)), None)
        if found is None:
            break
        left.remove(found)
    else:
        if not left:
            return
    yield Failure(name, test.alertname, test.eval_time, test.exp_alerts, got)


def _is(alert: Alert, expected: ExpectedAlert) -> bool:
    """Return whether an alert is the expected one; labels that are not written may be any."""
    return (
        alert.state == expected.state
        and expected.exp_labels.items() <= alert.labels.items()
        and expected.reason in alert.reason
        and (
            expected.loss_usd is None
            or abs(float(alert.loss_usd) - expected.loss_usd) <= expected.tolerance_usd
        )
    )


class _Service:
    """The rules over what is stored at each instant, and their states."""

    def __init__(self, trial: TrialFile, case: Case, config: AlertsConfig, directory: Path) -> None:
        self._trial = trial
        self._case = case
        self._rules = {rule.name: rule_of(rule) for rule in config.all_rules}
        self._path = directory / "alerts.sqlite"
        self._states: dict[Key, AlertState] = {}
        self._evaluations: dict[Key, Evaluation] = {}
        self._started_ns = BEGIN_NS
        self._is_down = False
        self._arrivals = sorted({late.at for late in case.late})
        self._cells = Cells(case, 0)

    def evaluate(self, at_ns: int) -> None:
        """Run one pass at an instant from the begin of the test; none while the service is down."""
        if any(each.at < at_ns < each.at + each.down for each in self._case.restart):
            self._is_down = True
            return
        previous_ns = at_ns - self._trial.evaluation_interval
        if self._is_down or any(previous_ns < each.at <= at_ns for each in self._case.restart):
            self._restart(at_ns)
        if self._arrivals and self._arrivals[0] <= at_ns:
            self._arrivals = [each for each in self._arrivals if each > at_ns]
            self._cells = Cells(self._case, at_ns)
        moment = self._moment(at_ns)
        for name, rule in self._rules.items():
            self._evaluate(name, rule, moment)

    def alerts(self, rule: str) -> list[Alert]:
        """Return the alerts of a rule that are not over, by the last pass."""
        config = self._rules[rule].config
        return [
            Alert(_labels(config, subject), state.shown.value, *self._said((name, subject)))
            for (name, subject), state in sorted(self._states.items())
            if name == rule and state.shown not in CLOSED
        ]

    def _said(self, key: Key) -> tuple[Decimal, str]:
        evaluation = self._evaluations[key]
        return evaluation.cost.loss_usd, evaluation.reason

    def _moment(self, at_ns: int) -> Moment:
        now_ns = self._cells.now_ns = BEGIN_NS + at_ns
        return Moment(
            now_ns=now_ns,
            known_ns=now_ns,
            end_ns=self._cells.end_ns(self._case.interval) or now_ns,
            started_ns=self._started_ns,
            nodata_ns=self._trial.nodata,
            progress=Progress(self._cells.arrived_ns, now_ns),
        )

    def _evaluate(self, name: str, rule: Rule[RuleConfig, Any], moment: Moment) -> None:
        states = {subject: state for (of, subject), state in self._states.items() if of == name}
        facts = rule.read(self._cells, moment, states)
        found = rule.subjects(facts)
        timing = Timing(rule.config.for_s, rule.config.keep_firing_s, rule.window_s)
        for subject in sorted({*found, *states}):
            before = states.get(subject) or first_state(name, subject, found[subject])
            evaluation = rule.evaluate(facts, before)
            after, _ = advance(before, timing, evaluation.seen)
            self._states[after.key] = after
            self._evaluations[after.key] = evaluation

    def _restart(self, at_ns: int) -> None:
        """Store the states as the job does, and read them back as its start does."""
        self._is_down = False
        self._started_ns = BEGIN_NS + at_ns
        alert_state = AlertStore(self._path)
        alert_state.record([Update(state) for state in self._states.values()])
        alert_state.close()
        alert_state = AlertStore(self._path)
        self._states = alert_state.states()
        alert_state.close()


def _labels(config: RuleConfig, subject: Subject) -> dict[str, str]:
    return {
        "rule": config.name,
        "severity": config.severity,
        "action": subject.action,
        "region": subject.region,
    }


def described(alerts: Sequence[Alert | ExpectedAlert]) -> list[str]:
    """Return a line an alert, for people."""
    lines = []
    for alert in alerts:
        labels = alert.labels if isinstance(alert, Alert) else alert.exp_labels
        named = " ".join(f"{name}={value!r}" for name, value in sorted(labels.items()))
        loss = "" if alert.loss_usd is None else f", loss {exact(alert.loss_usd)}"
        why = f": {alert.reason}" if alert.reason else ""
        lines.append(f"{alert.state!s} {named}{loss}{why}".strip())
    return lines or ["no alert"]

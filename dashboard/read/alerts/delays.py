"""I/O: the experiments that delay, on purpose, what an alert is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from attribution.sensitivity.registered import Experiment
from collector.core.times import NS_PER_S
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader
from dashboard.units import percent


@dataclass(frozen=True, slots=True)
class InjectedDelay:
    """What an experiment does to the decisions that it is about."""

    experiment: str
    owner: str
    share: float  # of the decisions that its targets name
    delay_ms_max: float  # of its longest arm
    from_ns: int
    to_ns: int  # when it ends or ended


def injected_delays(reader: Reader, alert: AlertRow, until_ns: int) -> list[InjectedDelay]:
    """Return those that ran while an alert did, or in its window before it, by their begin.

    Args:
        reader: of the store.
        alert: whose class and time they are of.
        until_ns: the last instant that counts.

    Raises:
        StoreUnavailableError: the store is away.
    """
    if not alert.is_about_decisions:
        return []
    from_ns = (alert.started_ns or alert.first_ns) - alert.window_s * NS_PER_S
    return [
        _delay(each)
        for each in sorted(reader.experiments(), key=lambda each: each.from_ns)
        if each.from_ns <= until_ns and each.ended_ns > from_ns and _may_hold(each, alert.scope)
    ]


def delays_text(delays: Sequence[InjectedDelay], at: Callable[[int], str]) -> str:
    """Return them in words, "" of none; `at` writes an instant."""
    return "; ".join(
        f"experiment {each.experiment} of {each.owner} delays {percent(each.share)} of what it is "
        f"about by up to {each.delay_ms_max:g} ms, {at(each.from_ns)} to {at(each.to_ns)}"
        for each in delays
    )


def _may_hold(experiment: Experiment, scope: tuple[str, str]) -> bool:
    """Return whether decisions of a class may be in it; "" is every action, or every region."""
    targets = (experiment.targets.get(name, ()) for name in ("action", "region"))
    return all(
        not names or not value or value in names
        for names, value in zip(targets, scope, strict=True)
    )


def _delay(experiment: Experiment) -> InjectedDelay:
    delayed = [arm for arm in experiment.arms if arm.delay_ms > 0]
    return InjectedDelay(
        experiment=experiment.name,
        owner=experiment.owner,
        share=sum(arm.share for arm in delayed),
        delay_ms_max=max((arm.delay_ms for arm in delayed), default=0.0),
        from_ns=experiment.from_ns,
        to_ns=experiment.ended_ns,
    )

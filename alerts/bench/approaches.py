"""Pure: when each approach alerts in a world: the workbook's six, and the dollar rule.

Source: Google SRE Workbook, ch. 5, approaches 1 to 6, for 99.9 % in 30 days; page tiers alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.bench.world import BUDGET_USD, STEP_S, STEPS, Class, Floats, World
from alerts.people.calendars import Calendars
from alerts.replay.replay import replay
from alerts.replay.series import Series, Steps
from alerts.replay.walk import Change, Instants
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from alerts.state.transitions import FIRED, RESOLVED
from collector.core.times import NS_PER_S

_BAD_ALLOWED: Final = 0.001
_HOUR_S: Final = 3_600
_START_NS: Final = 2_000_000_000 * NS_PER_S
_NAMES: Final = ("browse", "checkout")

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert in steps: it fires after `begin`, and is over at `end`."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Alerts:
    """What one approach makes of a world."""

    pages: tuple[Alert, ...]
    tickets: tuple[Alert, ...] = ()


def workbook(world: World) -> dict[str, Alerts]:
    """Return the alerts of the workbook's approaches, which count requests, by their number."""
    bad = np.asarray(sum(each.bad for each in world.classes), np.float64)
    requests = np.asarray(sum(each.requests for each in world.classes), np.float64)

    def over(window_s: int, burn: float) -> Flags:
        share = _rolled(bad, window_s) / np.maximum(_rolled(requests, window_s), 1)
        return np.asarray(share >= burn * _BAD_ALLOWED)

    lasts_an_hour = _rolled(over(60, 1).astype(np.float64), _HOUR_S) >= _HOUR_S // STEP_S
    is_bad = {
        1: over(600, 1),
        2: over(36 * _HOUR_S, 1),
        3: lasts_an_hour,
        4: over(_HOUR_S, 36),
        5: over(_HOUR_S, 14.4) | over(6 * _HOUR_S, 6),
        6: (over(_HOUR_S, 14.4) & over(300, 14.4)) | (over(6 * _HOUR_S, 6) & over(1_800, 6)),
    }
    return {f"workbook_{number}": Alerts(tuple(_runs(flags))) for number, flags in is_bad.items()}


def dollar_rule(world: World, *, value_factor: float = 1.0) -> Alerts:
    """Return the alerts of the rule that names this budget alone, as the job evaluates it.

    Args:
        world: what happens.
        value_factor: by which the values that the rule goes by are wrong.
    """
    config = DollarBurnConfig(name="shop", budget_usd=BUDGET_USD, budget_for="all")
    classes = {
        Subject(name, ""): _series(each, value_factor)
        for name, each in zip(_NAMES, world.classes, strict=True)
    }
    ends_ns = _START_NS + STEP_S * NS_PER_S * np.arange(1, STEPS + 1, dtype=np.int64)
    instants = Instants(ends_ns, ends_ns, nodata_ns=300 * NS_PER_S)
    found = {
        rule.severity: tuple(_alerts(replay(DollarBurn(rule), classes, instants, Calendars(()))))
        for rule in config.by_severity
    }
    return Alerts(found["page"], found["ticket"])


def _series(of: Class, value_factor: float) -> Series:
    loss = np.rint(of.loss_usd * value_factor * 1e6).astype(np.int64)
    low = np.rint(of.low_usd * value_factor * 1e6).astype(np.int64)
    return Series(
        _START_NS + STEP_S * NS_PER_S * np.arange(STEPS, dtype=np.int64),
        Steps(
            decisions=of.requests,
            unvalued=np.zeros_like(of.requests),
            loss=loss,
            loss_low=low,
            loss_high=loss,
            loss_squared=of.loss_squared * value_factor**2,
            basis={"revenue": of.requests},
            slope_source={"estimate": of.requests},
            unknown=np.zeros_like(of.requests),
        ),
    )


def _alerts(changes: Iterator[Change]) -> Iterator[Alert]:
    begin: int | None = None
    for change in changes:
        step = (change.transition.at_ns - _START_NS) // (STEP_S * NS_PER_S)
        if change.transition.notification == FIRED:
            begin = step
        elif change.transition.notification == RESOLVED and begin is not None:
            yield Alert(begin, step)
            begin = None
    if begin is not None:
        yield Alert(begin, STEPS)


def _rolled(values: Floats, window_s: int) -> Floats:
    """Return the sum of the window that ends after each step."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    return np.asarray(total[ends] - total[np.maximum(ends - window_s // STEP_S, 0)])


def _runs(flags: Flags) -> Iterator[Alert]:
    edges = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    for begin, end in zip(begins, ends, strict=True):
        yield Alert(int(begin) + 1, int(end) + 1)

"""Visits of units, decision by decision, of which some are made again or broken off when slow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from attribution.path.spans import Ints
from attribution.sensitivity.sums import AGAIN_MAX, Answers, CellSums, Draws, Floats
from tests.support.attribution.long_way.cell_rows import cell_sums

DELAY_MS = 80.0


@dataclass(frozen=True, slots=True)
class Visits:
    """Decisions in the order in which they were made; half of a unit's draws are delayed."""

    minute: Ints
    unit: Ints
    is_slow: Ints  # 0 or 1
    action: Ints
    earned: Floats

    def take(self, rows: Ints) -> Visits:
        """Return these decisions, in this order."""
        return Visits(
            self.minute[rows],
            self.unit[rows],
            self.is_slow[rows],
            self.action[rows],
            self.earned[rows],
        )

    def cells(self, dice: np.random.Generator) -> CellSums:
        """Return their sums, an arm of an action and minute a row, with the draws they are of."""
        actions = int(self.action.max()) + 1
        waited = dice.normal(60, 8, len(self.unit))
        delay = DELAY_MS * self.is_slow
        place = 2 * self.action + self.is_slow
        values = np.stack([self.earned, waited + delay, waited, delay], axis=1)
        sums = cell_sums(self.minute, place, values)
        row = np.unique(self.minute * 2 * actions + place)
        n, latency_ms, nothing = sums.n, sums.sums[:, 1], np.zeros(len(row), np.int64)
        answers = Answers(
            row // 2,
            DELAY_MS * (row % 2),
            n,
            latency_ms,
            n,
            latency_ms,
            nothing,
            nothing,
            nothing,
            np.zeros(len(row)),
        )
        arm_minute, of = np.unique(2 * self.minute + self.is_slow, return_inverse=True)
        _, first, decisions = np.unique(self.unit, return_index=True, return_counts=True)
        again = np.minimum(decisions - 1, AGAIN_MAX)
        drawn = Draws(
            arm_minute // 2, arm_minute // 2, DELAY_MS * (arm_minute % 2),
            np.bincount(of[first]), np.bincount(of[first], weights=again).astype(np.int64),
        )  # fmt: skip
        return replace(sums, answers=answers, draws=drawn)


def visits(dice: np.random.Generator, *, lost: float = 0.0) -> Visits:
    """Return visits of one decision each, of which 40 % earn 1; of the slow ones so many fewer."""
    minute = np.repeat(np.arange(160), dice.poisson(300, 160))
    is_slow = dice.integers(0, 2, len(minute))
    earned = dice.random(len(minute)) < 0.4 * (1 - lost * is_slow)
    unit = np.arange(len(minute))
    return Visits(minute, unit, is_slow, 0 * unit, earned.astype(np.float64))


def reloaded(whole: Visits, share: float, dice: np.random.Generator) -> Visits:
    """Return them with so many of the slow ones made twice: the second earns what the first did."""
    is_again = (whole.is_slow == 1) & (dice.random(len(whole.unit)) < share)
    first = replace(whole, earned=np.where(is_again, 0.0, whole.earned))
    both = [first, whole.take(np.flatnonzero(is_again))]
    columns = (
        np.concatenate([getattr(each, name) for each in both])
        for name in ("minute", "unit", "is_slow", "action", "earned")
    )
    return Visits(*columns)


def broken_off(whole: Visits, share: float, dice: np.random.Generator) -> Visits:
    """Return them as the second of two decisions, of another action, which so many never reach."""
    stays = np.flatnonzero((whole.is_slow == 0) | (dice.random(len(whole.unit)) >= share))
    second = replace(whole, action=whole.action + 1).take(stays)
    return Visits(
        np.concatenate([whole.minute, second.minute]),
        np.concatenate([whole.unit, second.unit]),
        np.concatenate([whole.is_slow, second.is_slow]),
        np.concatenate([whole.action, second.action]),
        np.concatenate([0 * whole.earned, second.earned]),
    )


def often(whole: Visits, dice: np.random.Generator) -> Visits:
    """Return them with three in ten units deciding up to seven times, however fast it is."""
    times = np.where(dice.random(len(whole.unit)) < 0.3, dice.integers(1, 8, len(whole.unit)), 1)
    return whole.take(np.repeat(np.arange(len(whole.unit)), times))

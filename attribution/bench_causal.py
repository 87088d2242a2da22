"""I/O: `millworth bench causal`: is the truth inside the interval that is shown, in worlds we know.

Cells are drawn, not decisions (see `simulator`): the distribution is that of drawn decisions, so a
replicate of hundreds of millions of them takes milliseconds. Only the estimator is timed, in CPU
seconds of this process; everything else follows from the seed.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from attribution.config import SlopePrior
from attribution.shrink import shrink
from attribution.simulator import World, draw_cells, draw_world
from attribution.slope import Demands, Status, estimate_slope, naive_slope, relative_slope

# Coverage of 95 % over 200 replicates is known to 1.5 %; over five runs of them to 0.7 %.
REPLICATES_A_RUN = 200
_SEED = 20_261_125
_PER_100MS = 100.0
# A month of minutes, eight regions, five cohorts: what a billion decisions fall into, on paper.
_PAPER_CELLS = 30 * 1_440 * 8 * 5
_DEMANDS = Demands(SlopePrior().median_per_100ms / _PER_100MS)

WORLD = World(decisions=400e6)
SMALL = World(
    decisions=3e6, minutes=60, cohorts=60, zipf=1.0, hidden=0.5,
    relative_per_ms=1.4e-3, spread_per_ms=5e-4,
)  # fmt: skip


@dataclass(slots=True)
class _Spent:
    """CPU time of the estimator, and what it took in."""

    seconds: float = 0.0
    cells: int = 0


def run_causal(runs: int, progress: Callable[[str], None] = lambda _: None) -> dict[str, float]:
    """Return the figures of `measure` over 200 replicates a run."""
    return measure(runs * REPLICATES_A_RUN, progress)


def measure(
    replicates: int,
    progress: Callable[[str], None] = lambda _: None,
    world: World = WORLD,
    small: World = SMALL,
) -> dict[str, float]:
    """Return how often the interval holds the truth, by world.

    Keys, W in hidden, none and surge: `coverage_W` of what was shown, absent where nothing was;
    `shown_W` and `W_refused`, shares of the replicates; `naive_coverage_W`; `naive_error_W` and
    `error_W`, mean error over the truth. `naive_coverage` is that of the hidden world. E in eb,
    pooled and unpooled: `E_coverage` and `E_rmse`, over all cohorts, the latter over their mean
    slope. `cells_per_s` of the estimator; `billion_decisions_s`, on paper: a month of decisions in
    8 regions x 5 cohorts x minutes, already summed.
    """
    figures: dict[str, float] = {"replicates": replicates}
    spent = _Spent()
    worlds = {
        "hidden": replace(world, hidden=0.5),
        "none": world,
        "surge": replace(world, surge=0.05),
    }
    for at, (name, each) in enumerate(worlds.items()):
        figures |= _one_world(name, each, replicates, _SEED + at, spent)
        progress(f"{name}: {replicates} replicates of {each.decisions:.3g} decisions")
    figures["naive_coverage"] = figures["naive_coverage_hidden"]
    figures |= _small_cohorts(small, replicates, _SEED + len(worlds))
    progress(f"small cohorts: {replicates} replicates of {small.decisions:.3g} decisions")
    figures["cells_per_s"] = spent.cells / spent.seconds
    figures["billion_decisions_s"] = _PAPER_CELLS / figures["cells_per_s"]
    return figures


def _one_world(
    name: str, world: World, replicates: int, seed: int, spent: _Spent
) -> dict[str, float]:
    held, naive_held, errors, naive_errors, refused = [], [], [], [], 0
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, replicate])
        draw = draw_world(world, rng)
        cells, truth = draw_cells(draw, rng), draw.truth()
        began = _cpu_s()
        found = estimate_slope(cells, "simulated conversions", _DEMANDS)
        spent.seconds += _cpu_s() - began
        spent.cells += len(cells)
        refused += found.status is Status.DISAGREE
        if found.estimate is not None and found.low is not None and found.high is not None:
            held.append(found.low <= truth <= found.high)
            errors.append(found.estimate / truth - 1)
        naive = naive_slope(cells)
        naive_held.append(naive.low <= truth <= naive.high)
        naive_errors.append(naive.estimate / truth - 1)
    figures = {
        f"shown_{name}": len(held) / replicates,
        f"{name}_refused": refused / replicates,
        f"naive_coverage_{name}": float(np.mean(naive_held)),
        f"naive_error_{name}": float(np.mean(naive_errors)),
    }
    if held:
        figures[f"coverage_{name}"] = float(np.mean(held))
        figures[f"error_{name}"] = float(np.mean(errors))
    return figures


def _small_cohorts(world: World, replicates: int, seed: int) -> dict[str, float]:
    names = ("eb", "pooled", "unpooled")
    held: dict[str, list[float]] = {name: [] for name in names}
    squares: dict[str, list[float]] = {name: [] for name in names}
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, replicate])
        draw = draw_world(world, rng)
        cells, truth = draw_cells(draw, rng), -draw.theta
        own = [relative_slope(cells.take(draw.cohort == each)) for each in range(world.cohorts)]
        whole = relative_slope(cells)
        known = [at for at, each in enumerate(own) if each is not None]
        kept = [each for each in own if each is not None]
        assert whole is not None, "a world without a conversion"
        truth = truth[known]
        estimates, low, high = (
            np.array([getattr(each, field) for each in kept])
            for field in ("estimate", "low", "high")
        )
        pooled = shrink(estimates, np.array([each.se for each in kept]))
        for name, centre, bottom, top in (
            ("eb", pooled.estimate, pooled.low, pooled.high),
            ("pooled", np.full(len(kept), whole.estimate), whole.low, whole.high),
            ("unpooled", estimates, low, high),
        ):
            held[name].append(float(np.mean((bottom <= truth) & (truth <= top))))
            squares[name].append(float(np.mean((centre - truth) ** 2)))
    return {f"{name}_coverage": float(np.mean(held[name])) for name in names} | {
        f"{name}_rmse": float(np.sqrt(np.mean(squares[name])) / world.relative_per_ms)
        for name in names
    }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

"""I/O: `millworth bench causal`: is the truth inside the interval that is shown, in worlds we know.

Cells are drawn, not decisions (see `simulator`): the distribution is that of drawn decisions, so a
replicate of hundreds of millions of them takes milliseconds. What is timed is the estimator, and
the store that sums decisions into cells, both in CPU seconds of this process, the engine's threads
included; everything else follows from the seed.
"""

from __future__ import annotations

import math
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa

from attribution.bench.simulator import World, draw_cells, draw_world
from attribution.core.config import SlopePrior
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.estimate import (
    Demands,
    Status,
    estimate_slope,
    naive_slope,
    relative_slope,
)
from attribution.sensitivity.shrinkage import shrink
from collector.core.clock import NS_PER_MINUTE, NS_PER_MS, SystemClock
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig, StoreConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

# Five runs know a coverage of 95 % to 0.5 %; 200 replicates in all would know it to 1.5 %.
REPLICATES_A_RUN = 400
# One replicate of small cohorts holds 60 of them, and takes as long as five of the others.
_SMALL_EVERY = 5
_SEED = 20_261_125
_PER_100MS = 100.0
# A month of minutes, eight regions, five cohorts: what a billion decisions fall into, on paper.
_PAPER_CELLS = 30 * 1_440 * 8 * 5
# Decisions that the store is timed on, over an hour: enough that it is not the query's own start.
_STORED = 300_000
_STORED_MINUTES = 60
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
    """Return the figures of `measure` over 400 replicates a run, and those of the store.

    `rows_per_s`: decisions summed from decisions x attributions x outcomes, three in a hundred of
    them with an outcome. `billion_decisions_s`, on paper: a billion at that rate, and the estimate
    from the cells of a month x 8 regions x 5 cohorts.
    """
    figures = measure(runs * REPLICATES_A_RUN, progress)
    with tempfile.TemporaryDirectory(
        prefix="millworth-bench-", ignore_cleanup_errors=True
    ) as scratch:
        figures["rows_per_s"] = rows_per_s(f"chdb://{scratch}/store", _STORED)
    progress(f"store: {_STORED:,} decisions summed into cells")
    figures["billion_decisions_s"] = (
        1e9 / figures["rows_per_s"] + _PAPER_CELLS / figures["cells_per_s"]
    )
    return figures


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
    pooled and unpooled: `E_coverage` and `E_rmse`, over all cohorts of a fifth of the replicates,
    the latter over their mean slope. `cells_per_s` of the estimator.
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
    few = math.ceil(replicates / _SMALL_EVERY)
    figures |= _small_cohorts(small, few, _SEED + len(worlds))
    progress(f"small cohorts: {few} replicates of {small.decisions:.3g} decisions")
    figures["cells_per_s"] = spent.cells / spent.seconds
    return figures


def rows_per_s(url: str, decisions: int) -> float:
    """Return how many decisions a second of CPU time sums, in a database that is dropped."""
    clock = SystemClock()
    from_ns = (clock.now_ns() // NS_PER_MINUTE - _STORED_MINUTES - 1) * NS_PER_MINUTE
    store = Connections(StoreConfig(url=url, database="bench_slope"))
    try:
        client = store.client()
        migrate(client, clock.now_ns())
        apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), from_ns)
        for table, rows in _stored_world(decisions, from_ns).items():
            # Into a database of the bench's own: in a service each table has its one writer.
            client.insert_arrow(table, rows)
        began = _cpu_s()
        to_ns = from_ns + _STORED_MINUTES * NS_PER_MINUTE
        found = read_slope_cells(store, from_ns, to_ns, "margin", "USD")
        spent = _cpu_s() - began
        assert int(found.cells.n.sum()) == decisions, "the sums missed decisions"
        return decisions / spent
    finally:
        store.client().command(
            "DROP DATABASE IF EXISTS {name:Identifier}", parameters={"name": "bench_slope"}
        )
        store.close()


def _stored_world(decisions: int, from_ns: int) -> dict[str, pa.Table]:
    """Return rows of the three tables: decisions of 8 regions x 5 cohorts, evenly over time."""
    rng = np.random.default_rng(_SEED)
    number = np.arange(decisions)
    ingress_ns = from_ns + number * (_STORED_MINUTES * NS_PER_MINUTE // decisions)
    ids = np.char.add("d", number.astype(str))
    injected_ns = NS_PER_MS * rng.choice([0, 40, 80], decisions, p=[0.9, 0.05, 0.05])
    compute_ns = injected_ns + rng.integers(NS_PER_MS, 60 * NS_PER_MS, decisions)
    network_ns = rng.integers(NS_PER_MS, 60 * NS_PER_MS, decisions)
    common = {
        "ingress_ns": pa.array(ingress_ns.astype(np.uint64)),
        "decision_id": pa.array(ids),
        "region": pa.array(np.char.add("r", rng.integers(0, 8, decisions).astype(str))),
        "cohort": pa.array(np.char.add("c", rng.integers(0, 5, decisions).astype(str))),
    }
    sold = np.flatnonzero(rng.random(decisions) < 0.03)
    told_ns = pa.array((ingress_ns[sold] + NS_PER_MS).astype(np.uint64))
    return {
        "decisions": pa.table(
            common
            | {
                "end_ns": common["ingress_ns"],
                "injected_delay_ns": pa.array(injected_ns.astype(np.uint64)),
                "received_ns": common["ingress_ns"],
            }
        ),
        "attributions": pa.table(
            common
            | {
                "revision": pa.array(np.ones(decisions, np.uint32)),
                "total_ns": pa.array((compute_ns + network_ns).astype(np.uint64)),
                "decision_compute_ns": pa.array(compute_ns.astype(np.uint64)),
                "ingress_network_ns": pa.array(network_ns.astype(np.uint64)),
            }
        ),
        "outcomes": pa.table(
            {
                "outcome_id": pa.array(np.char.add("o", sold.astype(str))),
                "kind": ["sale"] * len(sold),
                "decision_id": pa.array(ids[sold]),
                "converted": pa.array(np.ones(len(sold), np.uint8)),
                "margin": pa.array([Decimal(20)] * len(sold), pa.decimal128(18, 6)),
                "currency": ["USD"] * len(sold),
                "event_ns": told_ns,
                "received_ns": told_ns,
            }
        ),
    }


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

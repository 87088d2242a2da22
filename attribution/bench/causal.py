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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa

from attribution.bench.matches import count_by_id
from attribution.bench.simulator import ARMS, World, draw_cells, draw_world
from attribution.core.config import AttributionConfig
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.estimate import Demands, estimate_slope, relative_slope
from attribution.sensitivity.instruments import Instrument, naive_slope, relative
from attribution.sensitivity.power import power_decisions
from attribution.sensitivity.registered import Arm, Experiment
from attribution.sensitivity.registry import write_experiment
from attribution.sensitivity.shrinkage import shrink
from collector.core.assignment import arm_ends, draw
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig, StoreConfig
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

# Five runs know a coverage of 95 % to 0.5 %; 400 replicates know it to 1.1 %.
REPLICATES_A_RUN = 80
# One replicate of small cohorts holds 60 of them, and takes as long as five of the others.
_SMALL_EVERY = 5
_SEED = 20_261_127
# A month of minutes, eight regions, five cohorts: what a billion decisions fall into, on paper.
_PAPER_CELLS = 30 * 1_440 * 8 * 5
# Decisions that the store is timed on, over an hour: enough that it is not the query's own start.
_STORED = 300_000
_STORED_MINUTES = 60
_STORED_NAME = "bench"
# Of what the power formula asks for: when a figure is first shown, and long after, when a bias has
# no error left to hide in.
SIZES = {"first": 1.4, "late": 10.0}
# As docs/use/experiments.md registers them, and smaller.
ARM_SETS = {"docs": ARMS, "small": ((0.98, 0.0), (0.01, 40.0), (0.01, 80.0))}
_STEEP = 5e-4  # 5 % per 100 ms: ten times the default, so that no world is too large to draw
_BASE = World(1.0, minutes=90, cohorts=3, relative_per_ms=_STEEP, hidden=0.5)
_MONEY = replace(_BASE, relative_per_ms=3e-3, conversion=0.1)

# Of every world a row stands in docs/use/experiments.md.
ZOO: Mapping[str, World] = {
    "nothing hidden": replace(_BASE, hidden=0.0),
    "hidden network and intent": _BASE,
    "large baskets buy 25 % less": replace(_BASE, cart=-0.25),
    "large baskets buy 50 % less": replace(_BASE, cart=-0.5),
    "large baskets buy 90 % less": replace(_BASE, cart=-0.9),
    "large baskets buy 25 % more": replace(_BASE, cart=0.25),
    "large baskets buy 50 % more": replace(_BASE, cart=0.5),
    "large baskets buy twice as much": replace(_BASE, cart=1.0),
    "surges of 0.1 %": replace(_BASE, surge=0.001),
    "surges of 0.2 %": replace(_BASE, surge=0.002),
    "surges of 0.5 %": replace(_BASE, surge=0.005),
    "surges of 2 %": replace(_BASE, surge=0.02),
    "surges of 5 %": replace(_BASE, surge=0.05),
    "surges of 100 %": replace(_BASE, surge=1.0),
    "buyers give up at 100 and 140 ms": replace(
        _BASE, steps=((100.0, 0.05), (140.0, 0.05)), relative_per_ms=_STEEP / 5
    ),
    "load wanders from minute to minute": replace(_BASE, memory=0.95),
    "sales of Pareto 2.5": replace(_MONEY, tail=2.5),
    "sales of Pareto 1.7": replace(_MONEY, tail=1.7),
    "sales of Pareto 1.3": replace(_MONEY, tail=1.3),
    "sales of Pareto 1.1": replace(_MONEY, tail=1.1),
    "20 % of the outcomes are lost": replace(_BASE, missing=0.2),
    "outcomes are lost when slow": replace(_BASE, missing=0.1, missing_per_100ms=0.02),
    "decisions fail when slow": replace(_BASE, deadline_ms=200.0),
    "cohorts differ": replace(_BASE, cohorts=6, spread_per_ms=_STEEP / 2),
    "the delays are somebody's throttle": replace(_BASE, is_drawn=False),
    "regulars buy five times as often": replace(_BASE, regulars=4.0),
    "regulars buy eleven times as often": replace(_BASE, regulars=10.0),
    "1 in 1,000 converts": replace(_BASE, conversion=0.001),
    "75 minutes, some thousand decisions": replace(
        _BASE, minutes=75, cohorts=1, conversion=0.3, relative_per_ms=5e-3
    ),
    "the default prior, 0.5 % per 100 ms": replace(_BASE, relative_per_ms=5e-5),
}
SMALL = World(
    decisions=3e6, minutes=60, cohorts=60, zipf=1.0, hidden=0.5,
    relative_per_ms=1.4e-3, spread_per_ms=5e-4,
)  # fmt: skip


@dataclass(slots=True)
class _Spent:
    """CPU time of the estimator, and what it took in."""

    seconds: float = 0.0
    cells: int = 0


@dataclass(slots=True)
class Row:
    """One world with some arms and of some size: what its replicates showed.

    An error is over the truth, which is what the next ms does.
    """

    replicates: int = 0
    held: list[bool] = field(default_factory=list)  # of those shown
    errors: list[float] = field(default_factory=list)
    half_widths: list[float] = field(default_factory=list)
    line_held: list[bool] = field(default_factory=list)  # a line through the arms, shown or not
    line_errors: list[float] = field(default_factory=list)
    naive_held: list[bool] = field(default_factory=list)
    naive_errors: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return shares and means; the coverage of nothing is absent."""
        figures = {
            "shown": len(self.held) / self.replicates,
            "naive_coverage": float(np.mean(self.naive_held)),
            "naive_error": float(np.mean(self.naive_errors)),
        }
        if self.held:
            figures |= {
                "coverage": float(np.mean(self.held)),
                "error": float(np.mean(self.errors)),
                "half_width": float(np.mean(self.half_widths)),
            }
        if self.line_held:
            figures |= {
                "line_coverage": float(np.mean(self.line_held)),
                "line_error": float(np.mean(self.line_errors)),
            }
        return figures


def run_causal(runs: int, progress: Callable[[str], None] = lambda _: None) -> dict[str, float]:
    """Return the figures of `measure` over 80 replicates a run, and those of the store.

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
    zoo: Mapping[str, World] = ZOO,
    small: World = SMALL,
    arm_sets: Mapping[str, Sequence[tuple[float, float]]] = ARM_SETS,
) -> dict[str, float]:
    """Return how often the interval holds the truth, by world.

    Keys `WORLD, ARMS, SIZE: FIGURE`, of each world of the zoo, each set of arms and each of SIZES,
    with the figures of `Row`: `coverage` of what is shown, absent where nothing was, `shown`, a
    share of the replicates, `error` and `half_width` of what is shown over the truth, and
    `line_...` and `naive_...` of a line through the arms and of plain regression. `coverage_least`
    is the least of all. E in eb, pooled and unpooled: `E_coverage` and `E_rmse`, over small
    cohorts of a fifth of the replicates, the latter over their mean slope. `cells_per_s` of the
    estimator.
    """
    figures: dict[str, float] = {"replicates": replicates}
    spent, least = _Spent(), 1.0
    for index, (name, world) in enumerate(zoo.items()):
        for arms, drawn in arm_sets.items():
            for size, factor in SIZES.items():
                sized_world = sized(replace(world, arms=tuple(drawn)), factor)
                row = one_world(sized_world, replicates, _SEED + index, spent).figures()
                figures |= {f"{name}, {arms}, {size}: {key}": each for key, each in row.items()}
                least = min(least, row.get("coverage", 1.0))
        progress(f"{name}: {replicates} replicates, {_figures_text(figures, name)}")
    figures["coverage_least"] = least
    few = math.ceil(replicates / _SMALL_EVERY)
    figures |= _small_cohorts(small, few, _SEED + len(zoo))
    progress(f"small cohorts: {few} replicates of {small.decisions:.3g} decisions")
    figures["cells_per_s"] = spent.cells / spent.seconds
    return figures


def sized(world: World, factor: float) -> World:
    """Return a world with so many times the decisions that the power formula asks for."""
    mean = sum(share * delay for share, delay in world.arms)
    variance = sum(share * delay**2 for share, delay in world.arms) - mean**2
    # Poor connections and what slowness costs leave some four fifths of the conversions.
    rate = 0.8 * world.conversion
    # Of a sale's square over that of its mean; where it has no variance, what a sample has of one.
    scatter = 1.0 if not world.tail else 1 + 1 / max(world.tail * (world.tail - 2), 0.1)
    needed = power_decisions(rate * (scatter - rate), rate * world.relative_per_ms, variance)
    return replace(world, decisions=needed * factor)


def one_world(world: World, replicates: int, seed: int, spent: _Spent | None = None) -> Row:
    """Return what the replicates of one world show, each by its own seed."""
    row, spent = Row(replicates), spent or _Spent()
    demands = Demands(world.relative_per_ms)
    if world.steps:
        demands = Demands(_STEEP)
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, replicate])
        drawn = draw_world(world, rng)
        rows, truth = draw_cells(drawn, rng), drawn.truth()
        began = _cpu_s()
        estimate = estimate_slope(rows, "simulated", demands)
        spent.seconds += _cpu_s() - began
        spent.cells += len(rows)
        # As a share of the mean: what a sale brings is known far better than what a ms takes.
        mean = abs(estimate.mean_outcome)
        if estimate.next_ms is not None and estimate.estimate is not None:
            as_share = relative(estimate.next_ms, mean)
            row.held.append(_holds(as_share, truth))
            row.errors.append(as_share.estimate / truth - 1)
            row.half_widths.append((as_share.high - as_share.low) / 2 / abs(truth))
        if estimate.injection is not None:
            line = relative(estimate.injection, mean)
            row.line_held.append(_holds(line, truth))
            row.line_errors.append(line.estimate / truth - 1)
        naive = relative(naive_slope(rows), mean)
        row.naive_held.append(_holds(naive, truth))
        row.naive_errors.append(naive.estimate / truth - 1)
    return row


def _holds(instrument: Instrument, truth: float) -> bool:
    return instrument.low <= truth <= instrument.high


def _figures_text(figures: Mapping[str, float], name: str) -> str:
    """Return in words what one world showed with the arms of the docs."""
    texts = []
    for size in SIZES:
        key = f"{name}, docs, {size}"
        if f"{key}: coverage" in figures:
            texts.append(
                f"{figures[f'{key}: shown']:.0%} shown, of them {figures[f'{key}: coverage']:.1%} "
                "hold the truth"
            )
        else:
            texts.append("refused")
    return "; ".join(texts)


def rows_per_s(url: str, decisions: int) -> float:
    """Return how many decisions a second of CPU time sums, in a database that is dropped."""
    clock = SystemClock()
    from_ns = (clock.now_ns() // NS_PER_MINUTE - _STORED_MINUTES - 1) * NS_PER_MINUTE
    store = Connections(StoreConfig(url=url, database="bench_slope"))
    try:
        client = store.client()
        migrate(client, clock.now_ns())
        apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), from_ns)
        arms = tuple(Arm(f"a{index}", *each) for index, each in enumerate(ARMS))
        registered = Experiment(
            name=_STORED_NAME, owner="bench", purpose="", arms=arms, targets={}, from_ns=from_ns,
            to_ns=from_ns + NS_PER_DAY, budget_usd=Decimal(1), registered_ns=from_ns,
        )  # fmt: skip
        write_experiment(store, registered, 1)
        for table, rows in _stored_world(decisions, from_ns).items():
            # Into a database of the bench's own: in a service each table has its one writer.
            client.insert_arrow(table, rows)
        count_by_id(store)
        began = _cpu_s()
        to_ns = from_ns + _STORED_MINUTES * NS_PER_MINUTE
        cells = read_slope_cells(store, AttributionConfig(), from_ns, to_ns, "margin")
        spent = _cpu_s() - began
        assert int(cells.cells.n.sum()) == decisions, "the sums missed decisions"
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
    units = [f"{index:016x}" for index in range(decisions)]
    minutes = (ingress_ns // NS_PER_MINUTE).tolist()
    draws = [draw(_STORED_NAME, *each) for each in zip(minutes, units, strict=True)]
    ends = arm_ends([share for share, _ in ARMS])
    arm = np.searchsorted(ends, draws, side="right")
    injected_ns = np.array([round(ms * NS_PER_MS) for _, ms in ARMS])[arm]
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
                "experiment": [_STORED_NAME] * decisions,
                "arm": pa.array(np.char.add("a", arm.astype(str))),
                "unit": units,
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


def _small_cohorts(world: World, replicates: int, seed: int) -> dict[str, float]:
    names = ("eb", "pooled", "unpooled")
    is_held_by_name: dict[str, list[float]] = {name: [] for name in names}
    squares: dict[str, list[float]] = {name: [] for name in names}
    for replicate in range(replicates):
        rng = np.random.default_rng([seed, replicate])
        drawn = draw_world(world, rng)
        cells, truth = draw_cells(drawn, rng), -drawn.theta
        cohort = drawn.cohort[cells.answers.cell]
        slopes = [relative_slope(cells.take(cohort == each)) for each in range(world.cohorts)]
        whole = relative_slope(cells)
        estimated = [index for index, each in enumerate(slopes) if each is not None]
        kept = [each for each in slopes if each is not None]
        assert whole is not None, "a world without a conversion"
        truth = truth[estimated]
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
            is_held_by_name[name].append(float(np.mean((bottom <= truth) & (truth <= top))))
            squares[name].append(float(np.mean((centre - truth) ** 2)))
    return {f"{name}_coverage": float(np.mean(is_held_by_name[name])) for name in names} | {
        f"{name}_rmse": float(np.sqrt(np.mean(squares[name])) / world.relative_per_ms)
        for name in names
    }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

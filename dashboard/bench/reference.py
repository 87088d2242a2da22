"""I/O: the slope on the reference path's own customers, in simulated time, through the store.

Each seed's decisions, splits and outcomes are stored as the service would store them, and the slope
is estimated from there as the service does, beside plain regression of what was earned on latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from attribution.bench.matches import count_by_id
from attribution.core.config import AttributionConfig, SlopePrior
from attribution.sensitivity.estimate import Status, estimate_slope
from attribution.sensitivity.instruments import naive_slope
from attribution.sensitivity.job import best_cells, demands_of
from attribution.sensitivity.registered import Arm, Experiment
from attribution.sensitivity.registry import write_experiment
from collector.bench.harness import Progress, own_database, own_directory
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MINUTE, NS_PER_MS
from collector.store.connect import Connections
from dashboard.reference.simulated import EXPERIMENT, SimulatedDecision, simulate

SEEDS = 40
DECISIONS = 40_000
MINUTES = 90
_DATABASE = "bench_reference"
# Fixed before the first seed was drawn: customers of the reference path are far more impatient than
# those of the literature, and an effect of 20 % per 100 ms has to be seen with a power of 80 %.
CONFIG = AttributionConfig(
    slope=SlopePrior(median_per_100ms=0.2, low_per_100ms=0.05, high_per_100ms=0.5),
    outcome_delay_s=0,
)


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What one seed showed; slopes in USD per ms."""

    seed: int
    status: Status
    truth: float
    estimate: float | None
    low: float | None
    high: float | None
    naive: float
    naive_low: float
    naive_high: float

    @property
    def holds(self) -> bool:
        """Return whether the truth is in the interval that is shown."""
        return (
            self.low is not None and self.high is not None and self.low <= self.truth <= self.high
        )

    @property
    def naive_holds(self) -> bool:
        """Say the same of plain regression."""
        return self.naive_low <= self.truth <= self.naive_high


def run_reference(
    runs: int, progress: Progress, seeds: int = SEEDS, decisions: int = DECISIONS
) -> dict[str, float]:
    """Return the figures over seeds 1, 2, ...; `runs` changes nothing, the seeds are the sample.

    Keys: `reference_seeds`; `reference_shown`, share of them whose slope was identified;
    `reference_coverage`, share of those whose interval holds the truth; `reference_error`, mean
    error over the truth; `reference_naive_coverage` and `reference_naive_error` of all seeds.
    """
    with own_directory() as scratch:
        now_ns = SystemClock().now_ns()
        url = f"chdb://{scratch}/store"
        found = over_seeds(url, range(1, seeds + 1), decisions, now_ns, progress)
    identified = [each for each in found if each.estimate is not None]
    figures = {
        "reference_seeds": float(len(found)),
        "reference_shown": len(identified) / len(found),
        "reference_naive_coverage": float(np.mean([each.naive_holds for each in found])),
        "reference_naive_error": float(np.mean([each.naive / each.truth - 1 for each in found])),
    }
    if identified:
        figures["reference_coverage"] = float(np.mean([each.holds for each in identified]))
        figures["reference_error"] = float(
            np.mean([(each.estimate or 0.0) / each.truth - 1 for each in identified])
        )
    return figures


def over_seeds(
    url: str,
    seeds: Sequence[int],
    decisions: int,
    now_ns: int,
    progress: Progress,
    config: AttributionConfig = CONFIG,
) -> list[SeedResult]:
    """Return the result of each seed, in a database that is dropped; seeds lie hours apart.

    They end before `now_ns`, and arms are drawn by the minute: another time is another draw.
    """
    found = []
    with own_database(url, _DATABASE) as store:
        register(store, now_ns - len(seeds) * (MINUTES + 61) * NS_PER_MINUTE)
        for place, seed in enumerate(seeds, 1):
            from_ns = (now_ns // NS_PER_MINUTE - place * (MINUTES + 60)) * NS_PER_MINUTE
            found.append(_one_seed(store, seed, decisions, from_ns, config))
            progress(f"reference path in simulated time: seed {seed}, {found[-1].status}")
    return found


def register(store: Connections, from_ns: int) -> None:
    """Register the experiment of the simulated customers, from an instant on."""
    arms = tuple(Arm(arm.name, arm.share, arm.delay_ns / NS_PER_MS) for arm in EXPERIMENT.arms)
    one = Experiment(
        name=EXPERIMENT.name, owner="bench", purpose="", arms=arms, targets={}, from_ns=from_ns,
        to_ns=EXPERIMENT.to_ns, budget_usd=Decimal(1), registered_ns=from_ns,
    )  # fmt: skip
    write_experiment(store, one, 1)


def _one_seed(
    store: Connections, seed: int, decisions: int, from_ns: int, config: AttributionConfig
) -> SeedResult:
    simulated = simulate(seed, decisions, MINUTES, from_ns // NS_PER_MINUTE)
    for table, rows in tables_of(simulated, seed, from_ns).items():
        # Into a database of the bench's own: in a service each table has its one writer.
        store.client().insert_arrow(table, rows)
    count_by_id(store)
    outcome, cells = best_cells(store, config, from_ns, from_ns + MINUTES * NS_PER_MINUTE)
    assert (outcome, int(cells.cells.n.sum())) == ("margin", decisions), "decisions were missed"
    slope = estimate_slope(cells.cells, outcome, demands_of(config))
    naive = naive_slope(cells.cells)
    return SeedResult(
        seed,
        slope.status,
        float(np.mean([each.true_usd_per_ms for each in simulated])),
        slope.estimate,
        slope.low,
        slope.high,
        naive.estimate,
        naive.low,
        naive.high,
    )


def tables_of(
    simulated: Sequence[SimulatedDecision], seed: int, from_ns: int
) -> dict[str, pa.Table]:
    """Return rows of the three tables, evenly over each minute."""
    count = len(simulated)
    minute = np.array([each.minute for each in simulated])
    place = np.arange(count) - np.searchsorted(minute, minute)
    ingress_ns = (from_ns + minute * NS_PER_MINUTE + place * NS_PER_MS).astype(np.uint64)
    ids = [f"s{seed}-{number}" for number in range(count)]

    def ns(name: str) -> pa.Array:
        return pa.array([round(getattr(each, name) * NS_PER_MS) for each in simulated], pa.uint64())

    names = ("region", "cohort", "channel", "offer_type")
    common = {
        "ingress_ns": pa.array(ingress_ns),
        "decision_id": pa.array(ids),
        "action": pa.array(["offer"] * count),
        **{name: pa.array([getattr(each, name) for each in simulated]) for name in names},
    }
    backend, network = ns("backend_ms"), ns("network_ms")
    total = pa.array(np.asarray(backend) + np.asarray(network), pa.uint64())
    decided = common | {
        "end_ns": common["ingress_ns"],
        "received_ns": common["ingress_ns"],
        "experiment": pa.array([EXPERIMENT.name] * count),
        "arm": pa.array([each.arm for each in simulated]),
        "unit": pa.array([each.unit for each in simulated]),
        "injected_delay_ns": ns("injected_ms"),
    }
    split = {name: each for name, each in common.items() if name != "offer_type"} | {
        "revision": pa.array([1] * count, pa.uint32()),
        "total_ns": total,
        "decision_compute_ns": backend,
        "egress_network_ns": network,
    }
    money = [Decimal(each.margin_micros).scaleb(-6) for each in simulated]
    earned = {
        "outcome_id": pa.array([f"o-{each}" for each in ids]),
        "kind": pa.array(["sale"] * count),
        "decision_id": pa.array(ids),
        "converted": pa.array([int(each > 0) for each in money], pa.uint8()),
        "margin": pa.array(money, pa.decimal128(18, 6)),
        "currency": pa.array(["USD"] * count),
        "event_ns": common["ingress_ns"],
        "received_ns": common["ingress_ns"],
    }
    return {
        "decisions": pa.table(decided),
        "attributions": pa.table(split),
        "outcomes": pa.table(earned),
    }

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attribution.bench.causal import ARM_SETS, SIZES, SMALL, ZOO, measure, rows_per_s

KEPT = (
    "large baskets buy twice as much",
    "outcomes are lost when slow",
    "decisions fail when slow",
    "the delays are somebody's throttle",
)


def test_bench_tells_the_worlds_apart() -> None:
    """On a few replicates: shown where it can be known, refused elsewhere, naive never right."""
    zoo = {name: ZOO[name] for name in KEPT}
    small = replace(SMALL, cohorts=12, minutes=40, decisions=4e5)
    figures = measure(6, zoo=zoo, small=small)
    assert figures["replicates"] == 6
    for name in KEPT:
        for arms in ARM_SETS:
            for size in SIZES:
                key = f"{name}, {arms}, {size}"
                is_shown = name == KEPT[0]
                assert (figures[f"{key}: shown"] > 0.5) == is_shown, key
                assert (f"{key}: coverage" in figures) == is_shown, key
                assert figures[f"{key}: naive_coverage"] == 0.0, key
    assert figures["coverage_least"] > 0.5
    assert figures["eb_rmse"] < figures["unpooled_rmse"]
    assert figures["cells_per_s"] > 0


def test_every_world_of_the_zoo_stands_in_the_docs() -> None:
    """With what was shown of it, refused or not: none is left out."""
    page = (Path(__file__).parents[3] / "docs/use/experiments.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert set(ZOO) <= set(rows)


def test_bench_sums_every_decision_it_stored(store_path: Path) -> None:
    """A rate over decisions that were dropped on the way would be no rate."""
    assert rows_per_s(f"chdb://{store_path}", 1_000) > 0

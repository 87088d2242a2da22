from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attribution.bench.causal import SMALL, measure, rows_per_s


def test_bench_tells_the_worlds_apart() -> None:
    """On a few replicates: shown where it can be known, refused in a surge, naive never right."""
    figures = measure(6, small=replace(SMALL, cohorts=12, minutes=40, decisions=4e5))
    assert figures["surge_refused"] == 1.0
    assert "coverage_surge" not in figures
    assert figures["naive_coverage"] == figures["naive_coverage_hidden"] == 0.0
    assert figures["shown_hidden"] > 0.5
    assert figures["coverage_hidden"] > 0.5
    assert figures["eb_rmse"] < figures["unpooled_rmse"]
    assert figures["replicates"] == 6
    assert figures["cells_per_s"] > 0


def test_bench_sums_every_decision_it_stored(store_path: Path) -> None:
    """A rate over decisions that were dropped on the way would be no rate."""
    assert rows_per_s(f"chdb://{store_path}", 1_000) > 0

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from attribution.bench.attribution import measure
from attribution.bench.synthetic import otel_rows


def test_bench_measures_every_figure_beside_its_rival(store_path: Path) -> None:
    """On a few decisions: the rival's path has to equal ours, or the bench itself fails."""
    figures = measure(f"chdb://{store_path}", runs=1, sizes={10: 40})
    names = ["numpy", "insert", "growth", "traces", "job", "memory", "plain", "x_plain"]
    names += ["numba"] if find_spec("numba") else []
    assert set(figures) == {f"{name}_10" for name in names}
    assert all(value > 0 for value in figures.values())


def test_synthetic_spans_repeat_by_seed() -> None:
    """A figure that cannot be measured again is no figure."""
    assert otel_rows(5, 12, seed=3, start_ns=7) == otel_rows(5, 12, seed=3, start_ns=7)
    assert otel_rows(5, 12, seed=3, start_ns=7) != otel_rows(5, 12, seed=4, start_ns=7)

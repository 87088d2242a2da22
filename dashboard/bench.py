"""I/O: `millworth bench NAME`: one entry a benchmark, one shape of result."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from rich.console import Console

from collector.errors import InputError


def run_bench(name: str, runs: int, *, progress: bool) -> dict[str, Any]:
    """Run one benchmark.

    Returns:
        `{"name", "machine", "runs", "figures": {key: number}}`; every figure is a median, but
        those of `causal`, which are means over 400 replicates a run.

    Raises:
        InputError: there is no such benchmark.
    """
    benches = {
        "ingest": _ingest,
        "crash": _crash,
        "provenance": _provenance,
        "attribution": _attribution,
        "causal": _causal,
        "capture": _capture,
        "recovery": _recovery,
    }
    if name not in benches:
        raise InputError(f"bench {name}: there is no such benchmark; choose {' or '.join(benches)}")
    console = Console(stderr=True, quiet=not progress)
    figures = benches[name](runs, console.print)
    return {"name": name, "machine": _machine(), "runs": runs, "figures": figures}


def _ingest(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench import run_ingest

    return run_ingest(runs, progress)


def _crash(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench_crash import run_crash

    return run_crash(runs, progress)


def _provenance(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench_provenance import run_provenance

    return run_provenance(runs, progress)


def _attribution(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from attribution.bench import run_attribution

    figures: dict[str, float] = run_attribution(runs, progress)
    return figures


def _causal(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from attribution.bench_causal import run_causal

    figures: dict[str, float] = run_causal(runs, progress)
    return figures


def _capture(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from packet.bench_capture import run_capture

    return run_capture(runs, progress)


def _recovery(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from dashboard.bench_recovery import run_recovery

    return run_recovery(runs, progress)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"

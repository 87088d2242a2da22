"""I/O: `millworth bench NAME`: one entry a benchmark, one shape of result."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console

from collector.core.errors import InputError
from collector.core.log import configure


def run_bench(
    name: str,
    runs: int,
    *,
    outage_minutes: float = 10.0,
    soak_minutes: float = 10.0,
) -> dict[str, Any]:
    """Run one benchmark.

    Args:
        name: which.
        runs: how often; figures are medians.
        outage_minutes: how long `crash` takes the store away.
        soak_minutes: how long `ingest` watches the memory of a collector under load.

    Returns:
        `{"name", "machine", "runs", "figures": {key: number}}`; every figure is a median, but
        those of `causal`, which are means over 400 replicates a run.

    Raises:
        InputError: there is no such benchmark.
    """
    benches: dict[str, Callable[[int, Callable[[str], None]], dict[str, float]]] = {
        "ingest": partial(_ingest, soak_minutes=soak_minutes),
        "crash": partial(_crash, outage_minutes=outage_minutes),
        "hostile": _hostile,
        "instrument": _instrument,
        "provenance": _provenance,
        "identifiers": _identifiers,
        "attribution": _attribution,
        "packets": _packets,
        "causal": _causal,
        "capture": _capture,
        "reconstruction": _reconstruction,
        "wire": _wire,
        "recovery": _recovery,
    }
    if name not in benches:
        raise InputError(f"bench {name}: there is no such benchmark; choose {' or '.join(benches)}")
    configure("error")  # to standard error: the one object on standard output is the result
    console = Console(stderr=True)
    figures = benches[name](runs, console.print)
    return {"name": name, "machine": _machine(), "runs": runs, "figures": figures}


def _ingest(runs: int, progress: Callable[[str], None], *, soak_minutes: float) -> dict[str, float]:
    from collector.bench.ingest import run_ingest

    return run_ingest(runs, progress, soak_minutes * 60)


def _crash(
    runs: int, progress: Callable[[str], None], *, outage_minutes: float
) -> dict[str, float]:
    from collector.bench.crash.run import run_crash
    from dashboard.bench.start import run_start

    return run_start(runs, progress) | run_crash(runs, progress, outage_minutes)


def _hostile(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench.hostile.run import run_hostile

    return run_hostile(runs, progress)


def _instrument(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench.instrument import run_instrument

    return run_instrument(runs, progress)


def _provenance(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench.provenance.run import run_provenance

    return run_provenance(runs, progress)


def _identifiers(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from collector.bench.identifiers import run_identifiers

    return run_identifiers(runs, progress)


def _attribution(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from attribution.bench.attribution import run_attribution

    figures: dict[str, float] = run_attribution(runs, progress)
    return figures


def _packets(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from packet.bench.packets import run_packets

    # As it is run where it is installed or not: by the interpreter that runs this.
    begin = "from dashboard.cli.main import main; main()"
    return run_packets(runs, progress, [sys.executable, "-c", begin, "capture"])


def _causal(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from attribution.bench.causal import run_causal
    from dashboard.bench.reference import run_reference

    return run_causal(runs, progress) | run_reference(progress)


def _capture(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from packet.bench.capture import run_capture

    return run_capture(runs, progress)


def _reconstruction(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from dashboard.bench.reconstruction import run_reconstruction
    from packet.bench.incident_sorts import run_sorts

    return run_sorts(progress) | run_reconstruction(runs, progress)


def _wire(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from packet.bench.wire import run_wire

    return run_wire(runs, progress)


def _recovery(runs: int, progress: Callable[[str], None]) -> dict[str, float]:
    from dashboard.bench.recovery import run_recovery

    return run_recovery(runs, progress)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"

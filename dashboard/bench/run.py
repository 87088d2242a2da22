"""I/O: `millworth bench NAME`: one entry a benchmark, one shape of result."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from collector.core.errors import InputError
from collector.core.log import configure

_INGEST: Final = "collector.bench.ingest:run_ingest"
_CRASH: Final = "collector.bench.crash.run:run_crash"
_PACKETS: Final = "packet.bench.packets:run_packets"
_PIPELINE: Final = "dashboard.bench.pipeline:run_pipeline"
_GROWTH: Final = "dashboard.bench.growth.run:run_growth"
_PAGES: Final = "dashboard.bench.pages.run:run_pages"

# Each part takes the runs and a `Progress`, and returns figures by name; imported when it is run.
BENCHES: Final = {
    "ingest": (_INGEST,),
    "crash": ("dashboard.bench.start:run_start", _CRASH),
    "pipeline": (_PIPELINE,),
    "growth": (_GROWTH,),
    "hostile": ("collector.bench.hostile.run:run_hostile",),
    "instrument": ("collector.bench.instrument:run_instrument",),
    "provenance": ("collector.bench.provenance.run:run_provenance",),
    "identifiers": ("collector.bench.identifiers:run_identifiers",),
    "attribution": ("attribution.bench.attribution:run_attribution",),
    "packets": (_PACKETS,),
    "capture": ("packet.bench.capture:run_capture",),
    "reconstruction": (
        "packet.bench.incident_sorts:run_sorts",
        "dashboard.bench.reconstruction:run_reconstruction",
    ),
    "wire": ("packet.bench.wire:run_wire", "attribution.bench.kernel:run_kernel"),
    "causal": (
        "attribution.bench.causal:run_causal",
        "dashboard.bench.reference:run_reference",
    ),
    "alerts": ("alerts.bench.alerts:run_alerts",),
    "recovery": ("dashboard.bench.recovery:run_recovery",),
    "dashboard": (_PAGES, "dashboard.bench.waterfall:run_waterfall"),
}


def run_bench(
    name: str,
    runs: int,
    *,
    outage_minutes: float = 10.0,
    soak_minutes: float = 10.0,
    quick: bool = False,
    spans: Sequence[int] = (),
    stores: Path | None = None,
) -> dict[str, Any]:
    """Run one benchmark.

    Args:
        name: which.
        runs: how often; figures are medians.
        outage_minutes: how long `crash` takes the store away.
        soak_minutes: how long `ingest` watches the memory of a collector under load, and
            `dashboard` that of a page.
        quick: of `pipeline` one run, at fewer rates.
        spans: of `growth`, sizes of the stores in spans; by default a million and ten.
        stores: of `growth` and `dashboard`, where they are kept.

    Returns:
        `{"name", "machine", "load", "runs", "figures": {key: number}}`; `load` is the machine's
        average over a minute, before and after. Every figure is a median, but those of `causal`,
        which are means over 400 replicates a run.

    Raises:
        InputError: there is no such benchmark.
    """
    if name not in BENCHES:
        raise InputError(f"bench {name}: there is no such benchmark; choose {' or '.join(BENCHES)}")
    # The command as it is run where it is installed or not: by the interpreter that runs this.
    capture = [sys.executable, "-c", "from dashboard.cli.main import main; main()", "capture"]
    options: dict[str, dict[str, object]] = {
        _INGEST: {"soak_s": soak_minutes * 60},
        _CRASH: {"outage_minutes": outage_minutes},
        _PACKETS: {"capture": capture},
        _PIPELINE: {"quick": quick},
        _GROWTH: {"spans": spans, "directory": stores},
        _PAGES: {"directory": stores, "soak_s": soak_minutes * 60},
    }
    configure("error")  # to standard error: the one object on standard output is the result
    progress = Console(stderr=True).print
    before = os.getloadavg()[0]
    figures: dict[str, float] = {}
    for place in BENCHES[name]:
        module, _, function = place.partition(":")
        part = getattr(import_module(module), function)
        figures |= part(runs, progress, **options.get(place, {}))
    return {
        "name": name,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}",
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
        "runs": runs,
        "figures": figures,
    }

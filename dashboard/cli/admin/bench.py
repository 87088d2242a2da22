"""I/O: `millworth bench NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from dashboard.bench.run import BENCHES, run_bench
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import JsonOption, finite

_QUICK_SOAK_MINUTES: Final = 1 / 3


def bench(
    name: Annotated[
        str,
        typer.Argument(help=", ".join(BENCHES)),
    ],
    runs: Annotated[int, typer.Option(min=5, help="Runs; medians are printed.")] = 5,
    outage_minutes: Annotated[
        float, typer.Option(min=0.05, callback=finite, help="crash: how long the store is away.")
    ] = 10.0,
    soak_minutes: Annotated[
        float,
        typer.Option(
            min=0.1, callback=finite, help="ingest, dashboard: how long memory is watched."
        ),
    ] = 10.0,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="ingest: a soak of 20 s, which is no soak; pipeline: one run."
        ),
    ] = False,
    spans: Annotated[
        list[int] | None,
        typer.Option(min=1, help="growth: size of a store; may be given again. 1 and 10 million."),
    ] = None,
    stores: Annotated[
        Path | None,
        typer.Option(help="growth, dashboard: where their stores are kept for the next run."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine. Every figure is compared with its rival in the same run."""
    result = run_bench(
        name,
        runs,
        outage_minutes=outage_minutes,
        soak_minutes=_QUICK_SOAK_MINUTES if quick else soak_minutes,
        quick=quick,
        spans=spans or (),
        stores=stores.absolute() if stores else None,
    )
    if quick:
        result["quick"] = True  # its figures are of less than they should be
    if as_json:
        print_json(result)
    else:
        before, after = result["load"]
        OUT.print(
            f"{result['name']}: {result['machine']}, load {before} to {after}, "
            f"medians of {result['runs']} runs"
        )
        for key, value in result["figures"].items():
            OUT.print(f"  {key:<40} {value:>16,.4g}")

"""I/O: `millworth attribute`: the split of the decisions in a trace file, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from attribution.core.segments import CLASSES
from attribution.path.explain import DecisionShare
from collector.core.clock import NS_PER_MS
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, MetricsOption
from dashboard.cli.running.up import run_service
from dashboard.settings.settings import load

# A person reads the slowest; all of them are in the JSON.
_SHOWN_MAX = 20
_REFUSED_SHOWN_MAX = 10


def attribute(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="Traces: OTLP JSON or Protobuf, Jaeger JSON, Zipkin JSON v2; gzip and zstd are "
            "expanded. The content tells.",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Machine output: one JSON object a decision."),
    ] = False,
    metrics_port: MetricsOption = -1,
) -> None:
    """Split the latency of the decisions in a trace file; without one, of those in the store.

    Without --file this is a role of the service: it runs, once for a store that is a server, until
    it is told to stop. With --file it needs no running service.

    A span that carries decision.action, or that a [[decisions.match]] rule names, is a decision;
    where the file has none, every parentless span is one. Exit 1 if a span could not be used: it
    is named on standard error, and the rest is done.
    """
    if file is None:
        run_service(config, as_json=as_json, role="attribute", metrics_port=metrics_port)
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    count, shares, refused = 0, list[DecisionShare](), list[str]()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        count, shares, refused = _shares(file, config, progress)
    if not console.is_terminal:
        console.print(f"{file}: spans read: {count}, decisions: {len(shares)}", markup=False)
    if as_json:
        for share in shares:
            print_json(share)
    else:
        _render(Console(highlight=False), shares)
    for line in refused[:_REFUSED_SHOWN_MAX]:
        console.print(f"{file}: not used: {line}", markup=False)
    if len(refused) > _REFUSED_SHOWN_MAX:
        console.print(f"{file}: ... and {len(refused) - _REFUSED_SHOWN_MAX} more", markup=False)
    raise typer.Exit(1 if refused else 0)


def _shares(
    file: Path, config: Path | None, progress: Progress
) -> tuple[int, list[DecisionShare], list[str]]:
    """Return how many spans were read, every decision, and a line for what cannot be used."""
    from attribution.path.explain import explain
    from dashboard.cli.files.trace_file import split_trace_file

    settings = load(config).settings
    found = split_trace_file(
        file, settings, lambda reads: progress.track(reads, description="spans")
    )
    if found.done is None:
        return found.spans, [], found.refused
    shares = list(
        progress.track(
            explain(found.done), total=len(found.done.decisions), description="decisions"
        )
    )
    return found.spans, shares, found.refused


def _render(out: Console, shares: list[DecisionShare]) -> None:
    """Print the slowest decisions, and where the time of all went."""
    if not shares:
        out.print("no decisions")
        return
    slowest = sorted(shares, key=lambda share: (-share["total_ns"], share["decision_id"]))
    table = Table(
        box=box.SIMPLE, caption=f"decisions: {len(shares)}; times in ms", show_footer=True
    )
    table.add_column("decision", "all", overflow="fold")
    sums = [sum(share["total_ns"] for share in shares)]
    sums += [sum(share["classes"][name] for share in shares) for name in CLASSES]
    for name, total_ns in zip(("total", *CLASSES), sums, strict=True):
        table.add_column(name, _ms(total_ns), justify="right", no_wrap=True)
    table.add_column("flags", overflow="fold")
    for share in slowest[:_SHOWN_MAX]:
        table.add_row(
            escape(share["decision_id"]),
            _ms(share["total_ns"]),
            *(_ms(share["classes"][name]) for name in CLASSES),
            " ".join(share["flags"]),
        )
    out.print(table)
    if len(shares) > _SHOWN_MAX:
        out.print(f"the {_SHOWN_MAX} slowest; --json prints all {len(shares)}")


def _ms(value_ns: int) -> str:
    return f"{value_ns / NS_PER_MS:,.3f}"

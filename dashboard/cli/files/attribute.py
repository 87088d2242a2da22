"""I/O: `millworth attribute`: the split of the decisions in a trace file, without a service."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from attribution.core.segments import CLASSES
from collector.core.times import NS_PER_MS
from dashboard.cli.console import print_table, reading
from dashboard.cli.options import ConfigOption, MetricsOption
from dashboard.settings.settings import load

if TYPE_CHECKING:
    from attribution.files.explain import Summary
    from dashboard.cli.files.trace_file import SplitFile

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
        from dashboard.cli.running.up import run_service

        run_service(config, as_json=as_json, role="attribute", metrics_port=metrics_port)
        return
    from attribution.files.explain import explain, json_line, summaries

    # Nothing of a file is in a cycle, and looking for some takes a tenth of the time.
    gc.disable()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    split = _split(file, config)
    refused, attributed = split.refused, split.done
    count = 0 if attributed is None else len(split.names.decision_ids)
    if not console.is_terminal:
        console.print(f"{file}: spans read: {split.spans}, decisions: {count}", markup=False)
    if as_json and attributed is not None:
        for share in explain(attributed, split.names, refused.by_trace, refused.count):
            sys.stdout.write(f"{json_line(share)}\n")
    elif not as_json:
        _render(
            Console(highlight=False),
            [] if attributed is None else list(summaries(attributed, split.names)),
        )
    for line in refused.lines[:_REFUSED_SHOWN_MAX]:
        console.print(f"{file}: not used: {line}", markup=False)
    if refused.count > _REFUSED_SHOWN_MAX:
        console.print(f"{file}: ... and {refused.count - _REFUSED_SHOWN_MAX} more", markup=False)
    raise typer.Exit(1 if refused.count else 0)


def _split(file: Path, config: Path | None) -> SplitFile:
    """Split a file, with a bar of the bytes that are read where a person watches."""
    from dashboard.cli.files.trace_file import split_trace_file

    settings = load(config).settings
    with reading("read", file.stat().st_size if file.is_file() else None) as progress:
        return split_trace_file(file, settings, progress)


def _render(out: Console, decisions: list[Summary]) -> None:
    """Print the slowest decisions, and where the time of all went."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    if not decisions:
        out.print("no decisions")
        return
    slowest = sorted(decisions, key=lambda each: (-each.total_ns, each.decision_id))
    table = Table(
        box=box.SIMPLE, caption=f"decisions: {len(decisions)}; times in ms", show_footer=True
    )
    table.add_column("decision", "all", overflow="fold")
    sums = [sum(each.total_ns for each in decisions)]
    sums += [sum(each.classes[index] for each in decisions) for index in range(len(CLASSES))]
    for name, total_ns in zip(("total", *CLASSES), sums, strict=True):
        table.add_column(name, _ms(total_ns), justify="right", no_wrap=True)
    table.add_column("flags", overflow="fold")
    for each in slowest[:_SHOWN_MAX]:
        table.add_row(
            escape(each.decision_id),
            _ms(each.total_ns),
            *(_ms(part_ns) for part_ns in each.classes),
            " ".join(each.flags),
        )
    print_table(out, table)
    if len(decisions) > _SHOWN_MAX:
        out.print(f"the {_SHOWN_MAX} slowest; --json prints all {len(decisions)}")


def _ms(value_ns: int) -> str:
    return f"{value_ns / NS_PER_MS:,.3f}"

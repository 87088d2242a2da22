"""I/O: `millworth demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.core import log
from dashboard.cli.json_output import print_json
from dashboard.cli.options import JsonOption
from dashboard.service.stop import StopSignal


def demo(
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", help="End by itself so long after it is ready, e.g. 60s or 5m, and sum up."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A new or empty directory for the data; by default a temporary one."),
    ] = None,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the whole service on the reference decision path, with a scripted incident.

    Half a minute in, the store of one region slows down. Watch the alert on the dashboard,
    follow it to a decision, and see where its time went. Alert windows are short here: 20 s
    and 5 s. Ctrl-C ends it. Of the settings it takes the three ports and `reference` alone: no
    rule, receiver, token or file of your service has a part in it.
    """
    from dashboard.demo.demo import Demo, parse_duration

    log.configure("info" if verbose else "warning")
    duration_s = parse_duration(for_) if for_ else None
    with Demo(duration_s=duration_s, data_dir=data, quiet=as_json) as running:
        running.wait_until_end(StopSignal())
        summary = running.finish()
    if as_json:
        print_json(summary)
    else:
        running.print_summary(summary)

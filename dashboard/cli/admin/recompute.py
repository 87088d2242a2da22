"""I/O: `millworth recompute`: attributes a range of time again, hour by hour."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collector.core.errors import InputError
from collector.core.times import NS_PER_HOUR, instant_ns
from dashboard.cli.client import asking
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import utc_iso

_SUMS = ("attributed", "revised", "unchanged", "minutes_rewritten", "cells_rewritten")


def recompute(
    begin: Annotated[str, typer.Option("--from", help="First ingress, ISO 8601.")],
    end: Annotated[str, typer.Option("--until", help="Behind the last ingress, ISO 8601.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attribute the decisions of a range of time again, from their stored trees.

    For after a change of a reference latency or of the slope, or where rows were lost. What comes
    out as it is stored is left alone. Interrupted, it can be run again.
    """
    begin_ns, end_ns = instant_ns(begin, "--from"), instant_ns(end, "--until")
    if begin_ns >= end_ns:
        raise InputError(f"--from {begin} --until {end} is not a range; give a later --until")
    done = Counter[str]()
    console = Console(stderr=True, highlight=False)
    with (
        asking(config, url) as api,
        Progress(
            TextColumn("hours"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress,
    ):
        for hour_ns in progress.track(range(begin_ns, end_ns, NS_PER_HOUR)):
            report = api.post(
                "/api/v1/recompute",
                {
                    "begin": f"{utc_iso(hour_ns)}Z",
                    "end": f"{utc_iso(min(hour_ns + NS_PER_HOUR, end_ns))}Z",
                },
            )
            done.update({name: report[name] for name in _SUMS})
            if not console.is_terminal:
                console.print(f"{utc_iso(hour_ns)}Z: {report['unchanged']} unchanged", markup=False)
    if as_json:
        print_json({name: done[name] for name in _SUMS})
    else:
        for name in _SUMS:
            OUT.print(f"{name.replace('_', ' ')}: {done[name]}")

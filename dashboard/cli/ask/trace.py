"""I/O: `millworth trace`: one trace, and how the decision's time was spent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console

from dashboard.cli.ask.trace_tree import render_trace
from dashboard.cli.client import ApiClient
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings.settings import load

# Names of spans may hold anything, square brackets too.
_OUT = Console(highlight=False, soft_wrap=True, markup=False)


def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, or the id of a decision.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its spans, and how the decision's time was spent."""
    with ApiClient.open(load(config).settings, url) as api:
        found = api.get(f"/api/v1/traces/{quote(trace_id.strip(), safe='')}")
        decisions = [
            api.get(f"/api/v1/decisions/{quote(one, safe='')}") for one in found["decisions"]
        ]
    if as_json:
        print_json(found | {"decision_details": decisions})
    else:
        render_trace(_OUT, found, decisions)

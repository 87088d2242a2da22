"""I/O: `millworth trace`: one trace, and how the decision's time was spent."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from dashboard.cli.ask.trace_tree import render_trace
from dashboard.cli.client import asking
from dashboard.cli.console import OUT
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption


def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, or the id of a decision.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its spans, and how the decision's time was spent."""
    with asking(config, url) as api:
        found = api.get(f"/api/v1/traces/{quote(trace_id, safe='')}")
        decisions = [
            api.get(f"/api/v1/decisions/{quote(one, safe='')}") for one in found["decisions"]
        ]
    if as_json:
        print_json(found | {"decision_details": decisions})
    else:
        render_trace(OUT, found, decisions)

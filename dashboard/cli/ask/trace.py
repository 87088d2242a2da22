"""I/O: `millworth trace`: one trace, and how the decision's time was spent."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.core.http.path import path_part
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
        found = api.get(f"/api/v1/traces/{path_part(trace_id)}")
        decisions = [api.get(f"/api/v1/decisions/{path_part(one)}") for one in found["decisions"]]
    if as_json:
        print_json(found | {"decision_details": decisions})
    else:
        render_trace(OUT, found, decisions)

"""I/O: `millworth query`: SQL, read-only."""

from __future__ import annotations

from typing import Annotated

import typer

from dashboard.cli.client import asking
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, UrlOption


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; limits on rows, memory and time apply.")],
    config: ConfigOption = None,
    url: UrlOption = None,
) -> None:
    """Ask the store in SQL, read-only. Prints one JSON object a row.

    For example `millworth query "SHOW TABLES"`, or
    `millworth query "SELECT action, count() FROM decisions FINAL GROUP BY action"`.
    """
    with asking(config, url) as api:
        answer = api.post("/api/v1/query", {"sql": sql})
    for row in answer["rows"]:
        print_json(dict(zip(answer["columns"], row, strict=True)))

"""I/O: `millworth verify retention`: what should be gone is gone, and what is kept is there."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table

from dashboard.cli.client import asked
from dashboard.cli.console import OUT, print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import utc_iso


def retention(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """Verify that each table keeps what [retention] says: TTL, oldest row, bytes. Exit 1 if not.

    A row may outlive its days by the part it lies in, which is dropped whole, and by a day until
    a merge comes. What a legal hold keeps is no finding.
    """
    answer = asked("/api/v1/retention", config, url)
    if as_json:
        print_json(answer)
    else:
        _show(answer["tables"])
    raise typer.Exit(int(any(table["problems"] for table in answer["tables"])))


def _show(tables: list[dict[str, Any]]) -> None:
    grid = Table("table", "days", "oldest row", "rows", "MiB", "held by", box=None, pad_edge=False)
    for table in tables:
        oldest = table["oldest_ns"]
        grid.add_row(
            table["table"],
            str(table["days"]),
            "-" if oldest is None else utc_iso(oldest),
            f"{table['rows']:,}",
            f"{table['bytes'] / 2**20:,.1f}",
            ", ".join(table["holds"]) or "-",
        )
    print_table(OUT, grid)
    for table in tables:
        for problem in table["problems"]:
            OUT.print(f"{table['table']}: {problem}")
    if not any(table["problems"] for table in tables):
        OUT.print(f"{len(tables)} tables keep what the settings say")

"""I/O: `millworth verify retention`: what should be gone is gone, and what is kept is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.table import Table

from dashboard.cli.json_output import print_json
from dashboard.settings.settings import load
from dashboard.units import utc_iso


class Api(Protocol):
    """What answers; `dashboard.cli.client.ApiClient` is one."""

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of one resource."""
        ...


def retention(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Settings file; by default ./millworth.toml if there.",
            readable=False,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="The running service; by default the settings' address."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Machine output: one JSON object.")
    ] = False,
) -> None:
    """Verify that each table keeps what [retention] says: TTL, oldest row, bytes. Exit 1 if not.

    A row may outlive its days by the part it lies in, which is dropped whole, and by a day until
    a merge comes. What a legal hold keeps is no finding.
    """
    # Loading the service's side takes a second, which no other command needs.
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = show_retention(api, as_json=as_json)
    raise typer.Exit(1 if found else 0)


def show_retention(api: Api, *, as_json: bool) -> bool:
    """Print what each table keeps; return whether anything is not as it should be."""
    answer = api.get("/api/v1/retention")
    tables = answer["tables"]
    if as_json:
        print_json(answer)
    else:
        _show(tables)
    return any(table["problems"] for table in tables)


def _show(tables: list[dict[str, Any]]) -> None:
    out = Console(highlight=False, soft_wrap=True, markup=False)
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
    out.print(grid)
    for table in tables:
        for problem in table["problems"]:
            out.print(f"{table['table']}: {problem}")
    if not any(table["problems"] for table in tables):
        out.print(f"{len(tables)} tables keep what the settings say")

"""I/O: `millworth import ...`: outcomes, rates, ledgers and bills from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dashboard.cli.client import ApiClient
from dashboard.cli.imports.reconcile import import_costs, import_ledger, import_rates
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings.settings import load

# Cells of files may hold anything, square brackets too.
_OUT = Console(highlight=False, soft_wrap=True, markup=False)

import_app = typer.Typer(help="Import what decisions earned and cost.", no_args_is_help=True)
import_app.command("rates")(import_rates)
import_app.command("ledger")(import_ledger)
import_app.command("costs")(import_costs)


@import_app.command("outcomes")
def import_outcomes(
    files: Annotated[
        list[Path], typer.Argument(help="CSV, Parquet or JSON files.", readable=False)
    ],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what decisions earned. The same file twice changes nothing.

    Columns: outcome_id, occurred_at (ISO 8601 with an offset, or Unix nanoseconds), decision_id or
    outcome_key, and any of kind, converted, revenue, margin, currency, channel. CSV has them in
    its header; JSON is an array of flat objects, or one a line. A bad row is named and left out;
    the rest is imported. Exit 1 if a row was left out.
    """
    refused = 0
    with ApiClient.open(load(config).settings, url) as api:
        for path in files:
            report = api.import_outcomes(path)
            refused += len(report["refused"])
            if as_json:
                print_json({"file": str(path), **report})
                continue
            _OUT.print(f"{path}: {report['imported']} imported, {len(report['refused'])} refused")
            for line in report["refused"]:
                _OUT.print(f"  {line}")
    raise typer.Exit(1 if refused else 0)

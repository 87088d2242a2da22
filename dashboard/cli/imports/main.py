"""I/O: `millworth import ...`: outcomes, rates, ledgers and bills from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from dashboard.cli.client import ApiClient, asking
from dashboard.cli.console import OUT
from dashboard.cli.imports.traces.command import import_otlp
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption

FilesArgument = Annotated[
    list[Path], typer.Argument(help="CSV, Parquet or JSON files.", readable=False)
]

import_app = typer.Typer(
    help="Import what decisions earned and cost, and traces.", no_args_is_help=True
)
import_app.command("otlp")(import_otlp)


@import_app.command("rates")
def import_rates(
    files: FilesArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what other currencies were worth, day by day.

    Columns: day (2026-05-31), currency (EUR), rate: units of attribution.currency for one. A day
    that was imported before is replaced, and the dollars that rest on it are computed again. Exit
    1 if a row was left out.
    """
    _import(files, "rates", {}, config, url, as_json=as_json)


@import_app.command("ledger")
def import_ledger(
    files: FilesArgument,
    source: Annotated[
        str, typer.Option(help="Name of the ledger: totals of several are added up.")
    ] = "ledger",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what the books say was earned, day by day, to hold the outcomes against.

    Columns: day (2026-05-31), currency, amount: revenue of the day, refunds taken off. A day that
    was imported before is replaced. Exit 1 if a row was left out.
    """
    _import(files, "ledger", {"source": source}, config, url, as_json=as_json)


@import_app.command("costs")
def import_costs(
    files: FilesArgument,
    source: Annotated[str, typer.Option(help="Name of the bill.")] = "bill",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="FILES are the whole bill of their time: what --source said of it before is "
            "dropped, as where a provider restates an open month.",
        ),
    ] = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what the infrastructure cost: bills in FOCUS, 1.0 to 1.4.

    BilledCost, EffectiveCost, BillingCurrency, ChargePeriodStart and ChargePeriodEnd are needed;
    ListCost, ContractedCost, ChargeCategory, ServiceCategory, ServiceName, ServiceProviderName (in
    bills before 1.3 ProviderName), HostProviderName, RegionId and ResourceId are read, other
    columns are left alone. The same lines again change nothing, in the format that
    they first came in; a line that was restated is another, see --replace. Exit 1 if a row was left
    out, and nothing is dropped then.
    """
    with asking(config, url) as api:
        began_ns = api.get("/api/v1/retention")["at_ns"]
        refused = _upload(api, files, "costs", {"source": source}, as_json=as_json)
        if replace and not refused:
            where = f"source={quote(source, safe='')}&before_ns={began_ns}"
            found = api.post(f"/api/v1/import/costs/replace?{where}", {})
            if as_json:
                print_json({"replaced": found})
            else:
                OUT.print(f"{found['lines']} lines of {source} from before were dropped")
    raise typer.Exit(1 if refused else 0)


@import_app.command("channels")
def import_channels(
    files: FilesArgument,
    source: Annotated[
        str, typer.Option(help="Who was paid: the days of several are added up.")
    ] = "ads",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what the visitors of channels cost, day by day: clicks, cost, quality score.

    Columns: channel (as decision.channel has it), day (2026-05-31), and any of clicks, cost,
    currency, quality_score (0 to 10). A day of a channel that was imported before from this source
    is replaced. Exit 1 if a row was left out.
    """
    _import(files, "channels", {"source": source}, config, url, as_json=as_json)


@import_app.command("outcomes")
def import_outcomes(
    files: FilesArgument,
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
    _import(files, "outcomes", {}, config, url, as_json=as_json)


def _import(
    files: list[Path],
    kind: str,
    query: dict[str, str],
    config: Path | None,
    url: str | None,
    *,
    as_json: bool,
) -> None:
    with asking(config, url) as api:
        refused = _upload(api, files, kind, query, as_json=as_json)
    raise typer.Exit(1 if refused else 0)


def _upload(
    api: ApiClient, files: list[Path], kind: str, query: dict[str, str], *, as_json: bool
) -> int:
    """Import files one by one, each with a line of its own; return how many rows were left out."""
    refused = 0
    for path in files:
        report = api.import_file(kind, path, query)
        refused += len(report["refused"])
        if as_json:
            print_json({"file": str(path), **report})
            continue
        none = "" if report["imported"] or report["refused"] else ": it has no rows"
        OUT.print(f"{path}: {report['imported']} imported, {len(report['refused'])} refused{none}")
        for line in report["refused"]:
            OUT.print(f"  {line}")
    return refused

"""I/O: `millworth vram debt`: what old things cost, found in telemetry and stated in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from attribution.core.money import currency, digits
from attribution.invest.file import InvestFile
from dashboard.cli.json_output import print_json
from dashboard.cli.options import AnnualiseOption, ConfigOption, JsonOption, UntilOption, UrlOption
from dashboard.cli.vram.invest import read_invest
from dashboard.settings.settings import load


def debt(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="[[debt]] entries in TOML that price what is found; docs/use/invest.md."
        ),
    ] = None,
    window: Annotated[
        str, typer.Option(help="How far back telemetry is read: a number and d or h.")
    ] = "30d",
    days: Annotated[
        int, typer.Option(min=1, max=30, help="A flag or cache is observed so long, or is none.")
    ] = 14,
    annualise: AnnualiseOption = False,
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the technical-debt ledger: what is owed, what it costs a year, and what mending brings.

    Telemetry shows runtimes that their makers no longer repair, feature flags that always answer
    alike, and caches that are never read, never hit or no longer called. Each has its evidence;
    what it costs is unknown until telemetry, a bill or an entry of the file says it. First comes
    what brings the most for a dollar of mending.
    """
    from dashboard.cli.client import ApiClient

    invest_file = InvestFile() if file is None else read_invest(file)
    body = {
        "file": invest_file.model_dump(mode="json"), "window": window, "until": until, "days": days,
        "annualise": annualise,
    }  # fmt: skip
    with ApiClient.open(load(config).settings, url) as api:
        ledger = api.post("/api/v1/vram/debt", body)
    if as_json:
        print_json(ledger)
        return
    _render(Console(highlight=False, soft_wrap=True, markup=False), ledger)


def _render(out: Console, ledger: dict[str, Any]) -> None:
    for priced in ledger["items"]:
        item, loss = priced["item"], priced["loss_usd_per_year"]
        at_least = "at least " if priced["is_partial"] else ""
        cost = f"{at_least}{_range(loss)} {currency()} a year" if loss else "unknown"
        out.print(f"{item['id']}: {item['what']}")
        out.print(f"  costs {cost}; rests on {', '.join(priced['bases']) or 'nothing yet'}")
        if priced["npv_usd"] is not None:
            ratio = priced["npv_per_fix_usd"]
            each = f", {ratio} for each {currency()}" if ratio is not None else ""
            out.print(
                f"  mending for {_range(priced['fix_usd'])} {currency()} is worth "
                f"{digits(priced['npv_usd'])} {currency()} over {ledger['years']} years "
                f"({digits(priced['npv_low_usd'])} to {digits(priced['npv_high_usd'])}){each}"
            )
        evidence = ", ".join(f"{name} {value}" for name, value in item["evidence"].items())
        out.print(f"  evidence: {evidence}")
        for line in priced["missing"]:
            out.print(f"  missing: {line}")
    if not ledger["items"]:
        out.print("nothing is owed that telemetry shows, and no entry says more")
    loss = ledger["loss_usd_per_year"]
    total = f"{_range(loss)} {currency()} a year" if loss else "unknown"
    out.print(f"in all: {total}; {ledger['unpriced']} items of unknown cost are in no sum")
    out.print(f"what time is worth: {ledger['worth']['told']}")
    for line in ledger["runtimes_unknown"]:
        out.print(f"runtime not in the table of {ledger['runtimes_read_on']}: {line}")


def _range(bounds: dict[str, str]) -> str:
    low, median, high = (digits(bounds[name]) for name in ("low", "median", "high"))
    return median if low == high else f"{median} ({low} to {high})"

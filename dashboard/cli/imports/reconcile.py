"""I/O: `millworth import rates|ledger` and `millworth reconcile`: dollars against the books."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption
from dashboard.settings.settings import load
from dashboard.units import utc_iso

FilesArgument = Annotated[
    list[Path], typer.Argument(help="CSV, Parquet or JSON files.", readable=False)
]


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


def import_costs(
    files: FilesArgument,
    source: Annotated[str, typer.Option(help="Name of the bill.")] = "bill",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what the infrastructure cost: bills in FOCUS 1.2.

    BilledCost, EffectiveCost, BillingCurrency, ChargePeriodStart and ChargePeriodEnd are needed;
    ListCost, ContractedCost, ChargeCategory, ServiceCategory, ServiceName, RegionId and ResourceId
    are read, other columns are left alone. The same lines again change nothing, in the format that
    they first came in. Exit 1 if a row was left out.
    """
    _import(files, "costs", {"source": source}, config, url, as_json=as_json)


def cost(
    window: Annotated[str, typer.Option(help="How far back: a number and d or h.")] = "30d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a decision costs: the bills of a time over the decisions of that time.

    A charge counts by the part of its period that lies inside. Bills come late: only the time
    for which use was billed counts, for charges and decisions alike. What a line in a currency
    without a rate belongs to is unknown. Exit 1 if the cost is over
    attribution.cost_per_decision_max, 0 if it is met or unknown.
    """
    from dashboard.cli.client import ApiClient

    query = urlencode({"window": window, "until": until})
    with ApiClient.open(load(config).settings, url) as api:
        found = api.get(f"/api/v1/cost?{query}")
    if as_json:
        print_json(found)
    else:
        out = Console(highlight=False, soft_wrap=True, markup=False)
        _render_cost(out, found)
    raise typer.Exit(1 if found["is_met"] is False else 0)


def reconcile(
    window: Annotated[str, typer.Option(help="How far back: a number and d or h.")] = "7d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the revenue of outcomes against the books, day by day.

    Matched revenue names one decision, ambiguous several, unmatched none. What does not reconcile
    is shown, and never spread. Exit 1 if a day differs from its ledger, or if that has an amount
    in a currency without a rate.
    """
    from dashboard.cli.client import ApiClient

    query = urlencode({"window": window, "until": until})
    with ApiClient.open(load(config).settings, url) as api:
        found = api.get(f"/api/v1/reconcile?{query}")
    if as_json:
        print_json(found)
    else:
        _render(Console(highlight=False), found)
    differs = any(
        day["unconverted"] or abs(float(day["difference"] or 0)) >= 0.01 for day in found["days"]
    )
    raise typer.Exit(1 if differs else 0)


def _import(
    files: list[Path],
    kind: str,
    query: dict[str, str],
    config: Path | None,
    url: str | None,
    *,
    as_json: bool,
) -> None:
    from dashboard.cli.client import ApiClient

    out, refused = Console(highlight=False, soft_wrap=True, markup=False), 0
    with ApiClient.open(load(config).settings, url) as api:
        for path in files:
            report = api.import_file(kind, path, query)
            refused += len(report["refused"])
            if as_json:
                print_json({"file": str(path), **report})
                continue
            out.print(f"{path}: {report['imported']} imported, {len(report['refused'])} refused")
            for line in report["refused"]:
                out.print(f"  {line}")
    raise typer.Exit(1 if refused else 0)


def _render_cost(out: Console, found: dict[str, Any]) -> None:
    currency = found["currency"]
    out.print(
        f"{found['decisions']} decisions, {_money(found['effective'])} {currency} amortised "
        f"({_money(found['billed'])} billed, {_money(found['saved'])} under list)"
    )
    covered = found["covered_ratio"]
    rest = f"; {found['decisions_unbilled']} decisions of the rest are in no figure"
    out.print(f"bills cover {covered:.1%} of the window{rest if covered < 1 else ''}")
    per, is_met = found["per_decision"], found["is_met"]
    verdict = "" if is_met is None else ", met" if is_met else ", missed"
    out.print(f"a decision: {per or 'unknown'}, at most {found['target']} are asked for{verdict}")
    for name, amount in found["by_class"].items():
        each = found["per_decision_by_class"][name]
        out.print(f"  {name}: {_money(amount)}, a decision {each or 'unknown'}")
    for title, parts in (("service", found["by_service"]), ("region", found["by_region"])):
        for part in parts:
            named = part["name"] or "(not said)"
            each = part["per_decision"] or "unknown"
            out.print(f"  {title} {named}: {_money(part['effective'])}, a decision {each}")
    for each in found["rates_missing"]:
        out.print(
            f"unknown: {each['lines']} lines in {each['currency']} of {each['first_day']} to "
            f"{each['last_day']} have no rate; millworth import rates"
        )


def _render(out: Console, found: dict[str, Any]) -> None:
    if not found["days"]:
        out.print("no outcome and no ledger in this window")
        return
    table = Table(box=box.SIMPLE, caption=f"{found['currency']}, days in UTC")
    table.add_column("day", no_wrap=True)
    for name in ("matched", "unmatched", "ambiguous", "ledger", "difference", "unknown"):
        table.add_column(name, justify="right")
    for day in found["days"]:
        table.add_row(
            utc_iso(day["day_ns"])[:10],
            *(_money(day[name]) for name in ("matched", "unmatched", "ambiguous")),
            "no rate" if day["unconverted"] else _money(day["ledger"]),
            _money(day["difference"]),
            str(day["unknown_outcomes"]),
        )
    out.print(table)
    out.print("unknown: outcomes of no known amount, or in a currency without a rate")
    if any(day["unconverted"] for day in found["days"]):
        out.print("no rate: the ledger is in a currency without one; import it and ask again")


def _money(value: str | None) -> str:
    return "unknown" if value is None else f"{float(value):,.2f}"

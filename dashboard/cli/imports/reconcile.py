"""I/O: `millworth reconcile` and `millworth vram cost`: dollars against the books."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from dashboard.cli.client import asked
from dashboard.cli.console import OUT, print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption
from dashboard.units import exact_digits, utc_iso


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
    query = urlencode({"window": window, "until": until})
    answer = asked(f"/api/v1/cost?{query}", config, url)
    if as_json:
        print_json(answer)
    else:
        _render_cost(answer)
    raise typer.Exit(1 if answer["is_met"] is False else 0)


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
    query = urlencode({"window": window, "until": until})
    answer = asked(f"/api/v1/reconcile?{query}", config, url)
    if as_json:
        print_json(answer)
    else:
        _render(Console(highlight=False), answer)
    differs = any(
        day["unconverted"] or abs(float(day["difference"] or 0)) >= 0.01 for day in answer["days"]
    )
    raise typer.Exit(1 if differs else 0)


def _render_cost(answer: dict[str, Any]) -> None:
    effective, billed, saved = (exact_digits(answer[n]) for n in ("effective", "billed", "saved"))
    OUT.print(
        f"{answer['decisions']} decisions, {effective} {answer['currency']} amortised "
        f"({billed} billed, {saved} under list)"
    )
    covered = answer["covered_ratio"]
    unbilled = f"; {answer['decisions_unbilled']} decisions of the rest are in no figure"
    OUT.print(f"bills cover {covered:.1%} of the window{unbilled if covered < 1 else ''}")
    per, is_met = answer["per_decision"], answer["is_met"]
    verdict = "" if is_met is None else ", met" if is_met else ", missed"
    OUT.print(f"a decision: {per or 'unknown'}, at most {answer['target']} are asked for{verdict}")
    for name, amount in answer["by_class"].items():
        each = answer["per_decision_by_class"][name]
        OUT.print(f"  {name}: {exact_digits(amount)}, a decision {each or 'unknown'}")
    for title in ("provider", "host", "service", "region"):
        for part in answer[f"by_{title}"]:
            named = part["name"] or "(not said)"
            each = part["per_decision"] or "unknown"
            OUT.print(f"  {title} {named}: {exact_digits(part['effective'])}, a decision {each}")
    for each in answer["rates_missing"]:
        OUT.print(
            f"unknown: {each['lines']} lines in {each['currency']} of {each['first_day']} to "
            f"{each['last_day']} have no rate; millworth import rates"
        )


def _render(out: Console, answer: dict[str, Any]) -> None:
    if not answer["days"]:
        out.print("no outcome and no ledger in this window")
        return
    table = Table(box=box.SIMPLE, caption=f"{answer['currency']}, days in UTC")
    table.add_column("day", no_wrap=True)
    for name in ("matched", "unmatched", "ambiguous", "ledger", "difference", "unknown"):
        table.add_column(name, justify="right")
    for day in answer["days"]:
        table.add_row(
            utc_iso(day["day_ns"])[:10],
            *(exact_digits(day[name]) for name in ("matched", "unmatched", "ambiguous")),
            "no rate" if day["unconverted"] else exact_digits(day["ledger"]),
            exact_digits(day["difference"]),
            str(day["unknown_outcomes"]),
        )
    print_table(out, table)
    out.print("unknown: outcomes of no known amount, or in a currency without a rate")
    if any(day["unconverted"] for day in answer["days"]):
        out.print("no rate: the ledger is in a currency without one; import it and ask again")

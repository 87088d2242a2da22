"""I/O: `millworth vram channels` and its kin: what a revenue owner asks."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboard.cli.client import asked
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption

WHY_UNMAPPED = {
    "in_no_node": "of decisions in no node",
    "unmatched": "of no decision",
    "ambiguous": "of several decisions",
    "not_in_outcomes": "in the ledger alone",
}
DaysOption = Annotated[str, typer.Option(help="How far back: a number and d or h; whole days.")]


def channels(
    window: DaysOption = "30d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what it takes to get visitors, apart from what they then do, by channel and horizon.

    Clicks and their cost are imported (`millworth import channels`); what was earned is that of
    decisions of these days within 30, 90 and 365 days of each. Margin less what was paid is known
    where every day that decided says what it cost. Days are whole, UTC.
    """
    query = urlencode({"window": window, "until": until})
    found = asked(f"/api/v1/vram/channels?{query}", config, url)
    if as_json:
        print_json(found)
        return
    render_channels(Console(highlight=False), found)


def render_channels(out: Console, found: dict[str, Any]) -> None:
    """Print what is paid, then what is earned."""
    if not found["channels"]:
        out.print("no decision, no cost and no declared channel in this window")
        return
    currency = found["currency"]
    paid = table(f"what is paid, {currency}", "channel", "kind")
    for name in ("decisions", "clicks", "a click", "quality", "in all", "a sale"):
        paid.add_column(name, justify="right", no_wrap=True)
    earned = table(f"what is earned, {currency}", "channel", "days")
    for name in ("known", "sold", "conversion", "earned", "less paid"):
        earned.add_column(name, justify="right", no_wrap=True)
    for each in found["channels"]:
        name = escape(each["name"] or "(none)")
        paid.add_row(
            name,
            each["kind"] or "not said",
            f"{each['decisions']:,}",
            count(each["clicks"]),
            each["cost_per_click"] or "unknown",
            each["quality_score"] or "unknown",
            money(each["acquisition_usd"]),
            each["acquisition_per_sale_usd"] or "unknown",
        )
        for line in each["horizons"]:
            of = line["conversion"]
            earned.add_row(
                name,
                f"{line['days']}{'*' if line['is_own'] else ''}",
                f"{line['known']:,}",
                f"{line['sold']:,}",
                "unknown" if of is None else f"{of:.2%}",
                money(line["earned_usd"]),
                money(line["after_acquisition_usd"]),
            )
    out.print(paid)
    out.print(earned)
    out.print("*: the horizon that the channel's value is of", soft_wrap=True)
    for line in notes(found):
        out.print(line, markup=False, soft_wrap=True)


def nodes(
    window: DaysOption = "30d",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which flows revenue came from: by node, and what no node has.

    Nodes and what is unmapped are the ledger to the cent, or what outcomes say where a day has no
    ledger. [[attribution.nodes]] puts flows to nodes; those of none are listed.
    """
    query = urlencode({"window": window, "until": until})
    found = asked(f"/api/v1/vram/nodes?{query}", config, url)
    if as_json:
        print_json(found)
        return
    out = Console(highlight=False)
    render_nodes(out, found)


def render_nodes(out: Console, found: dict[str, Any]) -> None:
    """Print nodes, what is unmapped and why, and their sum."""
    shown = Table(box=box.SIMPLE, title=f"revenue by node, {found['currency']}, whole days, UTC",
                  title_justify="left", title_style="bold", padding=0, pad_edge=False,
                  collapse_padding=True)  # fmt: skip
    shown.add_column("node", overflow="fold")
    for name in ("decisions", "outcomes", "revenue", "share"):
        shown.add_column(name, justify="right", no_wrap=True)
    for each in found["nodes"]:
        shown.add_row(
            escape(each["name"]),
            count(each["decisions"]),
            count(each["outcomes"]),
            money(each["revenue"]),
            share(each["share"]),
        )
    unmapped = found["unmapped"]
    shown.add_row(
        "unmapped",
        count(unmapped["decisions"]),
        "",
        money(unmapped["revenue"]),
        share(unmapped["share"]),
        style="bold",
    )
    for name, says in WHY_UNMAPPED.items():
        shown.add_row(f"  {says}", "", "", money(unmapped[name]), "")
    shown.add_row(found["total_is"], "", "", money(found["total"]), "", style="bold")
    out.print(shown)
    out.print("share of unmapped: of amounts without their signs", soft_wrap=True)
    if found["days_without_ledger"]:
        days = found["days_without_ledger"]
        listed = ", ".join(days[:10]) + (", ..." if len(days) > 10 else "")
        out.print(
            f"no ledger, or no rate for it: {listed}; millworth import ledger", soft_wrap=True
        )
    if found["unknown_outcomes"]:
        out.print(f"of no known amount, in no sum: {found['unknown_outcomes']:,} outcomes")
    for flow in found["unmapped_flows"]:
        values = ", ".join(f"{key} = {value!r}" for key, value in flow["values"].items())
        out.print(
            f"in no node: {flow['decisions']:,} decisions of {values or 'a flow without a name'}",
            markup=False,
            soft_wrap=True,
        )


def notes(found: dict[str, Any]) -> list[str]:
    """Return why figures of channels are unknown, and when they are final, a line each."""
    lines = []
    for each in found["channels"]:
        name = each["name"] or "(none)"
        own = next(line for line in each["horizons"] if line["is_own"])
        if each["acquisition_usd"] is None:
            lines.append(f"{name}: what was paid is unknown: {each['acquisition_basis']}")
        if own["basis"] != "margin":
            lines.append(f"{name}: what was earned is {own['basis']}: no margin is known")
        lines.append(f"{name}: its {own['days']} days are final on {own['final_from']}")
        short = [str(line["days"]) for line in each["horizons"] if not line["is_kept"]]
        if short:
            lines.append(
                f"{name}: {' and '.join(short)} days are longer than decisions are kept; "
                "retention.decisions_days"
            )
    return lines


def table(title: str, name: str, kind: str) -> Table:
    """Return a table whose figures are never cut, whatever the width."""
    found = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="bold", padding=0,
                  pad_edge=False, collapse_padding=True)  # fmt: skip
    found.add_column(name, overflow="fold")
    found.add_column(kind, no_wrap=True)
    return found


def money(value: str | None) -> str:
    """Return an amount to the cent."""
    return "unknown" if value is None else f"{Decimal(value):,.2f}"


def share(value: float | None) -> str:
    """Return a share of a hundred."""
    return "unknown" if value is None else f"{value:.2%}"


def count(value: int | None) -> str:
    """Return a number of things."""
    return "unknown" if value is None else f"{value:,}"

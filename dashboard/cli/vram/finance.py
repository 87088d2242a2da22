"""I/O: `millworth vram channels` and its kin: what a revenue owner asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attribution.core.money import currency
from dashboard.cli.client import asked, asking
from dashboard.cli.console import print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import (
    AnnualiseOption,
    ConfigOption,
    JsonOption,
    UntilOption,
    UrlOption,
    finite,
)
from dashboard.units import exact_digits, utc_iso

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
    answer = asked(f"/api/v1/vram/channels?{query}", config, url)
    if as_json:
        print_json(answer)
        return
    render_channels(Console(highlight=False), answer)


def render_channels(out: Console, answer: dict[str, Any]) -> None:
    """Print what is paid, then what is earned."""
    if not answer["channels"]:
        first, end = (utc_iso(answer[name])[:10] for name in ("from_ns", "to_ns"))
        out.print(
            f"no decision, cost or declared channel from {first} to the begin of {end}, UTC; "
            "days are whole, and today's is not over",
            soft_wrap=True,
        )
        return
    currency = answer["currency"]
    paid = table(f"what is paid, {currency}", "channel", "kind")
    for name in ("decisions", "clicks", "a click", "quality", "in all", "a sale"):
        paid.add_column(name, justify="right", no_wrap=True)
    earned = table(f"what is earned, {currency}", "channel", "days")
    for name in ("known", "sold", "conversion", "earned", "less paid"):
        earned.add_column(name, justify="right", no_wrap=True)
    for channel in answer["channels"]:
        name = escape(channel["name"] or "(none)")
        paid.add_row(
            name,
            channel["kind"] or "not said",
            f"{channel['decisions']:,}",
            count(channel["clicks"]),
            channel["cost_per_click"] or "unknown",
            channel["quality_score"] or "unknown",
            exact_digits(channel["acquisition_usd"]),
            channel["acquisition_per_sale_usd"] or "unknown",
        )
        for line in channel["horizons"]:
            conversion = line["conversion"]
            earned.add_row(
                name,
                f"{line['days']}{'*' if line['is_own'] else ''}",
                f"{line['known']:,}",
                f"{line['sold']:,}",
                "unknown" if conversion is None else f"{conversion:.2%}",
                exact_digits(line["earned_usd"]),
                exact_digits(line["after_acquisition_usd"]),
            )
    print_table(out, paid)
    print_table(out, earned)
    out.print("*: the horizon that the channel's value is of", soft_wrap=True)
    for line in notes(answer):
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
    answer = asked(f"/api/v1/vram/nodes?{query}", config, url)
    if as_json:
        print_json(answer)
        return
    out = Console(highlight=False)
    render_nodes(out, answer)


def tail(
    file: Annotated[Path, typer.Argument(help="Costs in TOML, [[tail]]; see docs/use/invest.md.")],
    target_ms: Annotated[
        float | None,
        typer.Option(
            "--target-ms", min=0.001, callback=finite, help="By default the reference latency."
        ),
    ] = None,
    window: Annotated[
        str, typer.Option(help="Decisions it is of: a number and s, m, h or d.")
    ] = "7d",
    until: UntilOption = "",
    annualise: AnnualiseOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the acceptable tail: up to which percentile holding a target latency pays.

    The file says what holding percentiles costs; what it brings is that of your own decisions, at
    the slope in force. Refused where that is not identified, with the experiment that would
    identify it. Exit 1: refused, or no step pays.
    """
    from dashboard.cli.vram.invest import read_invest

    invest_file = read_invest(file).model_dump(mode="json", exclude_unset=True)
    body = {"file": invest_file, "window": window, "until": until, "annualise": annualise}
    with asking(config, url) as api:
        answer = api.post("/api/v1/vram/tail", {**body, "target_ms": target_ms})
    if as_json:
        print_json(answer)
    else:
        _render_tail(Console(highlight=False), answer)
    is_found = not answer["refusal"] and answer["tail"]["at"] != "first"
    raise typer.Exit(0 if is_found else 1)


def _render_tail(out: Console, answer: dict[str, Any]) -> None:
    """Print the percentile, both sides of the crossing, and the stated costs beside gains."""
    lineage = f"{answer['decisions']:,} decisions of {answer['days']:.3g} days"
    out.print(f"{lineage}; {answer['basis']}", markup=False, soft_wrap=True)
    if answer["refusal"]:
        out.print(f"refused: {answer['refusal']}", markup=False, soft_wrap=True)
        if answer["proposal"] is not None:
            render_proposal(out, answer["proposal"])
        return
    point = answer["tail"]
    meaning = {
        "crossing": "the next step costs more than it brings",
        "first": "no step pays: more than this is not worth what it costs",
        "last": "the last step still pays: state what more would cost",
    }[point["at"]]
    out.print(
        f"acceptable tail: hold p{point['percentile']:.2f} at {point['target_ms']:g} ms (90 %: "
        f"p{point['low_percentile']:.2f} to p{point['high_percentile']:.2f}); {meaning}",
        soft_wrap=True,
    )
    out.print(
        f"within {point['target_ms']:g} ms today: {point['within']:.2%} of {answer['sampled']:,}"
    )
    steps = Table(box=box.SIMPLE, title=f"{currency()} a year", title_justify="left",
                  title_style="bold", padding=0, pad_edge=False, collapse_padding=True)  # fmt: skip
    steps.add_column("percentile", no_wrap=True)
    for name in ("ms today", "gain", "cost", "this step", "costs"):
        steps.add_column(name, justify="right", no_wrap=True)
    for step, mark in [
        *((each, "") for each in point["steps"]),
        (point["step"], " <"),
        *([] if point["next_step"] is None else [(point["next_step"], " next")]),
    ]:
        steps.add_row(
            f"p{step['percentile']:.2f}{mark}",
            f"{step['latency_ms']:,.1f}",
            *(
                exact_digits(str(step[name]))
                for name in (
                    "gain_usd_per_year", "cost_usd_per_year", "marginal_gain_usd",
                    "marginal_cost_usd",
                )
            ),
        )  # fmt: skip
    print_table(out, steps)
    if point["clipped"]:
        out.print(
            f"{point['clipped']:.2%} are slower than the slope was measured for: they count as the "
            "slowest that was, so the gain is this at least",
            soft_wrap=True,
        )


def render_proposal(out: Console, proposal: dict[str, Any]) -> None:
    """Show the experiment that would decide it."""
    needed = proposal["decisions_needed"]
    out.print("an experiment would decide it" if proposal["is_enough"] else "what would decide it")
    out.print(f"  {proposal['command']}", markup=False, soft_wrap=True)
    cost, risk = proposal["cost_usd"], proposal["at_risk_usd"]
    out.print(
        f"  {'unknown' if needed is None else f'{needed:,}'} decisions, {proposal['days']} days; "
        f"expected to cost {'an unknown amount' if cost is None else f'{cost} {currency()}'}, "
        f"at most {'unknown' if risk is None else f'{risk} {currency()}'}; {proposal['reason']}",
        markup=False,
        soft_wrap=True,
    )


def render_nodes(out: Console, answer: dict[str, Any]) -> None:
    """Print nodes, what is unmapped and why, and their sum."""
    rows = Table(box=box.SIMPLE, title=f"revenue by node, {answer['currency']}, whole days, UTC",
                  title_justify="left", title_style="bold", padding=0, pad_edge=False,
                  collapse_padding=True)  # fmt: skip
    rows.add_column("node", overflow="fold")
    for name in ("decisions", "outcomes", "revenue", "share"):
        rows.add_column(name, justify="right", no_wrap=True)
    for node in answer["nodes"]:
        rows.add_row(
            escape(node["name"]),
            count(node["decisions"]),
            count(node["outcomes"]),
            exact_digits(node["revenue"]),
            share(node["share"]),
        )
    unmapped = answer["unmapped"]
    rows.add_row(
        "unmapped",
        count(unmapped["decisions"]),
        "",
        exact_digits(unmapped["revenue"]),
        share(unmapped["share"]),
        style="bold",
    )
    for name, words in WHY_UNMAPPED.items():
        rows.add_row(f"  {words}", "", "", exact_digits(unmapped[name]), "")
    rows.add_row(answer["total_is"], "", "", exact_digits(answer["total"]), "", style="bold")
    print_table(out, rows)
    out.print("share of unmapped: of amounts without their signs", soft_wrap=True)
    if answer["days_without_ledger"]:
        days = answer["days_without_ledger"]
        listed = ", ".join(days[:10]) + (", ..." if len(days) > 10 else "")
        out.print(
            f"no ledger, or no rate for it: {listed}; millworth import ledger", soft_wrap=True
        )
    if answer["unknown_outcomes"]:
        out.print(f"of no known amount, in no sum: {answer['unknown_outcomes']:,} outcomes")
    for flow in answer["unmapped_flows"]:
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
        if own["unknown_amounts"]:
            lines.append(
                f"{name}: decisions that earned something, and it is not known how much (no amount "
                f"was sent, or it has no rate): {own['unknown_amounts']:,}; each counts as the "
                "mean of its action and region, or leaves the sum unknown"
            )
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


def share(value: float | None) -> str:
    """Return a share of a hundred."""
    return "unknown" if value is None else f"{value:.2%}"


def count(value: int | None) -> str:
    """Return a number of things."""
    return "unknown" if value is None else f"{value:,}"

"""I/O: `millworth vram`: what latency is worth, and what to do about it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attribution.core.money import currency
from attribution.core.slo import Z95
from dashboard.cli.console import print_table
from dashboard.cli.imports.reconcile import cost
from dashboard.cli.json_output import print_json
from dashboard.cli.options import (
    AnnualiseOption,
    ConfigOption,
    JsonOption,
    UntilOption,
    UrlOption,
    WindowOption,
)
from dashboard.cli.vram.debt import debt
from dashboard.cli.vram.decisions import decisions
from dashboard.cli.vram.experiments import experiments_app
from dashboard.cli.vram.finance import channels, nodes, render_proposal, tail
from dashboard.cli.vram.impact import caches, modes
from dashboard.cli.vram.invest import gate, npv, tiers, verdicts
from dashboard.cli.vram.questions import what_if
from dashboard.settings.settings import load
from dashboard.units import exact_digits, named, span_of_time

vram_app = typer.Typer(
    help="What latency is worth: groups, curves, investments, a gate.", no_args_is_help=True
)
vram_app.command("what-if")(what_if)
vram_app.command("npv")(npv)
vram_app.command("tiers")(tiers)
vram_app.command("gate")(gate)
vram_app.command("verdicts")(verdicts)
vram_app.command("debt")(debt)
vram_app.command("modes")(modes)
vram_app.command("caches")(caches)
vram_app.command("cost")(cost)
vram_app.command("decisions")(decisions)
vram_app.command("channels")(channels)
vram_app.command("nodes")(nodes)
vram_app.command("tail")(tail)
vram_app.add_typer(experiments_app, name="experiments")

HOURS_A_YEAR = 8_766.0  # of 365.25 days

ByOption = Annotated[
    str, typer.Option(help="Groups: channel, region, cohort, offer_type or action.")
]


BudgetOption = Annotated[
    str | None, typer.Option(help="Amount to share out among the groups, to the cent.")
]
ReserveOption = Annotated[
    str | None,
    typer.Option(help="Share of the budget that is kept: 0.1; by default of the settings."),
]
StepOption = Annotated[
    str | None, typer.Option(help="The smallest amount worth giving; by default a hundredth.")
]


@vram_app.callback()
def vram() -> None:
    """What latency is worth: groups, curves, investments, a gate."""


@vram_app.command("rank")
def rank(
    by: ByOption = "channel",
    window: WindowOption = "24h",
    until: UntilOption = "",
    annualise: AnnualiseOption = False,
    budget: BudgetOption = None,
    reserve: ReserveOption = None,
    step: StepOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank groups by what their next millisecond is worth, and segments by what they weigh.

    Every figure has its 90 % interval, and says what its slope and its value rest on. A year is
    stated from 7 days of decisions on. A model that says something new is stored under the next
    version. Owned channels come before paid ones of the same figure. With --budget it is shared
    out by the low ends, less the reserve; that it pays at all is for `millworth vram gate`.
    """
    budget_options = {"budget_usd": budget, "reserve_share": reserve, "step_usd": step}
    model = _model(by, window, until, config, url, annualise=annualise, **budget_options)
    if as_json:
        print_json(model)
        return
    out = Console(highlight=False)
    _render_lineage(out, model)
    lineage = model["lineage"]
    unit = "year" if lineage["is_annualised"] else "hour"
    table = _table(f"by {by}: {currency()} that the next millisecond brings")
    table.add_column(by, overflow="fold")
    for name in ("decisions", f"{currency()}/s", f"{currency()}/ms/{unit}", "90 %", "-100 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in model["groups"]:
        per_ms = group[f"marginal_usd_per_ms_{unit}"]
        table.add_row(
            escape(group["name"] or "(none)") + (f" ({group['kind']})" if group["kind"] else ""),
            f"{group['decisions']:,}",
            f"{group['erv_usd_per_s']['median']:,.4g}",
            _three(per_ms["median"]),
            f"{_three(per_ms['low'])} to {_three(per_ms['high'])}",
            f"{group['loss_per_100ms']['median']:.2%}",
        )
    print_table(out, table)
    out.print("-100 ms: share of the value that 100 ms more lose, 1 - exp(-slope x 100 ms)")
    for basis in sorted({group["slope_basis"] for group in model["groups"]}):
        groups = [group for group in model["groups"] if group["slope_basis"] == basis]
        names_of = [group["name"] or "(none)" for group in groups]
        loss = groups[0]["loss_per_100ms"]
        out.print(
            f"slope of {', '.join(names_of)}: {loss['median']:.2%} per 100 ms "
            f"(90 %: {loss['low']:.2%} to {loss['high']:.2%}), {basis}",
            markup=False,
            soft_wrap=True,
        )
    if "allocation" in model:
        _render_allocation(out, model)
    _render_segments(out, model)
    for why, names in (
        ("of unknown value", model["unknown"]),
        ("too small for the sample", model["unsampled"]),
    ):
        if names:
            listed = named([name or "(none)" for name in names])
            out.print(f"{why}, in no figure: {listed}", markup=False, soft_wrap=True)


def _render_allocation(out: Console, model: dict[str, Any]) -> None:
    """Show who gets what of a budget; the parts sum to it."""
    allocation = model["allocation"]
    shares = _table(f"a budget, {currency()}")
    shares.add_column("to", overflow="fold")
    shares.add_column("kind", no_wrap=True)
    shares.add_column(currency(), justify="right", no_wrap=True)
    for share in allocation["shares"]:
        shares.add_row(escape(share["name"] or "(none)"), share["kind"], exact_digits(share["usd"]))
    for name in ("unallocated", "reserve", "budget"):
        shares.add_row(name, "", exact_digits(allocation[f"{name}_usd"]), style="bold")
    print_table(out, shares)
    if allocation["reason"]:
        out.print(f"unallocated: {allocation['reason']}", soft_wrap=True)
    out.print(
        f"by the low ends of what the next millisecond brings, in steps of "
        f"{exact_digits(allocation['step_usd'])}; it says where money goes first, not "
        "that it pays: millworth vram gate",
        soft_wrap=True,
    )


def _render_segments(out: Console, model: dict[str, Any]) -> None:
    """Show what each segment weighs; a figure of a year is so many hours."""
    is_year = model["lineage"]["is_annualised"]
    unit, scale = ("a year", HOURS_A_YEAR) if is_year else ("an hour", 1.0)
    segments = _table(f"by segment: gain {unit}, each at its own 10 % quantile")
    segments.add_column("segment", no_wrap=True)
    for name in ("weight", "of time", "floor ms", f"gain {currency()}", "90 %"):
        segments.add_column(name, justify="right", no_wrap=True)
    for segment in model["weights"]:
        low, gain, high = (
            _three(segment[f"gain_{end}usd_per_hour"] * scale) for end in ("low_", "", "high_")
        )
        segments.add_row(
            segment["segment"],
            f"{segment['weight']:.1%}",
            f"{segment['time_share']:.1%}",
            f"{segment['floor_ms']:,.3f}",
            gain,
            f"{low} to {high}",
        )
    print_table(out, segments)


@vram_app.command("curve")
def curve(
    by: ByOption = "channel",
    window: WindowOption = "24h",
    until: UntilOption = "",
    annualise: AnnualiseOption = False,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the expected revenue velocity of each group at other latencies, with its band."""
    model = _model(by, window, until, config, url, annualise=annualise)
    if as_json:
        print_json(
            {
                "version": model["version"],
                "lineage": model["lineage"],
                "curves": {group["name"]: group["curve"] for group in model["groups"]},
            }
        )
        return
    out = Console(highlight=False)
    _render_lineage(out, model)
    for group in model["groups"]:
        unit = "year" if model["lineage"]["is_annualised"] else "hour"
        table = _table(escape(group["name"] or "(none)"))
        for name in (
            "shift ms",
            f"{currency()}/s",
            "90 %",
            f"{currency()}/{unit} against now",
            "90 %",
        ):
            table.add_column(name, justify="right", no_wrap=True)
        for point in group["curve"]:
            erv, change = point["erv_usd_per_s"], point[f"change_usd_per_{unit}"]
            table.add_row(
                f"{point['shift_ms']:+g}",
                f"{erv['median']:,.5g}",
                f"{erv['low']:,.5g} to {erv['high']:,.5g}",
                _three(change["median"]),
                f"{_three(change['low'])} to {_three(change['high'])}",
            )
        print_table(out, table)
    out.print(
        "a shift beyond the latencies that an experiment delayed to is not shown", soft_wrap=True
    )


@vram_app.command("models")
def models(config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """List every version of the model with what it was made of."""
    from dashboard.cli.client import ApiClient
    from dashboard.units import utc_iso

    with ApiClient.open(load(config).settings, url) as api:
        answer = api.get("/api/v1/vram/models")
    if as_json:
        print_json(answer)
        return
    out = Console(highlight=False, soft_wrap=True, markup=False)
    for model in answer["models"]:
        lineage = model["lineage"]
        out.print(
            f"{model['version']}: {utc_iso(model['computed_ns'])}Z, by {lineage['dimension']}, "
            f"{lineage['decisions']} decisions, {lineage['slope']}"
        )
    if not answer["models"]:
        out.print("no model yet; make one with millworth vram rank")


@vram_app.command("diff")
def diff(
    before: Annotated[int, typer.Argument(min=1, help="Version.")],
    after: Annotated[int, typer.Argument(min=1, help="Version.")],
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed between two versions of the model. Exit 1 if anything did."""
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = api.get(f"/api/v1/vram/diff?before={before}&after={after}")
    if as_json:
        print_json(found)
    else:
        out = Console(highlight=False, soft_wrap=True, markup=False)
        for change in found["changes"]:
            out.print(f"{change['kind']} {change['name']}: {change['before']} -> {change['after']}")
        if not found["changes"]:
            out.print("nothing changed")
    raise typer.Exit(1 if found["changes"] else 0)


@vram_app.command("slope")
def slope(config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Estimate the sensitivity of value to latency now, or say what is missing.

    Exit 1 where it is not identified: dollars then rest on the prior.
    """
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = api.post("/api/v1/slope", {})
    model = found["model"]
    if as_json:
        print_json(found)
    else:
        _render_slope(Console(highlight=False, soft_wrap=True, markup=False), found)
    raise typer.Exit(0 if model["source"] == "estimate" else 1)


def _render_slope(out: Console, found: dict[str, Any]) -> None:
    model = found["model"]
    out.print(f"{model['status']}: {model['reason']}")
    out.print(f"decisions: {model['decisions']:,} in {model['minutes']:,} minutes")
    if model["not_randomised"]:
        out.print(
            f"not randomised: {model['not_randomised']:,} decisions claim a delay or an experiment "
            "that Millworth did not draw; they are in no figure"
        )
    is_refused = model["source"] != "estimate" and found["proposal"] is None
    for name, what in (
        ("injection", f"randomised delay{' (refused, used for nothing)' if is_refused else ''}"),
        ("backend", "jitter of the back end (observational, used for nothing)"),
    ):
        slope, error = model[f"{name}_per_ms"], model[f"{name}_se"]
        if slope is None or error is None:
            out.print(f"by the {what}: it does not vary, or nothing was earned")
        else:
            out.print(
                f"by the {what}: {_lost(-slope * 100)} of the value per 100 ms (95 %: "
                f"{_lost((-slope - Z95 * error) * 100)} to {_lost((-slope + Z95 * error) * 100)})"
            )
    if model["latency_high_ns"]:
        out.print(
            f"measured with delays of up to {model['delay_max_ns'] / 1e6:g} ms, between latencies "
            f"of {model['latency_low_ns'] / 1e6:.0f} and {model['latency_high_ns'] / 1e6:.0f} ms, "
            f"by {', '.join(model['experiments']) or 'no experiment'}"
        )
    if model["decisions_needed"]:
        out.print(f"more decisions needed: {model['decisions_needed']:,}")
    if model["source"] == "unknown":
        out.print("in use: nothing; what lateness costs is unknown")
    else:
        low, median, high = (
            _lost(model[f"{end}_per_ns"] * 1e8) for end in ("low", "median", "high")
        )
        out.print(
            f"in use: {median} of the value per 100 ms (90 %: {low} to {high}), by the "
            f"{model['source']}"
        )
    if found["proposal"] is not None:
        render_proposal(out, found["proposal"])


def _lost(rate: float) -> str:
    """Return which share of the value is lost at a rate, as everywhere: 1 - exp(-rate)."""
    return f"{-math.expm1(-rate):.3%}"


def _model(
    by: str,
    window: str,
    until: str,
    config: Path | None,
    url: str | None,
    *,
    annualise: bool,
    **more: object,
) -> dict[str, Any]:
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        body = {"window": window, "until": until, "dimension": by, "annualise": annualise, **more}
        return api.post("/api/v1/vram/model", body)


def _render_lineage(out: Console, told: dict[str, Any]) -> None:
    lineage = told["lineage"]
    out.print(
        f"model {told['version']}: {lineage['decisions']} decisions, {lineage['sampled']} of them "
        f"replayed, over {span_of_time(lineage['counted_s'] * 1e9)}; {lineage['slope']}",
        markup=False,
        soft_wrap=True,
    )
    out.print(f"value over {lineage['denominator']}", markup=False, soft_wrap=True)
    out.print(lineage["annualised"], markup=False, soft_wrap=True)
    for warning in lineage["warnings"]:
        out.print(f"WARNING: {warning}", markup=False, soft_wrap=True)


def _table(title: str) -> Table:
    """Return a table whose figures are never cut, whatever the width."""
    return Table(box=box.SIMPLE, title=title, title_justify="left", title_style="bold", padding=0,
                 pad_edge=False, collapse_padding=True)  # fmt: skip


def _three(value: float) -> str:
    """Return three digits that count: a figure with such an interval has no more."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"

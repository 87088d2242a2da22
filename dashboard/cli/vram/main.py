"""I/O: `millworth vram`: what latency is worth, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboard.cli.imports.reconcile import cost
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UntilOption, UrlOption, WindowOption
from dashboard.cli.vram.debt import debt
from dashboard.cli.vram.experiments import experiments_app
from dashboard.cli.vram.impact import caches, modes
from dashboard.cli.vram.invest import gate, npv, tiers, verdicts
from dashboard.cli.vram.questions import what_if
from dashboard.settings.settings import load
from dashboard.units import span_of_time

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
vram_app.add_typer(experiments_app, name="experiments")

ByOption = Annotated[
    str, typer.Option(help="Groups: channel, region, cohort, offer_type or action.")
]


@vram_app.callback()
def vram() -> None:
    """What latency is worth: groups, curves, investments, a gate."""


@vram_app.command("rank")
def rank(
    by: ByOption = "channel",
    window: WindowOption = "24h",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank groups by what their next millisecond is worth, and segments by what they weigh.

    Every figure has its 90 % interval, and says what its slope rests on. A model that says
    something new is stored under the next version.
    """
    told = _model(by, window, until, config, url)
    if as_json:
        print_json(told)
        return
    out = Console(highlight=False)
    _render_lineage(out, told)
    table = Table(box=box.SIMPLE)
    table.add_column(by)
    for name in (
        "decisions",
        "USD a second",
        "USD per ms and year",
        "90 %",
        "for 10 ms",
        "lost per 100 ms",
    ):
        table.add_column(name, justify="right", no_wrap="%" in name)
    for group in told["groups"]:
        per_ms = group["marginal_usd_per_ms_year"]
        table.add_row(
            escape(group["name"] or "(none)"),
            f"{group['decisions']:,}",
            f"{group['erv_usd_per_s']['median']:,.4g}",
            _three(per_ms["median"]),
            f"{_three(per_ms['low'])} to {_three(per_ms['high'])}",
            _three(group["gain_10ms_usd_per_year"]["median"]),
            f"{group['loss_per_100ms']['median']:.2%}",
        )
    out.print(table)
    for basis in sorted({group["slope_basis"] for group in told["groups"]}):
        groups = (group for group in told["groups"] if group["slope_basis"] == basis)
        own = [group["name"] or "(none)" for group in groups]
        out.print(f"slope of {', '.join(own)}: {basis}", markup=False, soft_wrap=True)
    segments = Table(box=box.SIMPLE, caption="gain: all segments at their own 10 % quantile")
    segments.add_column("segment")
    for name in ("weight", "share of time", "floor ms", "gain USD a year", "90 %"):
        segments.add_column(name, justify="right", no_wrap="%" in name)
    for each in told["weights"]:
        segments.add_row(
            each["segment"],
            f"{each['weight']:.1%}",
            f"{each['time_share']:.1%}",
            f"{each['floor_ms']:,.3f}",
            _three(each["gain_usd_per_year"]),
            f"{_three(each['gain_low_usd_per_year'])} to {_three(each['gain_high_usd_per_year'])}",
        )
    out.print(segments)
    for why, names in (
        ("of unknown value", told["unknown"]),
        ("too small for the sample", told["unsampled"]),
    ):
        if names:
            listed = ", ".join(escape(name or "(none)") for name in names)
            out.print(f"{why}, in no figure: {listed}")


@vram_app.command("curve")
def curve(
    by: ByOption = "channel",
    window: WindowOption = "24h",
    until: UntilOption = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the expected revenue velocity of each group at other latencies, with its band."""
    told = _model(by, window, until, config, url)
    if as_json:
        print_json(
            {
                "version": told["version"],
                "lineage": told["lineage"],
                "curves": {group["name"]: group["curve"] for group in told["groups"]},
            }
        )
        return
    out = Console(highlight=False)
    _render_lineage(out, told)
    for group in told["groups"]:
        table = Table(box=box.SIMPLE, title=escape(group["name"] or "(none)"), title_justify="left")
        for name in ("shift ms", "USD a second", "90 %", "USD a year against now", "90 %"):
            table.add_column(name, justify="right", no_wrap="%" in name)
        for point in group["curve"]:
            erv, change = point["erv_usd_per_s"], point["change_usd_per_year"]
            table.add_row(
                f"{point['shift_ms']:+g}",
                f"{erv['median']:,.5g}",
                f"{erv['low']:,.5g} to {erv['high']:,.5g}",
                _three(change["median"]),
                f"{_three(change['low'])} to {_three(change['high'])}",
            )
        out.print(table)


@vram_app.command("models")
def models(config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """List every version of the model with what it was made of."""
    from dashboard.cli.client import ApiClient
    from dashboard.units import utc_iso

    with ApiClient.open(load(config).settings, url) as api:
        found = api.get("/api/v1/vram/models")
    if as_json:
        print_json(found)
        return
    out = Console(highlight=False, soft_wrap=True, markup=False)
    for each in found["models"]:
        lineage = each["lineage"]
        out.print(
            f"{each['version']}: {utc_iso(each['computed_ns'])}Z, by {lineage['dimension']}, "
            f"{lineage['decisions']} decisions, {lineage['slope']}"
        )
    if not found["models"]:
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
        out = Console(highlight=False, soft_wrap=True, markup=False)
        out.print(f"{model['status']}: {model['reason']}")
        out.print(f"decisions: {model['decisions']} in {model['minutes']} minutes")
        _render_instruments(out, model)
        if model["decisions_needed"]:
            out.print(f"more decisions needed: {model['decisions_needed']:,}")
        per_100ms = model["median_per_ns"] * 1e8
        out.print(f"in use: {per_100ms:.3%} of the value per 100 ms, by {model['source']}")
    raise typer.Exit(0 if model["source"] == "estimate" else 1)


def _render_instruments(out: Console, model: dict[str, Any]) -> None:
    """Show what each instrument says by itself, shown or not: where they part, nothing is used."""
    for name, what in (("backend", "jitter of the back end"), ("injection", "randomised delay")):
        slope, error = model[f"{name}_per_ms"], model[f"{name}_se"]
        if slope is None or error is None:
            out.print(f"by the {what}: it does not vary, or nothing was earned")
        else:
            out.print(f"by the {what}: {slope * 100:+.3%} per 100 ms, error {error * 100:.3%}")


def _model(
    by: str, window: str, until: str, config: Path | None, url: str | None
) -> dict[str, Any]:
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        return api.post("/api/v1/vram/model", {"window": window, "until": until, "dimension": by})


def _render_lineage(out: Console, told: dict[str, Any]) -> None:
    lineage = told["lineage"]
    out.print(
        f"model {told['version']}: {lineage['decisions']} decisions, {lineage['sampled']} of them "
        f"replayed, over {span_of_time(lineage['counted_s'] * 1e9)}; {lineage['slope']}",
        markup=False,
        soft_wrap=True,
    )


def _three(value: float) -> str:
    """Return three digits that count: a figure with such an interval has no more."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"

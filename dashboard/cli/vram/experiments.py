"""I/O: `millworth vram experiments`: delays that are injected on purpose, and what they find."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attribution.core.money import currency, digits
from collector.core.errors import InputError
from collector.core.http.path import path_part
from dashboard.cli.console import print_table
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings.settings import load
from dashboard.settings.user import user_name
from dashboard.units import span_of_time, utc_iso

experiments_app = typer.Typer(
    help="Delays that are injected on purpose: the proof of what a millisecond is worth.",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="Name of the experiment.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who asks, for the audit; by default this user.")
]
_ARM = re.compile(r"([a-z0-9._-]+)=([0-9.]+)(%?):([0-9.]+)(?:ms)?")


@experiments_app.command("register")
def register(
    name: NameArgument,
    arm: Annotated[
        list[str],
        typer.Option(
            "--arm",
            help="A delayed arm, such as slow40=5%:40ms; repeatable. The rest is the control.",
        ),
    ],
    budget: Annotated[
        str, typer.Option(help="Amount that may be at risk in all; then it is stopped.")
    ],
    owner: Annotated[str, typer.Option(help="Who answers for it.")],
    lasts: Annotated[str, typer.Option(help="Its length: a number and m, h or d.")] = "14d",
    begins: Annotated[str, typer.Option(help="Its start, ISO 8601; by default now.")] = "",
    action: Annotated[list[str] | None, typer.Option(help="Only this action; repeatable.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="Only this region; repeatable.")] = None,
    cohort: Annotated[list[str] | None, typer.Option(help="Only this cohort; repeatable.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel.")] = None,
    offer_type: Annotated[list[str] | None, typer.Option(help="Only this offer type.")] = None,
    purpose: Annotated[str, typer.Option(help="What it is to show.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what to expect, and register nothing.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a randomised delay; services that use `DelayInjector` begin within a second.

    It ends by its date, when the budget is spent, when the arms get other shares than these, or by
    `millworth vram experiments stop`. The plan says how many decisions it takes to see the effect
    that the prior names, and what that puts at risk.
    """
    from dashboard.cli.client import ApiClient

    body = {
        "name": name,
        "owner": owner,
        "purpose": purpose,
        "arms": [_arm(each) for each in arm],
        "begins": begins,
        "lasts": lasts,
        "budget_usd": budget,
        "actor": by or user_name(),
        "dry_run": dry_run,
    } | {
        target: values
        for target, values in (
            ("action", action), ("region", region), ("cohort", cohort), ("channel", channel),
            ("offer_type", offer_type),
        )
        if values
    }  # fmt: skip
    with ApiClient.open(load(config).settings, url) as api:
        found = api.post("/api/v1/experiments", body)
    if as_json:
        print_json(found)
        return
    _render_plan(_console(), found)


@experiments_app.command("list")
def list_experiments(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List every experiment and whether it runs."""
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = api.get("/api/v1/experiments")
    if as_json:
        print_json(found)
        return
    out = _console()
    for each in found["experiments"]:
        out.print(_line(each["state"], each["experiment"]))
    if not found["experiments"]:
        out.print("no experiment; register one with millworth vram experiments register")
    if not found["is_enabled"]:
        out.print("attribution.experiments.enabled is false: nothing is delayed, whatever runs")


@experiments_app.command("show")
def show(
    name: NameArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an experiment did: its arms, its budget, and what its delays cost.

    Exit 1 where the arms have other shares than were registered: nothing it says can be believed.
    """
    from dashboard.cli.client import ApiClient

    with ApiClient.open(load(config).settings, url) as api:
        found = api.get(f"/api/v1/experiments/{path_part(name)}")
    ratio = found["measured"]["sample_ratio"]
    is_wrong = ratio["evidence"] >= 1000
    if as_json:
        print_json(found)
    else:
        _render(_console(), found, is_wrong=is_wrong)
    raise typer.Exit(1 if is_wrong else 0)


@experiments_app.command("stop")
def stop(
    name: NameArgument,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "stopped by hand",
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an experiment now and for good: services stop within a second, delays in flight too."""
    from dashboard.cli.client import ApiClient

    body = {"actor": by or user_name(), "reason": reason}
    with ApiClient.open(load(config).settings, url) as api:
        found = api.post(f"/api/v1/experiments/{path_part(name)}/stop", body)
    if as_json:
        print_json(found)
    else:
        _console().print(_line("stopped", found))


def _arm(text: str) -> dict[str, Any]:
    match = _ARM.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        share, delay_ms = float(match[2]) / (100 if match[3] else 1), float(match[4])
        if not math.isfinite(share + delay_ms):  # a text of 400 digits
            raise ValueError(text)
        return {"name": match[1], "share": share, "delay_ms": delay_ms}
    except ValueError as error:
        raise InputError(
            f"--arm {text[:60]!r}: give NAME=SHARE:DELAY, such as slow40=5%:40ms"
        ) from error


def _line(state: str, experiment: dict[str, Any]) -> str:
    arms = ", ".join(
        f"{arm['name']} {arm['share']:.4g} of them +{arm['delay_ms']:g} ms"
        for arm in experiment["arms"]
        if arm["delay_ms"]
    )
    targets = (
        "; ".join(f"{k} {', '.join(v)}" for k, v in experiment["targets"].items()) or "everybody"
    )
    line = (
        f"{experiment['name']}: {state}; {arms}; {targets}; {utc_iso(experiment['from_ns'])} to "
        f"{utc_iso(experiment['to_ns'])}; budget {digits(experiment['budget_usd'])} {currency()}; "
        f"{experiment['owner']}"
    )
    if experiment["stopped_ns"]:
        line += (
            f"\n  stopped {utc_iso(experiment['stopped_ns'])} by {experiment['stopped_by']}: "
            f"{experiment['stop_reason']}"
        )
    return line


def _render_plan(out: Console, answer: dict[str, Any]) -> None:
    out.print(_line("registered" if answer["is_registered"] else "would be", answer["experiment"]))
    plan = answer["plan"]
    needed, days, risk = plan["decisions_needed"], plan["days_needed"], plan["at_risk_usd"]
    out.print(
        f"decisions a day: {plan['decisions_per_day']:,}; needed: "
        f"{'unknown' if needed is None else f'{needed:,}'}"
        f"{'' if days is None else f', in about {span_of_time(days * 86_400e9)}'}"
    )
    out.print(
        "at risk over its whole time, at most: "
        f"{'unknown' if risk is None else f'{risk} {currency()}'}, "
        f"with a budget of {digits(answer['experiment']['budget_usd'])} {currency()}"
    )
    out.print(f"by: {plan['basis']}")


def _render(out: Console, answer: dict[str, Any], *, is_wrong: bool) -> None:
    measured, ratio = answer["measured"], answer["measured"]["sample_ratio"]
    out.print(_line(answer["state"], answer["experiment"]))
    table = Table(box=box.SIMPLE)
    table.add_column("arm", no_wrap=True)
    for title in ("delay ms", "mean seen", "share", "seen", "decisions"):
        table.add_column(title, justify="right")
    for arm in measured["arms"]:
        observed, mean = arm["share_observed"], arm["delay_ms_mean"]
        table.add_row(
            escape(arm["name"]),
            f"{arm['delay_ms']:g}",
            "unknown" if mean is None else f"{mean:.2f}",
            f"{arm['share']:.2%}",
            "unknown" if observed is None else f"{observed:.2%}",
            f"{arm['decisions']:,}",
        )
    print_table(out, table)
    if ratio["chi2"] is None:
        out.print("no decision is in it yet")
    else:
        verdict = "WRONG: believe nothing of it" if is_wrong else "as registered, so far"
        out.print(
            f"sample ratio: {verdict}; chi-square {ratio['chi2']:.2f}, p {ratio['p_value']:.3g} of "
            f"this one look at {sum(ratio['observed']):,} draws (a unit counts once a minute)"
        )
    if ratio["unregistered"]:
        out.print(
            f"decisions in an arm that is not registered, used for nothing: "
            f"{ratio['unregistered']:,}"
        )
    if ratio["undrawn"]:
        out.print(
            f"draws of another arm or delay than Millworth drew, used for nothing: "
            f"{ratio['undrawn']:,} of the newest {ratio['newest']:,}"
        )
    out.print(
        f"at risk so far: {digits(measured['at_risk_usd'])} of "
        f"{digits(answer['experiment']['budget_usd'])} {currency()} ({answer['at_risk_basis']})"
    )
    if measured["unvalued"]:
        out.print(f"delayed decisions of unknown value, in no amount: {measured['unvalued']:,}")
    loss, estimate = answer["loss"], answer["estimate"]
    if not estimate["n"]:
        out.print(
            f"outcomes are known of decisions until {utc_iso(answer['outcomes_until_ns'])} "
            "(attribution.outcome_delay_s): none of its own yet"
        )
        return
    if loss is None:
        out.print("what the delays cost: the arms cannot tell")
    else:
        out.print(
            f"what the delays cost, by its arms alone: {digits(loss['usd'])} {currency()}, 95 % "
            f"{digits(loss['low_usd'])} to {digits(loss['high_usd'])}, in {loss['outcome']} of "
            f"{loss['decisions']:,} decisions"
        )
    out.print(f"slope: {estimate['status']}; {estimate['reason']}")


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, markup=False)

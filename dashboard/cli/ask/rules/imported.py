"""I/O: `millworth rules import`: rules of other tools, as lines of millworth.toml, with a score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attribution.core.money import currency, digits
from dashboard.cli.ask.rules.waiting import with_bar
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, plain, print_columns
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption, finite
from dashboard.units import exact_digits

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Files of Prometheus, Sloth, Pyrra or OpenSLO v1.")
]
ServiceOption = Annotated[
    str, typer.Option("--service", help="Service (service.name) of rules that name none.")
]
LastOption = Annotated[str, typer.Option(help="How far back: a number and m, h or d.")]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget-usd",
        callback=finite,
        help="Loss allowed in 30 days to the decisions of each rule; by default a thousandth of "
        "what they are worth.",
    ),
]
ScoreOption = Annotated[
    bool, typer.Option("--score/--no-score", help="Hold them against what is stored.")
]


def import_rules(
    files: FilesArgument,
    service: ServiceOption = "",
    last: LastOption = "7d",
    budget_usd: BudgetOption = None,
    score: ScoreOption = True,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map rules of other tools onto rules of kind `slo`, and score them on what is stored.

    Prints lines for millworth.toml, why each other rule cannot be mapped, and pages a week, dollars
    caught and missed beside a dollar rule. Exit 1 where no rule could be mapped.
    """
    # The engine of rules takes a quarter of a second to load.
    from alerts.replay.trial.run import read_text

    body: dict[str, Any] = {
        "files": [{"name": str(file), "text": read_text(file)} for file in files],
        "service": service,
        "last": last,
        "scored": score,
        "budget_usd": budget_usd,
    }
    if not score:
        answer = _mapped_here(body)
        show_imported(answer, as_json=as_json)
    else:
        with asking(config, url) as api:
            answer = asked(api, body, as_json=as_json)
        show_imported(answer, as_json=as_json)
    raise typer.Exit(int(not any(each["rules"] for each in answer["found"])))


def asked(api: Api, body: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Return the answer of the service, with a bar on a terminal until it is there."""

    def ask(ticket: str) -> dict[str, Any]:
        return api.post("/api/v1/rules/import", {**body, "ticket": ticket})

    return with_bar(api, "scoring on what is stored", ask, as_json=as_json)


def show_imported(answer: dict[str, Any], *, as_json: bool) -> None:
    """Print what was found in the files, and the scores."""
    if as_json:
        print_json(answer)
        return
    rules = answer["found"]
    for each in rules:
        if each["toml"]:
            OUT.print(each["toml"])
    refused = [each for each in rules if not each["rules"]]
    for each in refused:
        where = f"{plain(each['file'])}:{each['line']}: {plain(each['name'])}"
        OUT.print(f"# not mapped: {where}: {plain(each['reason'])}")
    mapped = len(rules) - len(refused)
    OUT.print(f"# {mapped} of {len(rules)} rules are mapped")
    if answer["scores"]:
        _print_scores(answer["scores"])
    if answer["not_scored"]:
        OUT.print(f"# not scored: {', '.join(answer['not_scored'])}; import fewer at a time")


def _columns() -> tuple[str, ...]:
    return (
        "rule", "alerts/week", "worth it", f"caught {currency()}", f"missed {currency()}",
        "lost before", "after s", "earlier s", "services",
    )  # fmt: skip


def _print_scores(scores: list[dict[str, Any]]) -> None:
    rows: list[list[str]] = []
    for each in scores:
        services = ", ".join(map(plain, each["services"])) or "none answers"
        rows.append([each["rule"], *_cells(each["imported"]), services])
        if each["proposal"] is not None:
            budget = f"{digits(each['budget_usd'])} {currency()} in 30 d"
            rows.append([f"  dollar burn, {budget}", *_cells(each["proposal"]), ""])
    print_columns(_columns(), rows)


def _cells(score: dict[str, Any]) -> list[str]:
    share = score["actionable_share"]
    usd = (score[key] for key in ("caught_usd", "missed_usd", "lost_before_usd"))
    seconds = (score[key] for key in ("delay_p50_s", "earlier_p50_s"))
    return [
        f"{score['alerts_per_week']:.1f}",
        "-" if share is None else f"{share:.0%}",
        *map(exact_digits, usd),
        *("-" if each is None else f"{each:,.0f}" for each in seconds),
    ]


def _mapped_here(body: dict[str, Any]) -> dict[str, Any]:
    """Return what the service would answer without scores, without asking it."""
    import dataclasses

    from alerts.rules.imports.read import RuleFile, read_rules
    from dashboard.api.alerts.imported import imported_rule

    files = [RuleFile(each["name"], each["text"]) for each in body["files"]]
    rules = [dataclasses.asdict(imported_rule(each)) for each in read_rules(files, body["service"])]
    return {"found": rules, "scores": [], "not_scored": []}

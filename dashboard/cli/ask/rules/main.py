"""I/O: `millworth rules`: which there are, what they would have done, and who lets them page."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from attribution.core.money import currency, digits
from collector.core.http.path import path_part
from dashboard.cli.ask.alerts.options import ByOption, ReasonOption, actor
from dashboard.cli.ask.rules.imported import import_rules
from dashboard.cli.ask.rules.trial import run_tests
from dashboard.cli.ask.rules.waiting import with_bar
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, plain, print_columns
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import counted, utc_iso, utc_text

NameArgument = Annotated[str, typer.Argument(help="Name of the rule, as `list` prints it.")]

rules_app = typer.Typer(
    help="Rules of alerts: their record, what they would have done, and who lets them page.",
    no_args_is_help=True,
)
rules_app.command("test")(run_tests)
rules_app.command("import")(import_rules)


@rules_app.command("list")
def list_rules(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List every rule: live, or in shadow, where its alerts are recorded and go to nobody."""
    with asking(config, url) as api:
        show_rules(api, as_json=as_json)


@rules_app.command("promote")
def promote(
    name: NameArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Route the alerts of a rule from now on, those that fire already too; print its record."""
    with asking(config, url) as api:
        body = {"reason": reason, "actor": actor(by)}
        show_settled(api, name, "promote", body, as_json=as_json)


@rules_app.command("demote")
def demote(
    name: NameArgument,
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a rule back into shadow: it is evaluated and recorded, and goes to nobody."""
    with asking(config, url) as api:
        body = {"reason": reason, "actor": actor(by)}
        show_settled(api, name, "demote", body, as_json=as_json)


@rules_app.command("replay")
def replay(
    last: Annotated[str, typer.Option(help="How far back: a number and m, h or d.")] = "7d",
    rule: Annotated[str, typer.Option(help="Only this rule.")] = "",
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run rules over what is stored: when each fires, dollars caught and missed.

    An alert is a page or a ticket by its rule. Caught: lost in times with an alert, missed: lost
    faster than the budget allows without one. A rule that was live is compared with what it did.
    Rules of kind slo and threshold know no dollars; the dead man is not replayed, nor thresholds of
    what is not about decisions.
    """
    with asking(config, url) as api:
        show_replay(api, last, rule, as_json=as_json)


def show_rules(api: Api, *, as_json: bool) -> None:
    """Print every rule with its record."""
    found = api.get("/api/v1/rules")
    if as_json:
        print_json(found)
        return
    for rule in found["rules"]:
        OUT.print(_rule_line(rule))
    if any(rule["state"] == "shadow" for rule in found["rules"]):
        OUT.print("`millworth rules promote NAME --reason WHY` routes a rule that is in shadow.")


def show_settled(api: Api, name: str, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Promote or demote a rule, and print its record."""
    found = api.post(f"/api/v1/rules/{path_part(name)}/{verb}", body)
    if as_json:
        print_json(found)
        return
    since = f"since {utc_text(found['first_ns'])}" if found["first_ns"] else "until now"
    OUT.print(
        f"rule {name} is {found['state']}; {since} it fired {found['fired']} times, "
        f"{found['fires']} of them fire now, loss {_loss(found)}"
    )


def show_replay(api: Api, last: str, rule: str, *, as_json: bool) -> None:
    """Print what the rules would have done."""

    def ask(ticket: str) -> dict[str, Any]:
        query = urlencode({"last": last, "rule": rule, "ticket": ticket})
        return api.get(f"/api/v1/rules/replay?{query}")

    found = with_bar(api, "replaying what is stored", ask, as_json=as_json)
    if as_json:
        print_json(found)
        return
    for report in found["reports"]:
        _print_report(report)
    if found["not_replayed"]:
        names = ", ".join(found["not_replayed"])
        OUT.print(
            f"not replayed: {names}; what was known of them at an instant is not stored, they "
            "prove themselves in shadow"
        )


def _print_report(report: dict[str, Any]) -> None:
    share = report["actionable_share"]
    OUT.print(
        f"{report['rule']} ({report['severity']}), "
        f"{utc_iso(report['from_ns'])[:16]} to {utc_iso(report['to_ns'])[:16]} UTC"
    )
    OUT.print(
        f"  {counted(len(report['pages']), 'alert')}, {report['pages_per_week']:.1f} a week"
        + ("" if share is None else f", {share:.0%} of them about 2 % of the budget or more")
    )
    if report["caught_usd"] is not None:
        OUT.print(
            f"  {currency()} caught {digits(report['caught_usd'])}, "
            f"missed {digits(report['missed_usd'])}, "
            f"within the budget {digits(report['within_usd'])}"
        )
    if report["live_transitions"] is not None:
        OUT.print(
            f"  it really made {report['live_transitions']} transitions; the replay makes "
            f"{report['equal_transitions']} of them"
        )
    if report["lead_p50_s"] is not None:
        OUT.print(
            f"  first alert of a loss {_minutes(report['delay_p50_s'])} after it began and "
            f"{_minutes(report['lead_p50_s'])} before it ended (medians)"
        )
    if report["pages"]:
        print_columns(_page_columns(), [_page_cells(page) for page in report["pages"]], texts=2)
    for stretch in report["silent"][:_SILENT_MAX]:
        seconds = (stretch["ended_ns"] - stretch["began_ns"]) / 1e9
        OUT.print(
            f"  missed: {_subject(stretch)} from {utc_text(stretch['began_ns'])}, "
            f"{_minutes(seconds)}, {digits(stretch['lost_usd'])} {currency()}"
        )


_SILENT_MAX = 10


def _page_columns() -> tuple[str, ...]:
    return (
        "  fired", "class", "lasted", "after", "lead", f"lost {currency()}", "before",
        "slowest decisions", "why",
    )  # fmt: skip


def _page_cells(page: dict[str, Any]) -> list[str]:
    fired_ns, ends_ns = page["fired_ns"], page["resolved_ns"]
    from_ns, to_ns = page["began_ns"], page["ended_ns"]
    lost_usd = page["lost_usd"], page["lost_before_usd"]
    return [
        f"  {utc_iso(fired_ns)[:19]}",
        _subject(page),
        "fires" if ends_ns is None else _minutes((ends_ns - fired_ns) / 1e9),
        "-" if from_ns is None else _minutes(max(0, fired_ns - from_ns) / 1e9),
        "-" if to_ns is None else _minutes(max(0, to_ns - fired_ns) / 1e9),
        *("-" if each is None else digits(each) for each in lost_usd),
        ", ".join(plain(each) for each in page["exemplars"]) or "-",
        page["reason"].split(";")[0],
    ]


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def _rule_line(rule: dict[str, Any]) -> str:
    since = f"since {utc_iso(rule['first_ns'])[:16]}" if rule["first_ns"] else "not evaluated yet"
    return (
        f"{rule['name']} {rule['kind']} {rule['severity']}, {rule['state']}, {since}: fired "
        f"{rule['fired']:,} times, {rule['fires']:,} of them fire now, "
        f"loss {_loss(rule)}"
    )


def _loss(rule: dict[str, Any]) -> str:
    return "unknown" if rule["loss_usd"] is None else f"{digits(rule['loss_usd'])} {currency()}"


def _subject(row: dict[str, Any]) -> str:
    action, region = plain(row["action"]), plain(row["region"])
    return f"{action or '(no action)'}/{region or '(no region)'}"

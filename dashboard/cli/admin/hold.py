"""I/O: `millworth hold`: rows that no TTL removes while a person says so."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from collector.core.http.path import path_part
from collector.core.times import instant_ns
from dashboard.cli.client import asked, asking
from dashboard.cli.console import OUT, plain, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.settings.user import user_name
from dashboard.units import utc_text

ByOption = Annotated[
    str | None, typer.Option("--by", help="Who asks, for the audit; by default this user.")
]
NameArgument = Annotated[str, typer.Argument(help="Name of the hold.")]

hold_app = typer.Typer(
    help="Legal holds: keep rows beyond their days. Each act is in the audit table.",
    no_args_is_help=True,
)


@hold_app.command("add")
def add(
    name: NameArgument,
    from_: Annotated[
        str, typer.Option("--from", help="Events since, UTC: 2026-11-01 or 2026-11-01T12:00:00.")
    ],
    to: Annotated[str, typer.Option("--to", help="Events before, likewise; may lie ahead.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the auditor.")],
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", help="Only this table. Repeatable; by default all of them."),
    ] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the rows of a time, those that are still to come too, until the hold is released."""
    body = {
        "name": name,
        "tables": tables or ["*"],
        "from_ns": instant_ns(from_, "--from"),
        "to_ns": instant_ns(to, "--to"),
        "reason": reason,
        "actor": by or user_name(),
    }
    with asking(config, url) as api:
        _print(api.post("/api/v1/holds", body), as_json=as_json)


@hold_app.command("list")
def list_holds(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List every hold, those that were released too."""
    answer = asked("/api/v1/holds", config, url)
    if as_json:
        print_json(answer)
        return
    for hold in answer["holds"]:
        _print(hold, as_json=False)
    if not answer["holds"]:
        OUT.print("no holds")


@hold_app.command("release")
def release(
    name: NameArgument,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a hold: what it kept lapses as [retention] says."""
    body = {"actor": by or user_name()}
    with asking(config, url) as api:
        _print(api.post(f"/api/v1/holds/{path_part(name)}/release", body), as_json=as_json)


def _print(hold: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(hold)
        return
    state = f"released {utc_text(hold['released_ns'])}" if hold["released_ns"] else "in force"
    # As JSON writes it: a name or a reason must not reach a terminal as it is.
    OUT.print(
        f"{plain(hold['name'])}: {state}; {', '.join(hold['tables'])} from "
        f"{utc_text(hold['from_ns'])} to {utc_text(hold['to_ns'])}; "
        f"{quoted(hold['reason'])} ({plain(hold['actor'])})"
    )

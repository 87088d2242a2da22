"""I/O: `millworth alerts dead`: webhooks that were given up, and their way back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dashboard.cli.ask.alerts.options import ByOption, ReasonOption, actor
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import utc_text

dead_app = typer.Typer(
    help="Webhooks that were given up, and their way back.", no_args_is_help=True
)


@dead_app.command("list")
def list_dead(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List the webhooks that were given up, and why. Exit 1 if there is any."""
    with asking(config, url) as api:
        found = show_dead(api, as_json=as_json)
    raise typer.Exit(1 if found else 0)


@dead_app.command("replay")
def replay_dead(
    reason: ReasonOption,
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="Only this webhook. Repeatable.")
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Only of this receiver.")] = "",
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send them again. Exit 1 if any stays: the receiver has a later message of the episode.

    A receiver that answered 410 is tried again too.
    """
    body = {
        "reason": reason,
        "webhook_ids": ids or [],
        "endpoint": endpoint,
        "actor": actor(by),
    }
    with asking(config, url) as api:
        left = show_replays(api, body, as_json=as_json)
    raise typer.Exit(1 if left else 0)


def show_dead(api: Api, *, as_json: bool) -> bool:
    """Print what was given up; return whether there is any."""
    answer = api.get("/api/v1/alerts/dead")
    if as_json:
        print_json(answer)
        return bool(answer["letters"])
    for letter in answer["letters"]:
        at = utc_text(letter["created_ns"])
        OUT.print(
            f"{letter['webhook_id']} {letter['kind']} of {at}: {letter['status']} after "
            f"{letter['attempts']} attempts: {quoted(letter['detail'])}"
        )
    OUT.print(f"{len(answer['letters']):,} given up")
    return bool(answer["letters"])


def show_replays(api: Api, body: dict[str, Any], *, as_json: bool) -> bool:
    """Replay, and print the result of each; return whether any was left alone."""
    answer = api.post("/api/v1/alerts/dead/replay", body)
    replays = answer["replays"]
    if as_json:
        print_json(answer)
    else:
        for each in replays:
            OUT.print(f"{each['webhook_id']}: {each['result']}")
        sent = sum(each["result"] == "pending" for each in replays)
        OUT.print(f"{sent:,} of {len(replays):,} wait to be sent again")
    return any(each["result"] != "pending" for each in replays)

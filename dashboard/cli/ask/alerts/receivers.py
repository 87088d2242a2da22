"""I/O: `millworth alerts try`: a test message to the receivers of alerts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dashboard.cli.ask.alerts.options import ByOption, actor
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, plain
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption


def try_receivers(
    receivers: Annotated[
        list[str] | None,
        typer.Argument(help="Names of webhooks, HOST:PORT of Alertmanagers; by default all."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")] = "a test",
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a signed test message to the receivers now. Exit 1 if one does not take it.

    Webhooks get alert.test, on which a receiver does nothing; Alertmanagers an alert that has
    ended already. A receiver that rested after failures is sent what waits for it at once.
    """
    body = {"receivers": receivers or [], "reason": reason, "actor": actor(by)}
    with asking(config, url) as api:
        is_well = show_trials(api, body, as_json=as_json)
    raise typer.Exit(0 if is_well else 1)


def show_trials(api: Api, body: dict[str, Any], *, as_json: bool) -> bool:
    """Try, and print what each receiver answered; return whether there are some and all took it."""
    answer = api.post("/api/v1/alerts/receivers/try", body)
    trials = answer["trials"]
    if as_json:
        print_json(answer)
    else:
        for each in trials:
            result = "taken" if each["is_taken"] else "not taken"
            said = f"{plain(each['detail'])}, {each['took_ms']:,.0f} ms"
            OUT.print(f"{plain(each['receiver'])} ({each['kind']}): {result}: {said}")
        if not trials:
            OUT.print(
                "no receiver is configured; add [[alerts.webhooks]] or [[alerts.alertmanagers]]"
            )
    return bool(trials) and all(each["is_taken"] for each in trials)

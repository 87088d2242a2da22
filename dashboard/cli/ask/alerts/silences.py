"""I/O: `millworth alerts silence|unsilence|silences`: hide alerts for a time, now or later."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from attribution.core.money import exact
from dashboard.cli.ask.alerts.options import ByOption, ReasonOption, actor, said
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, plain, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import counted, utc_text

_SHOWN_MAX = 20  # of a preview; the sums are over all


def silence(
    matchers: Annotated[
        list[str],
        typer.Argument(
            help="NAME=VALUE, all of which hold; = may be !=, =~ or !~. NAME is rule, action, "
            "region, severity or blamed (stage/class)."
        ),
    ],
    reason: ReasonOption = "",
    duration: Annotated[str, typer.Option("--for", help="How long: a number and m, h or d.")] = "",
    starts: Annotated[
        str, typer.Option("--from", help="ISO 8601; by default now. Later: a maintenance window.")
    ] = "",
    ends: Annotated[str, typer.Option("--to", help="ISO 8601, in place of --for.")] = "",
    zone: Annotated[
        str, typer.Option(help="IANA zone of --from and --to without an offset: Europe/Berlin.")
    ] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it would hide, and make none.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hide alerts for a time: they are evaluated and recorded, and go to no receiver.

    What it hides now, and would have hidden in the last seven days, is printed with its dollars.
    What fires still when it ends goes out then.
    """
    body = {
        "matchers": matchers,
        "reason": reason if preview else said(reason),
        "starts": starts,
        "ends": ends,
        "duration": duration,
        "zone": zone,
        "actor": actor(by),
    }
    with asking(config, url) as api:
        show_silence(api, body, preview=preview, as_json=as_json)


def unsilence(
    number: Annotated[int, typer.Argument(help="Number of the silence.")],
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a silence now; what fires still goes out."""
    with asking(config, url) as api:
        ended = api.post(f"/api/v1/silences/{number}/end", {"reason": reason, "actor": actor(by)})
        print_silence(ended, as_json=as_json)


def silences(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List the silences that hold, are to come, or ended in the last 30 days."""
    with asking(config, url) as api:
        answer = api.get("/api/v1/silences")
    if as_json:
        print_json(answer)
        return
    for each in answer["silences"]:
        print_silence(each, as_json=False)
    OUT.print(f"{sum(each['state'] == 'holds' for each in answer['silences'])} hold")


def show_silence(api: Api, body: dict[str, Any], *, preview: bool, as_json: bool) -> None:
    """Preview a silence, make it unless only that was asked for, and print both."""
    hides = api.post("/api/v1/silences/preview", {"matchers": body["matchers"]})
    made = None if preview else api.post("/api/v1/silences", body)
    if as_json:
        print_json({"preview": hides, "silence": made})
        return
    for key, when in (("now", "hides now"), ("past", "in the last 7 days")):
        alerts = hides[key]
        for alert in alerts[:_SHOWN_MAX]:
            OUT.print(f"{when}: {_hidden(alert)}")
        OUT.print(
            f"{when}: {counted(len(alerts), 'alert')}, {_sum_of(alerts, hides[f'{key}_usd'])}"
        )
    if not hides["now"] and not hides["past"]:
        OUT.print(
            "no alert of the last 7 days is of these names: where one is misspelt, nothing will be "
            "hidden (`millworth rules list` has the rules, `millworth alerts list` the rest)"
        )
    if made is not None:
        print_silence(made, as_json=False)


def _sum_of(alerts: list[dict[str, Any]], known_usd: str) -> str:
    """Return what alerts lost; what nobody knows is no zero, and is counted."""
    unknown = sum(alert["loss_usd"] is None for alert in alerts)
    known = "" if alerts and unknown == len(alerts) else exact(known_usd)
    said = f"{unknown:,} of unknown cost" if unknown else ""
    return ", ".join(part for part in (known, said) if part)


def _hidden(alert: dict[str, Any]) -> str:
    loss = alert["loss_usd"]
    usd = "unknown cost" if loss is None else exact(loss)
    where = "/".join(plain(alert[key]) for key in ("action", "region") if alert[key])
    since = utc_text(alert["at_ns"])
    return f"{since} {alert['severity']} {alert['rule']} {where or 'all data'}, {usd}"


def print_silence(each: dict[str, Any], *, as_json: bool) -> None:
    """Print one silence as `/api/v1/silences` has it."""
    if as_json:
        print_json(each)
        return
    matchers = " ".join(plain(text) for text in each["matchers"])
    ended = ""
    if each["ended_by"]:
        planned = f" in place of {utc_text(each['planned_ns'])}" if each["planned_ns"] else ""
        why = f" ({quoted(each['end_reason'])})" if each["end_reason"] else ""
        ended = f", ended by {plain(each['ended_by'])}{planned}{why}"
    OUT.print(
        f"silence {each['id']} {each['state']}: {matchers}, {utc_text(each['starts_ns'])} to "
        f"{utc_text(each['ends_ns'])}, by {plain(each['actor'])}{ended}: "
        f"{quoted(each['reason'])}"
    )

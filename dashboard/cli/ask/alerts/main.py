"""I/O: `millworth alerts`: what fires, and what people do about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alerts.rows import failing_text
from alerts.state.retry import Rest
from attribution.core.money import exact
from collector.core.errors import InputError
from collector.core.http.path import path_part
from dashboard.cli.ask.alerts.dead import dead_app
from dashboard.cli.ask.alerts.known import known_lines
from dashboard.cli.ask.alerts.options import ByOption, actor
from dashboard.cli.ask.alerts.receivers import try_receivers
from dashboard.cli.ask.alerts.silences import silence, silences, unsilence
from dashboard.cli.client import Api, asking
from dashboard.cli.console import OUT, plain, quoted
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.read.alerts.counts import Counts
from dashboard.read.alerts.rows import FIRING_STATES, OPEN_STATES
from dashboard.read.alerts.timeline import rest_text
from dashboard.read.alerts.wording import after
from dashboard.units import UNKNOWN, counted, utc_text, without_text

EpisodeArgument = Annotated[str, typer.Argument(help="Episode of the alert, as `list` prints it.")]
CommentOption = Annotated[str, typer.Option("--comment", "-m", help="Kept with the alert.")]

alerts_app = typer.Typer(help="Alerts, and what people do about them.", no_args_is_help=True)


@alerts_app.command("list")
def list_alerts(
    config: ConfigOption = None, url: UrlOption = None, as_json: JsonOption = False
) -> None:
    """List what fires now, the dearest first, and alerts of others. Exit 1 if any fires or cools.

    What it costs is as of now, as the pages have it; where the store is away, as of the last change
    of each. Alerts in shadow, silenced ones and those of which nobody knows (unknown) are listed,
    and alone exit 0.
    """
    with asking(config, url) as api:
        fires = show_open(api, as_json=as_json)
    raise typer.Exit(1 if fires else 0)


@alerts_app.command("show")
def show(
    episode: EpisodeArgument,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one alert: what it and its incident cost, what to do, every change, who was told."""
    with asking(config, url) as api:
        show_history(api, episode, as_json=as_json)


@alerts_app.command("ack")
def ack(
    episode: EpisodeArgument,
    comment: CommentOption = "",
    actionable: Annotated[
        bool,
        typer.Option(
            "--actionable",
            help="There was something to do; it feeds millworth_alerts_actionable_ratio.",
        ),
    ] = False,
    not_actionable: Annotated[
        bool, typer.Option("--not-actionable", help="There was nothing to do.")
    ] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an alert. Again, it answers whether there was something to do."""
    if actionable and not_actionable:
        raise InputError("--actionable and --not-actionable are the opposite; give one")
    answer = True if actionable else False if not_actionable else None
    body = {"comment": comment, "is_actionable": answer, "actor": actor(by)}
    with asking(config, url) as api:
        _noted(api, episode, "ack", body, as_json=as_json)


@alerts_app.command("comment")
def comment(
    episode: EpisodeArgument,
    comment: CommentOption,
    by: ByOption = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a comment to an alert."""
    body = {"comment": comment, "actor": actor(by)}
    with asking(config, url) as api:
        _noted(api, episode, "comment", body, as_json=as_json)


alerts_app.command("silence")(silence)
alerts_app.command("unsilence")(unsilence)
alerts_app.command("silences")(silences)
alerts_app.command("try")(try_receivers)
alerts_app.add_typer(dead_app, name="dead")


def show_open(api: Api, *, as_json: bool) -> bool:
    """Print what fires; return whether anything does that reaches people."""
    answer = api.get("/api/v1/alerts/open")
    alerts, external = answer["alerts"], answer["external"]
    fires = bool(external) or any(map(_reaches_people, alerts))
    if as_json:
        print_json(answer)
        return fires
    for incident in answer["incidents"]:
        own = [each for each in alerts if each["incident_id"] == incident["incident_id"]]
        if len(own) > 1:
            OUT.print(_incident(incident))
        for alert in own:
            OUT.print(("  " if len(own) > 1 else "") + _line(alert))
    for other in external:
        # As JSON writes them: a sender's text must not reach a terminal as it is.
        since = utc_text(other["starts_ns"])
        OUT.print(f"external since {since}: {quoted(other['labels'])}")
    OUT.print(f"{Counts(**answer['counts']).text}, and {len(external):,} of others")
    if answer["as_of_ns"] is not None:
        at_risk, lost = _dollars(answer["at_risk"]), _dollars(answer["lost"])
        # Where nothing evaluates any more, these are figures of another hour.
        as_of = f"as of {utc_text(answer['as_of_ns'])}"
        missing = without_text(max((each["now_missing_ns"] for each in alerts), default=0))
        OUT.print(
            f"counted once each, {as_of}{missing}: {at_risk} an hour at risk, {lost} lost so far"
        )
    return fires


def show_history(api: Api, episode: str, *, as_json: bool) -> None:
    """Print one alert."""
    answer = api.get(f"/api/v1/alerts/{path_part(episode)}")
    report = api.get(f"/api/v1/alerts/{path_part(episode)}/report")
    if as_json:
        print_json({**answer, "report": report})
        return
    alert = answer["alert"]
    lost = "" if alert["lost_usd"] is None else f", lost {exact(alert['lost_usd'])}"
    OUT.print(_line(alert) + lost)
    for line in known_lines(report):
        OUT.print(line)
    for event in answer["events"]:
        changed = f"{event['from_state']} -> {event['to_state']}"
        OUT.print(f"{utc_text(event['at_ns'])} {changed}: {plain(event['reason'])}")
    for sent in reversed(answer["messages"]):
        to = f"{sent['kind']} to {plain(sent['endpoint'])}: {sent['status']}"
        said = f": {plain(sent['detail'])}" if sent["detail"] else ""
        if sent["rest"]:
            rest = rest_text(Rest(**sent["rest"]), answer["as_of_ns"], utc_text)
            said += f"; {plain(rest)}"
        OUT.print(f"{utc_text(sent['at_ns'])} {to}, attempts: {sent['attempts']}{said}")
    for note in answer["notes"]:
        OUT.print(_note(note))
    for each in answer["silences"]:
        until = utc_text(each["ends_ns"])
        OUT.print(f"hidden by silence {each['id']} until {until}: {quoted(each['reason'])}")


def _noted(api: Api, episode: str, kind: str, body: dict[str, Any], *, as_json: bool) -> None:
    note = api.post(f"/api/v1/alerts/{path_part(episode)}/{kind}", body)
    if as_json:
        print_json(note)
    else:
        OUT.print(_note(note))


def _incident(incident: dict[str, Any]) -> str:
    head = f"incident {incident['incident_id']}: {counted(incident['alerts'], 'alert')}"
    since = f"since {utc_text(incident['started_ns'])}"
    if incident["lost"] is None:
        return f"{head}, {since}"
    at_risk, lost = _dollars(incident["at_risk"]), _dollars(incident["lost"])
    return f"{head}, {at_risk} an hour at risk, {lost} lost, {since}"


def _reaches_people(alert: dict[str, Any]) -> bool:
    is_told = not alert["is_shadow"] and not alert["people"]["silenced"]
    return alert["state"] in FIRING_STATES and is_told


def _line(alert: dict[str, Any]) -> str:
    where = "/".join(plain(alert[key]) for key in ("action", "region") if alert[key])
    ack, silenced = alert["people"]["ack"], alert["people"]["silenced"]
    owned = alert["owned"]
    explained = owned is not None and owned["explained_by"]
    parts = [
        f"{alert['episode_id']} {alert['severity']} {alert['rule']} {where or 'all data'}",
        alert["state"],
        "shadow: pages nobody" if alert["is_shadow"] else "",
        _cost(alert),
        "" if alert["started_ns"] else "never fired",
        f"since {utc_text(alert['since_ns'])}",
        plain(failing_text(alert["failing_share"], alert["focus"])),
        f"blamed {alert['blamed']}" if alert["blamed"] else "",
        plain(alert["failing_call_text"]),
        plain(alert["slow_call_text"]),
        f"acknowledged by {plain(ack['actor'])}" if ack else "",
        f"hidden by silence {silenced[0]}" if silenced else "",
        f"explained by {plain(owned['explained_by'])}" if explained else "",
    ]
    return ", ".join(part for part in parts if part)


def _cost(alert: dict[str, Any]) -> str:
    """Return what an alert costs: now, else at its last change, which is said so."""
    now, then = alert["now_usd_per_h"], alert["revenue_at_risk_usd_per_h"]
    if alert["state"] not in OPEN_STATES:
        return f"over since {utc_text(alert['at_ns'])}"
    if now is not None:
        return f"{exact(now)}/h{without_text(alert['now_missing_ns'])}"
    if then is None or alert["state"] == "unknown":
        return "unknown cost"
    return f"{exact(then)}/h at its last change {utc_text(alert['at_ns'])}"


def _dollars(of: dict[str, str] | None) -> str:
    if of is None:
        return UNKNOWN
    usd, low, high = (exact(of[name]) for name in ("usd", "low_usd", "high_usd"))
    return f"{usd} ({low} to {high})"


def _note(note: dict[str, Any]) -> str:
    answers = {True: ", something to do", False: ", nothing to do", None: ""}
    said = f"{note['kind']} by {plain(note['actor'])}{answers[note['is_actionable']]}"
    return f"{utc_text(note['at_ns'])} {said}{after(quoted(note['text']) if note['text'] else '')}"

"""Pure: one alert as Markdown, to be put into a ticket or a review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from dashboard.read.alerts.delays import delays_text
from dashboard.read.alerts.detail import AlertDetail, Companion, rate_of_when
from dashboard.read.alerts.rows import OPEN_STATES
from dashboard.read.alerts.wording import after, companion_dollars, incident_of, packets_of
from dashboard.units import UNKNOWN, ms, percent, usd, utc_iso, without_text
from dashboard.units import markdown_text as plain


def markdown(alert: AlertDetail, now_ns: int) -> str:
    """Return the alert as it is known at an instant."""
    lines = [
        f"# {plain(alert.cause)}",
        "",
        *_facts(alert, now_ns),
        "",
        "## Timeline (UTC)",
        "",
    ]
    for moment in reversed(alert.timeline):
        by = f" by {plain(moment.actor)}" if moment.actor else ""
        lines.append(f"- {_at(moment.at_ns)} {moment.kind}{by}: {plain(moment.text)}")
    if alert.exemplars:
        lines += ["", "## Decisions that show it", ""]
        for each in alert.exemplars:
            said = ", failed" if each.is_error else ""
            said += ", with packets" if each.packets else ""
            name = plain(each.decision_id)
            lines.append(f"- {name} at {_at(each.ingress_ns)}: {ms(each.total_ns)}{said}")
    if alert.incident:
        lines += ["", "## Others of the incident", "", *_incident(alert.incident)]
    if alert.unknown:
        lines += ["", "## Not known", "", *(f"- {plain(each)}" for each in alert.unknown)]
    return "\n".join(lines) + "\n"


def _facts(alert: AlertDetail, now_ns: int) -> Iterator[str]:
    shadow = ", shadow: nobody was paged" if alert.is_shadow else ""
    since = f"since {_at(alert.since_ns)}"
    if not alert.is_open:
        since = f"since {_at(alert.at_ns)}; it began {_at(alert.since_ns)}"
    yield f"- State: {alert.state}{shadow}, {since} (as of {_at(now_ns)})"
    yield f"- Rule: {alert.rule} ({alert.severity})"
    ends = alert.low_usd_per_h, alert.high_usd_per_h
    when = rate_of_when(alert, _at) + (without_text(alert.now_missing_ns) if alert.is_now else "")
    over = "nothing, it is over"
    rate = _money(alert.usd_per_h, *ends, f" / h {when}") if alert.is_open else over
    yield f"- At risk: {rate}"
    since = f" since {_at(alert.lost_from_ns)}" if alert.lost_from_ns else ""
    yield "- Lost so far: " + _money(alert.lost_usd, alert.lost_low_usd, alert.lost_high_usd, since)
    if alert.budget_share is not None and alert.budget_usd is not None:
        of = f"{usd(alert.budget_usd)} in {alert.budget_days:g} days"
        yield f"- Share of the budget: {percent(alert.budget_share)} of {of}"
    if suspect := alert.put_down_to(_at):
        yield f"- Cause: {plain(suspect)}"
    yield f"- Why, at {_at(alert.reason_ns)}: {plain(alert.reason)}"
    if alert.explained_by:
        yield f"- Explained by: {plain(alert.explained_by)}"
    if delays := delays_text(alert.delays):
        yield f"- Delayed on purpose: {plain(delays)}"
    if alert.note:
        yield f"- Note of the rule: {plain(alert.note)}"
    if alert.runbook_url:
        yield f"- Runbook: {plain(alert.runbook_url)}"
    if alert.reroute:
        yield f"- Proposed: {plain(alert.reroute)}"
    if alert.ack is not None:
        said = f"{plain(alert.ack.actor)} at {_at(alert.ack.at_ns)}{after(plain(alert.ack.text))}"
        yield f"- Acknowledged by {said}"
    yield f"- Money rests on: basis {alert.basis}, slope {alert.slope_source or UNKNOWN}"
    yield f"- Packets: {packets_of(alert.packets)}"
    if alert.incident_sum is not None:
        yield f"- Incident: {incident_of(alert.incident_sum, _at)}"
    yield f"- Episode: {plain(alert.episode_id)}"


def _incident(companions: Sequence[Companion]) -> Iterator[str]:
    for each in companions:
        where = plain("/".join(name for name in (each.action, each.region) if name) or "all data")
        began = "since" if each.state in OPEN_STATES else "began"
        dollars = companion_dollars(each.usd_per_h, each.lost_usd)
        yield f"- {each.rule} {where}, {each.state}, {dollars}, {began} {_at(each.started_ns)}"


def _money(value: Decimal | None, low: Decimal | None, high: Decimal | None, after: str) -> str:
    if value is None or low is None or high is None:
        return UNKNOWN
    return f"{usd(value)}{after} (90 %: {usd(low)} to {usd(high)})"


def _at(ns: int) -> str:
    return utc_iso(ns)[:19] + "Z"

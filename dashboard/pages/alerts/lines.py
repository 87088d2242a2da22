"""Pure: alerts as lines of a grid, and the columns of that grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from alerts.people.external import ExternalAlert
from alerts.people.silences import Silence
from attribution.core.money import mark
from dashboard.pages.alerts.links import alert_href
from dashboard.pages.charts.intervals import bar_places, interval_text
from dashboard.pages.parts import Component, table
from dashboard.read.alerts.listing import beside, interval_of, rate_of
from dashboard.read.alerts.rows import OPEN_STATES, AlertRow
from dashboard.read.alerts.wording import cause_of
from dashboard.units import UNKNOWN, Zone, shorten, usd

_WHAT = {
    "field": "what",
    "headerName": "Cause",
    "minWidth": 190,
    "flex": 1,
    "wrapText": True,
    "cellRenderer": "AlertLink",
    "tooltipField": "reason",
}
_STATE = {
    "field": "since",
    "headerName": "Since (UTC)",
    "width": 116,
    "cellRenderer": "TagAndLine",
    "cellRendererParams": {"tag": "state", "second": "since"},
    "cellClass": "dated",
}
_OWNER = {
    "field": "owner",
    "headerName": "Who",
    "width": 112,
    "wrapText": True,
    "tooltipField": "owner",
}
# Rows come as every list has them; by one column they are what a click makes of it.
_DEAREST = ["desc", "asc", None]
_PRICED: list[dict[str, Any]] = [
    {
        "field": "usd_per_h",
        "width": 160,
        "sortingOrder": _DEAREST,
        "cellRenderer": "Interval",
        "cellRendererParams": {"first": "at_risk", "second": "interval"},
        "cellClass": "dated",
    },
    {
        "field": "lost_usd",
        "headerName": "Lost so far",
        "width": 120,
        "sortingOrder": _DEAREST,
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "lost", "second": "lost_from"},
        "cellClass": "dated",
    },
]
# Of what nobody can judge there are no dollars to show.
UNKNOWN_COLUMNS = [_WHAT, _STATE, _OWNER]
EXTERNAL_COLUMNS = [
    {**_WHAT, "headerName": "Alert of others"},
    {"field": "labels", "headerName": "Labels", "flex": 1, "minWidth": 160},
    _STATE,
    {"field": "sender", "headerName": "Sent by", "width": 120},
]
_TEXT_MAX = 300
_NO_LOSS: dict[str, object] = {"lost_usd": None, "lost": UNKNOWN, "lost_from": ""}
# Three lines of a cause on a telephone, and the rule under it.
ROW_PX = 90


def alert_columns() -> list[dict[str, Any]]:
    """Return the columns of alerts, the dearest first."""
    at_risk = {**_PRICED[0], "headerName": f"{mark()} / h at risk"}
    return [at_risk, _WHAT, _PRICED[1], _STATE, _OWNER]


def as_of(zone: Zone, now_ns: int, to_ns: int) -> str:
    """Return when a range ended, `at 05:53:00 UTC`, "" where it goes on to now."""
    return f"at {zone.dated_at(to_ns, now_ns)}" if to_ns < now_ns else ""


def alert_line(
    alert: AlertRow, zone: Zone, now_ns: int, to_ns: int, others: int = 0
) -> dict[str, object]:
    """Return one row of the grid of alerts.

    Args:
        alert: as it stood at the end of the range.
        zone: by whose clock.
        now_ns: the time.
        to_ns: the end of the range.
        others: so many others of its incident are open.
    """
    changed = zone.dated_at(alert.at_ns, now_ns)
    shadow = "shadow: would have paged" if alert.has_fired else "in shadow"
    rule = f"{shadow} · {alert.rule}" if alert.is_shadow else alert.rule
    return {
        "id": alert.episode_id,
        "severity": alert.severity,
        "what": cause_of(alert),
        "scope": f"{rule} · one incident with {others} more" if others else rule,
        "href": alert_href(alert.episode_id),
        **_money(alert, zone, now_ns, to_ns),
        "since": zone.dated(alert.since_ns, now_ns),
        "state": alert.state,
        "owner": _people(alert) or ("nobody yet" if alert.people is not None else ""),
        "seen_by": _people(alert),
        "reason": f"{alert.reason} (basis: {alert.basis}, as of {changed})",
    }


def alert_lines(
    alerts: Sequence[AlertRow], zone: Zone, now_ns: int, to_ns: int
) -> list[dict[str, object]]:
    """Return the rows of the grid of alerts, as they stood at the end of a range."""
    others = beside(alerts)
    return [
        alert_line(alert, zone, now_ns, to_ns, others.get(alert.episode_id, 0)) for alert in alerts
    ]


def external_line(alert: ExternalAlert, zone: Zone, now_ns: int) -> dict[str, object]:
    """Return one row of an alert that was pushed to us; its texts are those of its sender."""
    name = alert.labels.get("alertname", "") or "no alertname"
    said = alert.annotations.get("summary", "") or alert.annotations.get("description", "")
    labels = {key: value for key, value in alert.labels.items() if key != "alertname"}
    return {
        "id": alert.fingerprint,
        "severity": "external",
        "what": shorten(name, _TEXT_MAX),
        "scope": shorten(said, _TEXT_MAX),
        "href": "",
        "labels": shorten(json.dumps(labels, ensure_ascii=False), _TEXT_MAX),
        "since": zone.dated(alert.starts_ns if alert.is_firing else alert.ends_ns, now_ns),
        "state": "firing" if alert.is_firing else "resolved",
        "sender": alert.sender,
        "reason": shorten(said, _TEXT_MAX),
    }


def silences_table(silences: Sequence[Silence], zone: Zone, now_ns: int) -> Component:
    """Return silences as a table, the first to end first."""
    return table(
        ("Number", "Hides", f"From ({zone.city})", f"Until ({zone.city})", "By", "Reason"),
        [
            (
                str(each.id),
                ", ".join(str(matcher) for matcher in each.matchers),
                zone.dated(each.starts_ns, now_ns),
                zone.dated(each.ends_ns, now_ns),
                each.actor,
                shorten(each.reason, _TEXT_MAX),
            )
            for each in sorted(silences, key=lambda each: each.ends_ns)
        ],
    )


def state_of(state: str, *, is_shadow: bool, has_fired: bool) -> str:
    """Return a state in words: of a rule in shadow, that nobody was paged, or would have been."""
    if not is_shadow:
        return state
    return f"{state}, would have paged" if has_fired else f"{state}, in shadow"


def _money(alert: AlertRow, zone: Zone, now_ns: int, to_ns: int) -> dict[str, object]:
    """Return what an alert costs so far, and now, at the end of the range or its last change."""
    if not alert.is_priced or alert.state == UNKNOWN:
        return {"usd_per_h": None, "at_risk": UNKNOWN, "interval": "", "bar": None, **_NO_LOSS}
    if alert.state not in OPEN_STATES:
        lost = _lost(alert, zone, now_ns)
        return {"usd_per_h": None, "at_risk": "over", "interval": "", "bar": None, **lost}
    rate, (low, high) = rate_of(alert), interval_of(alert)
    when = "now" if to_ns >= now_ns else f"at {zone.dated(to_ns, now_ns)}"
    if alert.now_usd_per_h is None:
        when = f"at {zone.dated(alert.at_ns, now_ns)}"
    return {
        "usd_per_h": float(rate),
        "at_risk": f"{usd(rate)} {when}",
        "interval": interval_text(low, high),
        "bar": bar_places(rate, low, high),
        **_lost(alert, zone, now_ns),
    }


def _lost(alert: AlertRow, zone: Zone, now_ns: int) -> dict[str, object]:
    if alert.lost_usd is None:
        return _NO_LOSS
    return {
        "lost_usd": float(alert.lost_usd),
        "lost": usd(alert.lost_usd),
        "lost_from": f"from {zone.dated(alert.lost_from_ns, now_ns)}",
    }


def _people(alert: AlertRow) -> str:
    """Return who looks after an alert, and whether it is hidden from receivers; "" for neither."""
    if alert.people is None:
        return ""
    parts = ["silenced"] if alert.people.silenced else []
    if alert.people.ack is not None:
        parts.append(alert.people.ack.actor)
    return " · ".join(parts)

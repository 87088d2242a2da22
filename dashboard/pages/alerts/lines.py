"""Pure: alerts as lines of a grid, and the columns of that grid."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

from dashboard.read.packet_rows import KeptPackets
from dashboard.read.rows import AlertRow
from dashboard.units import UNKNOWN, count, signed_ms, usd, utc_clock

ALERT_COLUMNS = [
    {
        "field": "what",
        "headerName": "What",
        "minWidth": 150,
        "flex": 1,
        "cellRenderer": "AlertLink",
        "tooltipField": "reason",
    },
    {
        "field": "usd_per_h",
        "headerName": "$ / h at risk",
        "width": 168,
        "type": "rightAligned",
        "sort": "desc",
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "at_risk", "second": "interval"},
    },
    {
        "field": "blamed",
        "headerName": "Blamed",
        "width": 130,
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "blamed", "second": "excess"},
    },
    {
        "field": "whole",
        "headerName": "Packets",
        "width": 122,
        "cellRenderer": "TwoLines",
        "cellRendererParams": {"first": "whole", "second": "rebuilt"},
        "tooltipField": "grounds",
    },
    {
        "field": "since",
        "headerName": "Since (UTC)",
        "width": 108,
        "cellRenderer": "TagAndLine",
        "cellRendererParams": {"tag": "state", "second": "since"},
    },
]


def _named(alert: AlertRow) -> tuple[str, str]:
    return alert.scope if alert.is_about_decisions else (alert.action, alert.region)


def alert_line(alert: AlertRow) -> dict[str, object]:
    """Return one row of the grid of alerts."""
    scope = " · ".join(part for part in _named(alert) if part)
    at_risk, low, high, when = _at_risk(alert)
    return {
        "id": alert.episode_id,
        "severity": alert.severity,
        "what": alert.rule,
        "scope": f"{scope or 'everything'}{_people(alert)}",
        "href": f"/decision?{urlencode({'id': alert.exemplar})}" if alert.exemplar else "",
        "usd_per_h": float(at_risk) if alert.is_priced else None,
        "at_risk": f"{usd(at_risk)} {when}" if alert.is_priced else UNKNOWN,
        "interval": f"{usd(low)} to {usd(high)}" if alert.is_priced else "",
        "blamed": f"{alert.blamed_stage}/{alert.blamed_class}" if alert.blamed_stage else "none",
        "excess": f"{signed_ms(alert.blamed_excess_ns)} each" if alert.blamed_stage else "",
        **_packets(alert.packets),
        "since": utc_clock(alert.started_ns or alert.first_ns),
        "state": f"{alert.state}, shadow" if alert.is_shadow else alert.state,
        "reason": f"{alert.reason} (basis: {alert.basis}, as of {utc_clock(alert.at_ns)} UTC)",
    }


def _people(alert: AlertRow) -> str:
    """Return whether somebody looks after an alert, and whether it is hidden from receivers."""
    if alert.people is None:
        return ""
    acked = " · acknowledged" if alert.people.ack is not None else ""
    return acked + (" · silenced" if alert.people.silenced else "")


def _packets(packets: KeptPackets | None) -> dict[str, object]:
    """Return how likely an alert can be rebuilt from packets, and in full what that rests on."""
    if packets is None:
        return {
            "whole": UNKNOWN,
            "rebuilt": "not judged yet",
            "grounds": "Whether its packets were kept is judged when its last spans have come in, "
            "and only where packets are recorded.",
        }
    chance = f"{packets.probability * 100:.2f} %"
    return {
        "whole": f"{chance} whole",
        "rebuilt": f"{count(packets.rebuilt)} of {count(packets.requests)}",
        "grounds": f"With probability {chance} no packet of its requests is missing. "
        + "; ".join(packets.grounds),
    }


def _at_risk(alert: AlertRow) -> tuple[Decimal, Decimal, Decimal, str]:
    """Return what an alert costs an hour, low, high, and as of when."""
    if (
        alert.now_usd_per_h is not None
        and alert.now_low_usd_per_h is not None
        and alert.now_high_usd_per_h is not None
    ):
        return alert.now_usd_per_h, alert.now_low_usd_per_h, alert.now_high_usd_per_h, "now"
    # At risk is the rate of the short window; the slope's spread is that of the long one.
    scale = alert.revenue_at_risk_usd_per_h / alert.loss_usd if alert.loss_usd else Decimal(0)
    when = f"at {utc_clock(alert.at_ns)}"
    return (
        alert.revenue_at_risk_usd_per_h,
        alert.loss_low_usd * scale,
        alert.loss_high_usd * scale,
        when,
    )

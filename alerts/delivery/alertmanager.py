"""Pure: an alert as Alertmanager's API v2 takes it.

Labels are the identity of an alert there: they are those of its first push for as long as the
episode lasts, so that a suspect that changes makes no second alert of it. What changes is in the
annotations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from alerts.rows import AlertEvent
from alerts.rules.base import Wording
from attribution.core.money import exact
from collector.core.times import NS_PER_S, NS_PER_US

_LABEL_MAX = 200
_TEXT_MAX = 500
# What Prometheus sends in one request.
BATCH_MAX = 64


@dataclass(frozen=True, slots=True)
class Pushed:
    """One alert to push; equal where Alertmanager would keep the same."""

    episode_id: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ended_ns: int | None  # None while it fires
    url: str

    @property
    def is_over(self) -> bool:
        """Return whether it has ended, for Alertmanager at least."""
        return self.ended_ns is not None


def labels_of(event: AlertEvent) -> dict[str, str]:
    """Return the labels of an alert; an empty one would be none there."""
    found = {
        "alertname": event.rule,
        "severity": event.severity,
        "action": event.action,
        "region": event.region,
        "blamed_stage": event.blamed_stage,
        "blamed_class": event.blamed_class,
        "incident": event.incident_id or event.episode_id,
    }
    return {name: _clean(text, _LABEL_MAX) for name, text in found.items() if text}


def annotations_of(event: AlertEvent, wording: Wording, silenced: str = "") -> dict[str, str]:
    """Return what a person reads: the money, the cause, and what to do.

    Args:
        event: the latest of the episode.
        wording: of its rule.
        silenced: why it is ended there though it fires here.
    """
    found = {
        "summary": _summary(event),
        "description": event.reason_with_calls,
        "loss": _range(event),
        "risk": _usd_per_h(event),
        "blamed": f"{event.blamed_stage}/{event.blamed_class}" if event.blamed_stage else "",
        "runbook_url": wording.runbook_url,
        "note": wording.note,
        "silenced": silenced,
        "episode_id": event.episode_id,
    }
    return {name: _clean(text, _TEXT_MAX) for name, text in found.items() if text}


def body(alerts: Sequence[Pushed], now_ns: int, ahead_ns: int) -> bytes:
    """Return the JSON of one request.

    Args:
        alerts: at most `BATCH_MAX`.
        now_ns: the time of this attempt.
        ahead_ns: a firing alert ends so much later by itself, unless it is sent again.
    """
    return json.dumps(
        [_wire(alert, now_ns, ahead_ns) for alert in alerts], separators=(",", ":")
    ).encode()


def link(dashboard_url: str, episode_id: str) -> str:
    """Return the address of an alert on the dashboard, "" where the dashboard has none."""
    base = dashboard_url.rstrip("/")
    return f"{base}/?episode={quote(episode_id)}" if base else ""


def _wire(alert: Pushed, now_ns: int, ahead_ns: int) -> dict[str, Any]:
    ends_ns = now_ns + ahead_ns if alert.ended_ns is None else alert.ended_ns
    found: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": _iso(alert.starts_ns),
        # An end before the start is refused there.
        "endsAt": _iso(max(ends_ns, alert.starts_ns)),
    }
    return {**found, "generatorURL": alert.url} if alert.url else found


def _summary(event: AlertEvent) -> str:
    where = "/".join(part for part in (event.action, event.region) if part) or "all data"
    return f"{where}: {_usd_per_h(event) or event.reason}"


def _usd_per_h(event: AlertEvent) -> str:
    if not event.is_priced:
        return ""
    # It is sent again for as long as it fires, and what it costs an hour goes on changing.
    rate = exact(event.revenue_at_risk_usd_per_h)
    return f"{rate}/h at risk as of {_iso(event.at_ns)[:19]}Z"


def _range(event: AlertEvent) -> str:
    if not event.is_priced:
        return ""
    found = (event.loss_usd, event.loss_low_usd, event.loss_high_usd)
    loss, low, high = (exact(each) for each in found)
    return f"{loss} in {event.window_s:,} s ({low} to {high}) until {_iso(event.at_ns)[:19]}Z"


def _clean(text: str, chars_max: int) -> str:
    # A lone surrogate is no UTF-8, and one bad label would spoil its batch.
    return text[:chars_max].encode(errors="replace").decode()


def _iso(ns: int) -> str:
    at = datetime.fromtimestamp(ns // NS_PER_S, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ns % NS_PER_S // NS_PER_US:06d}Z"

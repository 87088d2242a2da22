"""Pure: the body of a webhook. Part of the public surface: a field is added, never changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from alerts.evidence.suspect import PathNow
from alerts.rows import AlertEvent
from alerts.rules.base import Wording
from alerts.state.proposal import NAME_MAX, PROPOSED_FOR_NS, Move
from attribution.core.money import currency
from attribution.core.segments import STAGES
from collector.core.times import NS_PER_MS, NS_PER_S

# Standard Webhooks asks for less than 20 kB.
BODY_BYTES_MAX = 20_000
_REASON_MAX = 500
# An id that is cut leads nowhere: one that is too long to be an id is left out.
_EXEMPLAR_MAX = 300


@dataclass(frozen=True, slots=True)
class Details:
    """What a message has beside the figures of an alert that begins to fire."""

    move: Move | None = None  # a proposal
    exemplars: Sequence[str] = ()  # ids of decisions
    path: PathNow | None = None


NO_DETAILS = Details()


def body(
    notification: str, event: AlertEvent, wording: Wording, details: Details = NO_DETAILS
) -> bytes:
    """Return the JSON of one message; the same event gives the same bytes.

    Money is a number in `attribution.currency`, null where nobody knows it, for example of data
    that stopped. `low` and `high` are the ends of its 90 % interval. Of two messages of an episode
    the later one has the larger `seq`.

    Args:
        notification: alert.firing or alert.resolved.
        event: the transition.
        wording: of the rule; NO_WORDING where the rule is no longer configured.
        details: of an alert that begins to fire.
    """
    suspect = f"{event.blamed_stage}/{event.blamed_class}" if event.blamed_stage else None
    message = {
        "type": notification,
        "timestamp": iso_time(event.at_ns),
        "data": {
            "episode_id": event.episode_id,
            "incident_id": event.incident_id or event.episode_id,
            "seq": event.seq,
            "rule": event.rule,
            "severity": event.severity,
            "action": event.action[:NAME_MAX],
            "region": event.region[:NAME_MAX],
            "started_at": iso_time(event.started_ns),
            "revenue_at_risk_usd_per_h": _usd(event, event.revenue_at_risk_usd_per_h),
            "currency": currency(),
            "loss_usd": _usd(event, event.loss_usd),
            "low": _usd(event, event.loss_low_usd),
            "high": _usd(event, event.loss_high_usd),
            "basis": event.basis,
            "slope_source": event.slope_source,
            "burn": event.burn,
            "blamed_segment": suspect,
            "excess_ms": event.blamed_excess_ns / NS_PER_MS if suspect else None,
            "path": _path(details.path),
            "windows": {"long_s": event.window_s, "short_s": wording.shorts.get(event.window_s)},
            "exemplars": [
                found
                for each in details.exemplars
                if len(_encoded(found := _exemplar(each))) <= _EXEMPLAR_MAX
            ],
            "reason": event.reason_with_calls[:_REASON_MAX],
            "note": wording.note[:_REASON_MAX],
            "reroute": _reroute(details.move, event.at_ns),
            "runbook_url": wording.runbook_url[:_REASON_MAX],
            "dashboard": f"/?episode={quote(event.episode_id)}",
        },
    }
    encoded = _encoded(message)
    assert len(encoded) < BODY_BYTES_MAX
    return encoded


def without_proposal(content: bytes) -> bytes:
    """Return a body without the proposal that was made when its alert began to fire."""
    message = json.loads(content)
    if message.get("data", {}).get("reroute") is None:
        return content
    return _encoded({**message, "data": {**message["data"], "reroute": None}})


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def _exemplar(decision_id: str) -> dict[str, str]:
    # A lone surrogate has no place in an address.
    address = quote(decision_id.encode(errors="replace"))
    return {"decision_id": decision_id, "dashboard": f"/decision?id={address}"}


def _usd(event: AlertEvent, amount: Decimal) -> float | None:
    return float(amount) if event.is_priced else None


def _path(path: PathNow | None) -> dict[str, Any] | None:
    if path is None:
        return None
    usual_ns = path.usual_ns or (None,) * len(STAGES)
    return {
        "decisions": path.decisions,
        "usual": path.usual or None,
        "stages": [
            {"stage": stage, "ms": _ms(now_ns), "usual_ms": _ms(then_ns)}
            for stage, now_ns, then_ns in zip(STAGES, path.now_ns, usual_ns, strict=True)
        ],
    }


def _ms(ns: float | None) -> float | None:
    return None if ns is None else round(ns / NS_PER_MS, 3)


def _reroute(move: Move | None, at_ns: int) -> dict[str, Any] | None:
    if move is None or not move.fits:
        return None
    expires_at = iso_time(at_ns + PROPOSED_FOR_NS)
    return {"mode": "propose", "move": dataclasses.asdict(move), "expires_at": expires_at}


def iso_time(ns: int) -> str:
    """Return an instant as receivers are sent it: UTC, with milliseconds."""
    # Milliseconds, cut and not rounded: datetime stops at microseconds, floats before them.
    whole = datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns % NS_PER_S // NS_PER_MS:03d}Z"

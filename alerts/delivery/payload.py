"""Pure: the body of a webhook. Part of the public surface: a field is added, never changed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from alerts.rows import AlertEvent
from alerts.rules.base import Move, Wording
from collector.core.clock import NS_PER_MS, NS_PER_S

# Standard Webhooks asks for less than 20 kB.
BODY_BYTES_MAX = 20_000
# Attributes of spans may be of any length.
_TEXT_MAX = 200
_REASON_MAX = 500


def body(
    notification: str,
    event: AlertEvent,
    wording: Wording,
    move: Move | None,
    exemplars: Sequence[str] = (),
) -> bytes:
    """Return the JSON of one message; the same event gives the same bytes.

    Money is a number in USD, null where nobody knows it, for example of data that stopped. `low`
    and `high` are the loss at the 5 % and the 95 % slope. Of two messages of an episode the later
    one has the larger `seq`.

    Args:
        notification: alert.firing or alert.resolved.
        event: the transition.
        wording: of the rule; NO_WORDING where the rule is no longer configured.
        move: a proposal, None without one.
        exemplars: ids of decisions that show it.
    """
    suspect = f"{event.blamed_stage}/{event.blamed_class}" if event.blamed_stage else None
    message = {
        "type": notification,
        "timestamp": _iso(event.at_ns),
        "data": {
            "episode_id": event.episode_id,
            "seq": event.seq,
            "rule": event.rule,
            "severity": event.severity,
            "action": event.action[:_TEXT_MAX],
            "region": event.region[:_TEXT_MAX],
            "started_at": _iso(event.started_ns),
            "revenue_at_risk_usd_per_h": _usd(event, event.revenue_at_risk_usd_per_h),
            "loss_usd": _usd(event, event.loss_usd),
            "low": _usd(event, event.loss_low_usd),
            "high": _usd(event, event.loss_high_usd),
            "basis": event.basis,
            "slope_source": event.slope_source,
            "burn": event.burn,
            "blamed_segment": suspect,
            "excess_ms": event.blamed_excess_ns / NS_PER_MS if suspect else None,
            "windows": {"long_s": event.window_s, "short_s": wording.shorts.get(event.window_s)},
            "exemplars": [
                {
                    "decision_id": each[:_TEXT_MAX],
                    "dashboard": f"/decision?id={quote(each[:_TEXT_MAX])}",
                }
                for each in exemplars
            ],
            "reason": event.reason[:_REASON_MAX],
            "note": wording.note[:_REASON_MAX],
            "reroute": _reroute(move),
            "runbook_url": wording.runbook_url[:_REASON_MAX],
            "dashboard": f"/?episode={quote(event.episode_id)}",
        },
    }
    encoded = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode(
        errors="replace"
    )
    assert len(encoded) < BODY_BYTES_MAX
    return encoded


def _usd(event: AlertEvent, amount: Decimal) -> float | None:
    return float(amount) if event.is_priced else None


def _reroute(move: Move | None) -> dict[str, Any] | None:
    if move is None:
        return None
    clipped = {name: text[:_TEXT_MAX] for name, text in dataclasses.asdict(move).items()}
    return {"mode": "propose", "move": clipped}


def _iso(ns: int) -> str:
    # Milliseconds, cut and not rounded: datetime stops at microseconds, floats before them.
    whole = datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns % NS_PER_S // NS_PER_MS:03d}Z"

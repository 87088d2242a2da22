"""What the tests of alerting are made of: valid by default, one keyword to break."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from alerts.config import WebhookConfig
from alerts.rows import AlertEvent, Message
from alerts.rules.base import Moment, Progress
from alerts.rules.burn_rate import Losses, Window
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState, Phase, first_state
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS

# Fires at $100 of $10,000 in 60 s, with $10 in 6 s, and ends below $2.50 in 6 s.
TIER = {"budget_share": 0.01, "long_window_s": 60, "short_window_s": 6}

EPISODE = "0" * 31 + "1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def rule(**changes: object) -> DollarBurnConfig:
    """Return a rule that fires at $100 in 60 s, with $10 in 6 s."""
    settings: dict[str, Any] = {
        "name": "burn",
        "budget_usd": 10_000.0,
        "tiers": [TIER],
        "confidence_z": 1.645,
        "live": True,
        "keep_firing_s": 30.0,
        **changes,
    }
    return DollarBurnConfig.model_validate(settings)


def window(loss_usd: str | Decimal = "0", **changes: object) -> Window:
    """Return a window of a thousand decisions, whose loss comes from a hundred equal ones."""
    loss = Decimal(loss_usd)
    fields: dict[str, Any] = {
        "decisions": 1_000,
        "unvalued": 0,
        "loss_usd": loss,
        "loss_low_usd": loss,
        "loss_high_usd": loss,
        "loss_squared": float(loss) ** 2 / 100,
        "basis": "margin",
        "slope_source": "prior",
        "newest_ns": NOW_NS,
        **changes,
    }
    return Window(**fields)


def losses(long: Window, short: Window | None = None, spent_usd: Decimal | None = None) -> Losses:
    """Return the windows of a tier; by default the short one burns as fast as anyone could ask."""
    return Losses({60: long, 6: short or long}, spent_usd)


def moment(seconds: float = 0, **changes: object) -> Moment:
    """Return a pass at which everything up to its instant is known and stored."""
    now_ns = NOW_NS + round(seconds * NS_PER_S)
    fields: dict[str, Any] = {
        "now_ns": now_ns,
        "known_ns": now_ns,
        "end_ns": now_ns,
        "started_ns": NOW_NS,
        "nodata_ns": 300 * NS_PER_S,
        "progress": Progress(0, now_ns),
        **changes,
    }
    return Moment(**fields)


def event(**changes: object) -> AlertEvent:
    """Return the first transition of an episode: it fires."""
    fields: dict[str, Any] = {
        "episode_id": EPISODE,
        "seq": 1,
        "rule": "burn",
        "severity": "page",
        "action": "checkout",
        "region": "eu-west",
        "from_state": "inactive",
        "to_state": "firing",
        "at_ns": NOW_NS,
        "recorded_ns": NOW_NS,
        "started_ns": NOW_NS,
        "window_s": 60,
        "loss_usd": Decimal("123.456789"),
        "loss_low_usd": Decimal("37.000000"),
        "loss_high_usd": Decimal("420.000000"),
        "revenue_at_risk_usd_per_h": Decimal("7407.407340"),
        "burn": 533.3,
        "basis": "margin",
        "slope_source": "prior",
        "blamed_stage": "decision",
        "blamed_class": "store",
        "blamed_excess_ns": 120_000_000,
        "reason": "because",
        **changes,
    }
    return AlertEvent(**fields)


def firing_state(**changes: Any) -> AlertState:  # noqa: ANN401  any field of the state
    """Return the state of `event()`: it fires since then."""
    return replace(
        first_state("burn", Subject("checkout", "eu-west"), NOW_NS),
        phase=Phase.FIRING,
        episodes=1,
        episode_id=EPISODE,
        seq=1,
        started_ns=NOW_NS,
        **changes,
    )


def message(seq: int = 1, endpoint: str = "router", **changes: object) -> Message:
    """Return a message of one episode."""
    fields: dict[str, Any] = {
        "webhook_id": f"episode-{seq}-{endpoint}",
        "endpoint": endpoint,
        "episode_id": "episode",
        "seq": seq,
        "kind": "alert.firing",
        "body": b'{"type":"alert.firing"}',
        **changes,
    }
    return Message(**fields)


def endpoint(
    url: str = "http://127.0.0.1:1/hook", name: str = "router", **changes: object
) -> WebhookConfig:
    """Return a receiver that does not answer unless the URL says otherwise."""
    return WebhookConfig.model_validate(
        {"name": name, "url": url, "secret": SECRET, "timeout_s": 5.0, **changes}
    )

"""I/O: what a silence would hide, with what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from alerts.people.matchers import Matcher
from alerts.people.silences import Silences
from alerts.state.sqlite import AlertStore
from collector.core.errors import StoreUnavailableError
from dashboard.read.alerts.listing import row_of
from dashboard.read.alerts.losses import ClassLosses, lost_together, with_losses
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.reader import Reader


@dataclass(frozen=True, slots=True)
class Hidden:
    """One alert that matchers are about."""

    episode_id: str
    rule: str
    severity: str
    action: str
    region: str
    at_ns: int  # when it began to fire
    loss_usd: Decimal | None  # so far, or until it was over; None: unknown


@dataclass(frozen=True, slots=True)
class Preview:
    """What matchers hide: of what fires now, and of what fired in the last seven days."""

    now: list[Hidden]
    past: list[Hidden]
    now_usd: Decimal  # what is known, of several about the same decisions once
    past_usd: Decimal


def preview(
    alert_state: AlertStore, reader: Reader, matchers: Sequence[Matcher], now_ns: int
) -> Preview:
    """Return what matchers hide; what it cost is unknown where the store is away."""
    found = Silences(alert_state).preview(matchers, now_ns)
    rows, lost = [row_of(events) for events in [*found.now, *found.past]], ClassLosses(0, {})
    with suppress(StoreUnavailableError):
        rows, lost = with_losses(reader, rows, now_ns)
    now, past = rows[: len(found.now)], rows[len(found.now) :]
    return Preview(
        [_hidden(alert) for alert in now],
        [_hidden(alert) for alert in past],
        lost_together(now, lost) or Decimal(0),
        lost_together(past, lost) or Decimal(0),
    )


def _hidden(alert: AlertRow) -> Hidden:
    return Hidden(
        alert.episode_id,
        alert.rule,
        alert.severity,
        alert.action,
        alert.region,
        alert.started_ns,
        alert.lost_usd,
    )

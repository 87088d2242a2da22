"""I/O: `/api/v1/alerts/receivers/try`: a test message to the receivers of alerts."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import Field

from alerts.config import AlertsConfig
from alerts.delivery.trial import Receivers, Trial
from alerts.state.sqlite import AlertStore
from collector.core.clock import Clock
from dashboard.api.alerts.state import Action, require
from dashboard.read.workers import Workers

_NAMES_MAX = 100


class TrialRequest(Action):
    """Which receivers to try: some by name, or all."""

    receivers: list[str] = Field(
        default_factory=list, max_length=_NAMES_MAX, description="Names; empty: all"
    )


@dataclass(frozen=True, slots=True)
class Trials:
    """What each receiver made of its message, in the order of the settings."""

    trials: list[Trial]


def receivers_router(
    state: AlertStore | None, config: AlertsConfig, workers: Workers, clock: Clock
) -> APIRouter:
    """Return the route."""
    router = APIRouter(prefix="/api/v1/alerts/receivers", tags=["alerts"])

    @router.post("/try")
    async def try_receivers(request: TrialRequest) -> Trials:
        """Send a signed `alert.test` to webhooks, and an ended alert to Alertmanagers, now.

        It touches no alert. A webhook receiver that rested after failures and takes it is sent
        what waits for it at once.
        """
        act = request.act(clock.now_ns())
        receivers = Receivers(require(state), config, clock)
        return Trials(await workers.run(receivers.try_out, request.receivers, act, request.reason))

    return router

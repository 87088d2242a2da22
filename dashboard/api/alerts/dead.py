"""I/O: `/api/v1/alerts/dead`: webhooks that were given up, and their way back into the outbox."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import Field

from alerts.state.acts import Act
from alerts.state.deliveries import LETTERS_MAX, DeadLetter, Deliveries
from alerts.state.sqlite import AlertStore
from collector.core.clock import Clock
from dashboard.api.alerts.state import Action, require
from dashboard.read.workers import Workers


class DeadLettersRequest(Action):
    """Which dead letters to send again: by id, by endpoint, or all."""

    webhook_ids: list[str] = Field(
        default_factory=list, max_length=LETTERS_MAX, description="Only these; empty: any"
    )
    endpoint: str = Field(default="", description="Only of this endpoint; empty: any")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Messages that were given up, in the order of their transitions."""

    letters: list[DeadLetter]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of one message."""

    webhook_id: str
    result: str  # pending, overtaken or unknown


@dataclass(frozen=True, slots=True)
class DeadLetterReplays:
    """The result of each message that was asked for."""

    replays: list[Replayed]


def dead_letters_router(state: AlertStore | None, workers: Workers, clock: Clock) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/alerts/dead", tags=["alerts"])

    @router.get("")
    async def list_dead_letters() -> DeadLetters:
        """Return the webhooks that were given up and are kept."""
        return DeadLetters(await workers.run(Deliveries(require(state)).dead_letters))

    @router.post("/replay")
    async def replay_dead_letters(request: DeadLettersRequest) -> DeadLetterReplays:
        """Put webhooks back into the outbox; what is untrue by now stays where it is."""
        act = request.act(clock.now_ns())
        return await workers.run(_replay, Deliveries(require(state)), request, act)

    return router


def _replay(deliveries: Deliveries, request: DeadLettersRequest, act: Act) -> DeadLetterReplays:
    ids = request.webhook_ids or [
        letter.webhook_id
        for letter in deliveries.dead_letters()
        if request.endpoint in ("", letter.endpoint)
    ]
    results = deliveries.replay(ids, act, request.reason)
    return DeadLetterReplays(
        [Replayed(webhook_id, result) for webhook_id, result in results.items()]
    )

"""I/O: `/api/v1/rejected`: what was rejected, and its replay once the cause is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from collector.core.clock import Clock
from collector.core.errors import InputError
from collector.core.times import INSTANT_NS_MAX
from collector.store.connect import Connections
from collector.write.quarantine import RejectedItem, RejectedItems, Result
from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.read.workers import Workers

# One call ends within seconds; `next` says where the following one goes on.
REPLAYS_MAX = 200
ITEMS_MAX = 1_000


class ReplayRequest(BaseModel):
    """Which items to replay: by reason, by id, or all."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", description="Only with this reason code; empty: any")
    ids: list[str] = Field(
        default_factory=list, max_length=ITEMS_MAX, description="Only these; empty: any"
    )
    from_ns: int = Field(
        default=0, ge=0, le=INSTANT_NS_MAX, description="Only what arrived since, Unix ns"
    )
    dry_run: bool = Field(default=False, description="Say what would happen, and change nothing")
    after: str = Field(default="", description="`next` of the call before")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Rejected items, oldest first; `next` is empty where these are the last."""

    items: list[RejectedItem]
    next: str


@dataclass(frozen=True, slots=True)
class ReplayedItem:
    """What became of one item."""

    id: str
    signal: str
    reason_code: str
    item_id: str
    result: Literal["stored", "refused", "gone", "stored before"]
    items: int  # stored by this replay, or that a dry run would store
    detail: str


@dataclass(frozen=True, slots=True)
class Replays:
    """What became of each; `next` is empty where these are the last."""

    replays: list[ReplayedItem]
    next: str


def rejected_router(services: Services) -> APIRouter:
    """Return the routes; one replay runs at a time."""
    store, clock, context = services.store, services.clock, services.context
    items = context.rejected or RejectedItems(store, context.protection, context.counters, clock)
    router = APIRouter(prefix="/api/v1/rejected", tags=["rejected"])
    replays = Workers(1, "replay")

    @router.get("")
    async def list_rejected(
        from_ns: Annotated[int, Query(ge=0, le=INSTANT_NS_MAX)] = 0,
        reason: str = "",
        after: str = "",
        limit: Annotated[int, Query(gt=0, le=ITEMS_MAX)] = ITEMS_MAX,
    ) -> Rejected:
        """Return what was rejected, with its state, oldest first."""
        rejected = await services.workers.run(
            lambda: items.find(from_ns=from_ns, reason=reason, after=_place(after), limit=limit)
        )
        return Rejected(rejected, _next(rejected, limit))

    @router.post("/replay")
    async def replay_rejected(request: ReplayRequest) -> Replays:
        """Send items through the same checks again; twice stores once."""
        return await replays.run(_replay, items, store, clock, request)

    return router


def _replay(
    items: RejectedItems, store: Connections, clock: Clock, request: ReplayRequest
) -> Replays:
    rejected = items.find(
        from_ns=request.from_ns,
        reason=request.reason,
        ids=request.ids,
        after=_place(request.after),
        limit=REPLAYS_MAX,
    )
    replays = []
    for item in rejected:
        if item.result == Result.STORED:
            replays.append(_named(item, "stored before", 0, ""))
        else:
            replay = items.replay(item, dry_run=request.dry_run)
            replays.append(_named(item, replay.result.value, replay.items, replay.detail))
    if not request.dry_run and any(each.result != "stored before" for each in replays):
        results = {name: sum(each.result == name for each in replays) for name in _RESULTS}
        detail = {
            "reason": request.reason, "first": replays[0].id, "last": replays[-1].id, **results
        }  # fmt: skip
        audit(store, clock.now_ns(), "rejected_replayed", json.dumps(detail))
    return Replays(replays, _next(rejected, REPLAYS_MAX))


_RESULTS = ("stored", "refused", "gone", "stored before")


def _named(
    item: RejectedItem,
    result: Literal["stored", "refused", "gone", "stored before"],
    count: int,
    detail: str,
) -> ReplayedItem:
    return ReplayedItem(item.id, item.signal, item.reason_code, item.item_id, result, count, detail)


def _next(found: list[RejectedItem], limit: int) -> str:
    return f"{found[-1].received_ns}-{found[-1].id}" if len(found) == limit else ""


def _place(after: str) -> tuple[int, str]:
    if not after:
        return 0, ""
    received, _, item = after.partition("-")
    if not (received.isascii() and received.isdigit() and len(received) < 20):
        raise InputError(f"after: {after[:60]!r} is no `next` of a call before; leave it away")
    return int(received), item

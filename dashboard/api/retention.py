"""I/O: `/api/v1/retention` and `/api/v1/holds`: how long rows are kept, and what is held."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from collector.core.times import INSTANT_NS_MAX
from collector.store.retention import add_hold, read_holds, read_retention, release_hold
from collector.store.retention_policy import Hold, TableRetention
from dashboard.api.caller import Actor, caller
from dashboard.api.context import Services
from dashboard.read.workers import Workers


class HoldRequest(BaseModel):
    """A hold to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Used once, also after its release")
    tables: list[str] = Field(description="Tables with a TTL, or * alone for all of them")
    from_ns: int = Field(ge=0, le=INSTANT_NS_MAX, description="Events from this time on, Unix ns")
    to_ns: int = Field(gt=0, le=INSTANT_NS_MAX, description="Up to this one, not included")
    reason: str = Field(description="For the auditor")
    actor: Actor = Field(description="Who asks for it")


class ReleaseRequest(BaseModel):
    """Who lets go of a hold."""

    model_config = ConfigDict(extra="forbid")

    actor: Actor


@dataclass(frozen=True, slots=True)
class Retention:
    """Every table that has a TTL, by name."""

    at_ns: int
    tables: list[TableRetention]


@dataclass(frozen=True, slots=True)
class Holds:
    """Every hold, in order of its making."""

    holds: list[Hold]


def retention_router(services: Services) -> APIRouter:
    """Return the routes. A change is made one at a time, and waits for the tables."""
    store, config = services.store, services.context.retention
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["retention"])
    one = Workers(1, "holds")
    cluster = store.config.cluster

    @router.get("/retention")
    async def get_retention() -> Retention:
        """Return policy, TTL in force, oldest row, rows and bytes of each table."""
        now_ns = clock.now_ns()
        found = await workers.run(
            lambda: read_retention(store.reader(), config, now_ns, cluster=cluster)
        )
        return Retention(now_ns, found)

    @router.get("/holds")
    async def list_holds() -> Holds:
        """Return every legal hold, those that were released too."""
        return Holds(await workers.run(lambda: read_holds(store.reader())))

    @router.post("/holds")
    async def create_hold(request: HoldRequest) -> Hold:
        """Make a hold: audited, and in the TTLs when this returns."""
        hold = Hold(
            request.name,
            tuple(request.tables),
            request.from_ns,
            request.to_ns,
            request.reason,
            caller(request.actor),
            clock.now_ns(),
        )
        return await one.run(
            lambda: add_hold(store.client(), config, hold, cluster=cluster, seal=store.audit_seal)
        )

    @router.post("/holds/{name:path}/release")
    async def end_hold(name: str, request: ReleaseRequest) -> Hold:
        """End a hold: what it kept lapses as its table's policy says."""
        now_ns, actor = clock.now_ns(), caller(request.actor)
        return await one.run(
            lambda: release_hold(
                store.client(),
                config,
                name,
                actor=actor,
                now_ns=now_ns,
                cluster=cluster,
                seal=store.audit_seal,
            )
        )

    return router

"""I/O: `/api/v1/provenance/...`: what `millworth verify provenance` reads of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.api.provenance.paging import After, after_number
from dashboard.read.sealed.store import RowsPage, SealedPage, SealedStore

LIMIT_MAX = 10_000
TRACES_MAX = 1_000

_Limit = Annotated[int, Query(gt=0, le=LIMIT_MAX)]


class CopiesRequest(BaseModel):
    """Of which traces."""

    model_config = ConfigDict(extra="forbid")

    trace_ids: list[str] = Field(max_length=TRACES_MAX, description="32 hex digits each")
    subjects: list[str] = Field(
        default_factory=list, max_length=TRACES_MAX, description="Of outcomes; 32 hex digits each"
    )


@dataclass(frozen=True, slots=True)
class Copies:
    """All copies of some decisions and outcomes, each in order of arrival."""

    items: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]


def sealed_router(services: Services) -> APIRouter:
    """Return the routes."""
    store = services.store
    sealed = services.context.sealed or SealedStore(store)
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1/provenance", tags=["provenance"])

    def read(after: str, limit: int) -> SealedPage:
        after_ns = after_number(after)
        if not after_ns:  # the first page of them all
            audit(store, clock.now_ns(), "sealed_events_exported")
        return sealed.events(after_ns, limit)

    @router.get("/events")
    async def list_sealed_events(after: After = "", limit: _Limit = 2_000) -> SealedPage:
        """Return decisions as they were sealed, in order of arrival; about `limit` of them."""
        return await workers.run(read, after, limit)

    @router.get("/checkpoints")
    async def list_checkpoints(after: After = "", limit: _Limit = 2_000) -> SealedPage:
        """Return signed checkpoints, in order of arrival; about `limit` of them."""
        return await workers.run(sealed.checkpoints, after_number(after), limit)

    @router.post("/copies")
    async def get_sealed_copies(request: CopiesRequest) -> Copies:
        """Return every copy of the decisions of some traces; equal ones have an equal `copy`."""
        return Copies(
            await workers.run(sealed.copies, request.trace_ids),
            await workers.run(sealed.outcome_copies, request.subjects),
        )

    @router.get("/outcomes")
    async def list_sealed_outcomes(after: After = "", limit: _Limit = 2_000) -> SealedPage:
        """Return sealed outcomes, in order of arrival; about `limit` of them."""
        return await workers.run(sealed.outcomes, after_number(after), limit)

    @router.get("/rows")
    async def compare_sealed_rows(after: After = "") -> RowsPage:
        """Compare rows of decisions and outcomes with the events that they are made of.

        A page looks at some minutes.
        """
        return await workers.run(sealed.rows, after_number(after), clock.now_ns())

    return router

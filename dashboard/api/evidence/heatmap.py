"""I/O: `/api/v1/heatmap`: latency over time of what a filter holds: count, late, dollars lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from dashboard.api.context import Services
from dashboard.api.evidence.decisions import FilterQuery
from dashboard.read.decisions.listing import DecisionList, HeatCell
from dashboard.read.scope import step_of


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Cells of columns of time and buckets of latency; a cell without a decision is left out."""

    from_ns: int
    to_ns: int
    step_ns: int  # of a column
    buckets_per_octave: int  # a bucket b holds latencies from 2^(b / this) ns on
    cells: list[HeatCell]  # by column, bucket


def heatmap_router(services: Services) -> APIRouter:
    """Return the route."""
    listing = services.context.decisions
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["decisions"])

    @router.get("/heatmap")
    async def get_heatmap(query: Annotated[FilterQuery, Query()]) -> Heatmap:
        """Return how many decisions took how long over time, how many were late, what was lost.

        At most 100 columns, of whole seconds.
        """
        return await workers.run(_heatmap, listing, query, clock.now_ns())

    return router


def _heatmap(listing: DecisionList, query: FilterQuery, now_ns: int) -> Heatmap:
    criteria = query.criteria(now_ns)
    begin, end = criteria.view.from_ns, criteria.view.to_ns
    step_ns = step_of(end - begin)
    stated = listing.stated(criteria.view)
    return Heatmap(begin, end, step_ns, 8, listing.cells(criteria, step_ns, stated=stated))

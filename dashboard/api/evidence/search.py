"""I/O: `/api/v1/search`: what a text may mean: an id, a name, a page or a command."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dashboard.api.context import Services
from dashboard.read.search.finder import Finder, Found
from dashboard.read.search.match import TEXT_MAX


def search_router(services: Services) -> APIRouter:
    """Return the route."""
    context, pages = services.context, services.pages
    finder = Finder(context.reader, context.decisions, context.alert_state, pages)
    workers, clock = services.workers, services.clock
    router = APIRouter(prefix="/api/v1", tags=["decisions"])

    @router.get("/search")
    async def search_all(
        q: Annotated[
            str, Query(max_length=TEXT_MAX, description="A whole id, or a part of a name")
        ] = "",
    ) -> Found:
        """Return what a text may mean, the closest first; of an empty one the pages.

        A whole id of a decision, trace, outcome or alert is looked up at any time; names are those
        of the last 24 hours, read once a minute at the most.
        """
        return await workers.run(finder.find, q, clock.now_ns())

    return router

"""I/O: `/api/v1/vram/channels` and its kin: what a revenue owner asks; all only read."""

from __future__ import annotations

from fastapi import APIRouter

from attribution.books.nodes import Nodes, nodes
from attribution.vram.channels import Channels, channels
from dashboard.api.context import Services
from dashboard.api.vram.questions import Chosen


def finance_router(services: Services) -> APIRouter:
    """Return the routes of channels, nodes and reviews."""
    config, store = services.context.attribution, services.store
    workers, clock = services.questions, services.clock
    retention = services.context.retention
    router = APIRouter(prefix="/api/v1/vram", tags=["vram"])

    @router.get("/channels")
    async def get_channels(window: str = "30d", until: str = "") -> Channels:
        """Return what channels cost and bring, over the whole days of the window."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        return await workers.run(channels, config, store, chosen, retention.decisions_days)

    @router.get("/nodes")
    async def get_revenue_nodes(window: str = "30d", until: str = "") -> Nodes:
        """Return the revenue of the days that the window touches, by revenue node."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        return await workers.run(nodes, config, store, chosen.from_ns, chosen.to_ns)

    return router

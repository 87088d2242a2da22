"""I/O: `/api/v1/vram/channels` and its kin: what a revenue owner asks; all only read."""

from __future__ import annotations

from fastapi import APIRouter

from attribution.books.nodes import Nodes, nodes
from attribution.core.config import AttributionConfig
from attribution.vram.channels import Channels, channels
from collector.core.clock import Clock
from collector.store.connect import Connections
from collector.store.retention_policy import RetentionConfig
from dashboard.api.vram.questions import Chosen
from dashboard.read.workers import Workers


def finance_router(
    config: AttributionConfig,
    store: Connections,
    retention: RetentionConfig,
    workers: Workers,
    clock: Clock,
) -> APIRouter:
    """Return the routes of channels, nodes and reviews."""
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

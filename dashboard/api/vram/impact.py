"""I/O: `/api/v1/vram/modes` and `caches`: what degraded modes and cache misses go with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from attribution.vram.impact import Caches, ImpactJob, Modes
from dashboard.api.context import Services
from dashboard.api.vram.questions import Chosen


def impact_router(services: Services) -> APIRouter:
    """Return both routes."""
    impact = ImpactJob(services.context.attribution, services.store)
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1/vram", tags=["vram"])

    @router.get("/modes")
    async def get_modes(window: str = "24h", until: str = "") -> Modes:
        """Return what decisions of each mode took and earned, beside normal ones of their hour."""
        now_ns = clock.now_ns()
        chosen = Chosen(window=window, until=until).selection(now_ns)
        return await workers.run(impact.modes, chosen, now_ns)

    @router.get("/caches")
    async def get_caches(
        window: str = "24h",
        until: str = "",
        action: str = "",
        region: str = "",
        target: Annotated[float, Query(gt=0, lt=1)] = 0.92,
    ) -> Caches:
        """Return how much of the variance of latency goes with each cache's hits and misses."""
        asked = Chosen(window=window, until=until, action=action, region=region)
        return await workers.run(impact.caches, asked.selection(clock.now_ns()), target)

    return router

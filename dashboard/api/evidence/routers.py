"""I/O: the routers of decisions and kept packets."""

from __future__ import annotations

from dashboard.api.context import MakeRouter
from dashboard.api.evidence.decisions import decisions_router
from dashboard.api.evidence.heatmap import heatmap_router
from dashboard.api.evidence.network import network_router
from dashboard.api.evidence.packets import packets_router
from dashboard.api.evidence.search import search_router
from dashboard.api.evidence.waterfall import waterfall_router

ROUTERS: tuple[MakeRouter, ...] = (
    decisions_router,
    waterfall_router,
    heatmap_router,
    search_router,
    packets_router,
    network_router,
)

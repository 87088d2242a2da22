"""I/O: `/api/v1/reconcile` and `/api/v1/cost`: dollars against the books."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from attribution.books.reconcile import ReconciledDay, reconcile
from attribution.books.unit_cost import UnitCost, unit_cost
from dashboard.api.context import Services
from dashboard.api.vram.questions import Chosen


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Every day that has an outcome or a ledger's total."""

    currency: str
    days: list[ReconciledDay]


def reconcile_router(services: Services) -> APIRouter:
    """Return the routes that hold outcomes and decisions against books and bills."""
    config, store = services.context.attribution, services.store
    workers, clock = services.questions, services.clock
    router = APIRouter(prefix="/api/v1", tags=["imports"])

    @router.get("/cost")
    async def get_unit_cost(window: str = "30d", until: str = "") -> UnitCost:
        """Return what a decision cost, by the bills of the window."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        return await workers.run(unit_cost, config, store, chosen)

    @router.get("/reconcile")
    async def get_reconciliation(window: str = "7d", until: str = "") -> Reconciliation:
        """Return matched, unmatched and ambiguous revenue by day, beside the ledger's total."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        days = await workers.run(reconcile, config, store, chosen.from_ns, chosen.to_ns)
        return Reconciliation(config.currency, days)

    return router

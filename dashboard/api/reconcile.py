"""I/O: `/api/v1/import/rates`, `import/ledger` and `reconcile`: dollars against the books."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request

from attribution.books.reconcile import ReconciledDay, reconcile
from attribution.books.unit_cost import UnitCost, unit_cost
from attribution.core.config import AttributionConfig
from collector.core.clock import Clock
from collector.core.errors import InputError
from collector.imports.costs import import_costs
from collector.imports.outcomes import ImportReport
from collector.imports.rates import LEDGER, RATES, DatedFile, import_dated
from collector.store.connect import Connections
from dashboard.api.vram.questions import Chosen
from dashboard.read.workers import Workers

# Ten years of two hundred currencies.
BYTES_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Every day that has an outcome or a ledger's total."""

    currency: str
    days: list[ReconciledDay]


def reconcile_router(
    config: AttributionConfig, store: Connections, workers: Workers, clock: Clock
) -> APIRouter:
    """Return the routes that bring in rates and ledgers, and hold outcomes against them."""
    router = APIRouter(prefix="/api/v1")

    async def body(request: Request, name: str) -> bytes:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > BYTES_MAX:
                raise InputError(f"{name}: over {BYTES_MAX} bytes; split the file")
        return bytes(content)

    async def take(request: Request, kind: DatedFile, name: str, source: str) -> ImportReport:
        content = await body(request, name)

        def run() -> ImportReport:
            return import_dated(store.client(), kind, name, content, clock.now_ns(), source)

        return await workers.run(run)

    @router.post("/import/rates")
    async def rates(request: Request, name: str = "rates.csv") -> ImportReport:
        """Import what currencies were worth, day by day; a day imported before is replaced."""
        return await take(request, RATES, name, "")

    @router.post("/import/ledger")
    async def ledger(
        request: Request, name: str = "ledger.csv", source: str = "ledger"
    ) -> ImportReport:
        """Import what the books say, day by day; those of several sources are added up."""
        return await take(request, LEDGER, name, source)

    @router.post("/import/costs")
    async def costs(
        request: Request, name: str = "costs.csv", source: str = "bill"
    ) -> ImportReport:
        """Import a bill in FOCUS; the same lines again change nothing."""
        content = await body(request, name)

        def run() -> ImportReport:
            return import_costs(store.client(), name, content, source, clock.now_ns())

        return await workers.run(run)

    @router.get("/cost")
    async def cost(window: str = "30d", until: str = "") -> UnitCost:
        """Return what a decision cost, by the bills of the window."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        return await workers.run(unit_cost, config, store, chosen)

    @router.get("/reconcile")
    async def reconciled(window: str = "7d", until: str = "") -> Reconciliation:
        """Return matched, unmatched and ambiguous revenue by day, beside the ledger's total."""
        chosen = Chosen(window=window, until=until).selection(clock.now_ns())
        days = await workers.run(reconcile, config, store, chosen.from_ns, chosen.to_ns)
        return Reconciliation(config.currency, days)

    return router

"""I/O: `/api/v1/import/...`: outcomes, rates, ledgers and bills from files."""

from __future__ import annotations

from fastapi import APIRouter, Request

from collector.core.errors import RequestTooLargeError
from collector.imports.channels import import_channels
from collector.imports.costs import import_costs
from collector.imports.outcomes import KEPT_DAYS, ImportReport, import_outcomes
from collector.imports.rates import LEDGER, RATES, import_dated
from dashboard.api.caller import audit
from dashboard.api.context import AppContext
from dashboard.read.workers import Workers
from dashboard.settings.config import IMPORT_BYTES_MAX

# Of a file of days: ten years of two hundred currencies.
BYTES_MAX = 32 * 1024 * 1024


def imports_router(of: AppContext, workers: Workers, questions: Workers) -> APIRouter:
    """Return the routes; the same file twice changes nothing.

    Args:
        of: the store, the clock, and how imported outcomes are read and guarded.
        workers: take outcomes, for which a page may wait.
        questions: take files of days, beside long questions.
    """
    router = APIRouter(prefix="/api/v1/import", tags=["imports"])
    store, clock = of.store, of.clock

    @router.post("/outcomes")
    async def upload_outcomes(request: Request, name: str = "outcomes.csv") -> ImportReport:
        """Import a file of outcomes, CSV, Parquet or JSON; the same file twice changes nothing."""
        content = await _body(request, name, IMPORT_BYTES_MAX)
        replace = of.protection.replace if of.protection is not None else None

        def run() -> ImportReport:
            client = store.client()
            kept_days = of.retention.days("outcomes", f"{KEPT_DAYS} DAY")
            report = import_outcomes(
                client, name, content, of.outcomes.currency, clock, replace, kept_days
            )
            detail = f"{name}: {report.imported} imported, {len(report.refused)} refused"
            audit(store, clock.now_ns(), "outcomes_imported", detail)
            return report

        return await workers.run(run)

    @router.post("/rates")
    async def upload_rates(request: Request, name: str = "rates.csv") -> ImportReport:
        """Import what currencies were worth, day by day; a day imported before is replaced."""
        content = await _body(request, name, BYTES_MAX)
        return await questions.run(
            lambda: import_dated(store.client(), RATES, name, content, clock.now_ns(), "")
        )

    @router.post("/ledger")
    async def upload_ledger(
        request: Request, name: str = "ledger.csv", source: str = "ledger"
    ) -> ImportReport:
        """Import what the books say, day by day; those of several sources are added up."""
        content = await _body(request, name, BYTES_MAX)
        return await questions.run(
            lambda: import_dated(store.client(), LEDGER, name, content, clock.now_ns(), source)
        )

    @router.post("/costs")
    async def upload_costs(
        request: Request, name: str = "costs.csv", source: str = "bill"
    ) -> ImportReport:
        """Import a bill in FOCUS; the same lines again change nothing."""
        content = await _body(request, name, BYTES_MAX)
        return await questions.run(
            lambda: import_costs(store.client(), name, content, source, clock.now_ns())
        )

    @router.post("/channels")
    async def upload_channels(
        request: Request, name: str = "channels.csv", source: str = "ads"
    ) -> ImportReport:
        """Import what visitors of channels cost, day by day; a day imported before is replaced."""
        content = await _body(request, name, BYTES_MAX)
        replace = of.protection.replace if of.protection is not None else None
        return await questions.run(
            lambda: import_channels(store.client(), name, content, source, clock.now_ns(), replace)
        )

    return router


async def _body(request: Request, name: str, bytes_max: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > bytes_max:
            raise RequestTooLargeError(f"{name}: over {bytes_max} bytes; split the file")
    return bytes(content)

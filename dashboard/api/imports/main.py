"""I/O: `/api/v1/import/...`: outcomes, rates, ledgers and channels from files."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from attribution.books.unmatched import unmatched_outcomes
from collector.core.clock import RisingClock
from collector.imports.channels import import_channels
from collector.imports.outcomes import KEPT_DAYS, ImportReport, import_outcomes
from collector.imports.rates import LEDGER, RATES, import_dated
from collector.store.cursors import furthest_cursor
from dashboard.api.caller import audit
from dashboard.api.context import Services
from dashboard.api.imports.body import BYTES_MAX, TAKES_FILE, body_of
from dashboard.health.items import WARNING_HEADER
from dashboard.settings.config import IMPORT_BYTES_MAX


def imports_router(services: Services) -> APIRouter:
    """Return the routes; the same file twice changes nothing."""
    context, questions = services.context, services.questions
    router = APIRouter(prefix="/api/v1/import", tags=["imports"])
    store, clock = services.store, services.clock

    @router.post("/outcomes", openapi_extra=TAKES_FILE)
    async def upload_outcomes(
        request: Request, response: Response, name: str = "outcomes.csv"
    ) -> ImportReport:
        """Import a file of outcomes, CSV, Parquet or JSON; the same file twice changes nothing.

        Where many are of no decision that is known the header `millworth-warning` says so.
        """
        content = await body_of(request, name, IMPORT_BYTES_MAX)
        replace = context.protection.replace if context.protection is not None else None

        def run() -> ImportReport:
            client = store.client()
            # What arrives behind where jobs have read is read by none: a clock may have been ahead.
            arriving = RisingClock(clock)
            arriving.raise_to(furthest_cursor(client))
            began_ns = clock.now_ns()
            kept_days = context.retention.days("outcomes", f"{KEPT_DAYS} DAY")
            report = import_outcomes(
                client, name, content, context.outcomes.currency, arriving, replace, kept_days
            )
            detail = f"{name}: {report.imported} imported, {len(report.refused)} refused"
            audit(store, clock.now_ns(), "outcomes_imported", detail)
            for said in unmatched_outcomes(store, (0, began_ns), began_ns, 0, began_ns):
                response.headers[WARNING_HEADER] = said
            return report

        return await services.workers.run(run)

    @router.post("/rates", openapi_extra=TAKES_FILE)
    async def upload_rates(request: Request, name: str = "rates.csv") -> ImportReport:
        """Import what currencies were worth, day by day; a day imported before is replaced."""
        content = await body_of(request, name, BYTES_MAX)
        own = context.attribution.currency
        return await questions.run(
            lambda: import_dated(store.client(), RATES, name, content, clock.now_ns(), "", own)
        )

    @router.post("/ledger", openapi_extra=TAKES_FILE)
    async def upload_ledger(
        request: Request, name: str = "ledger.csv", source: str = "ledger"
    ) -> ImportReport:
        """Import what the books say, day by day; those of several sources are added up."""
        content = await body_of(request, name, BYTES_MAX)
        return await questions.run(
            lambda: import_dated(store.client(), LEDGER, name, content, clock.now_ns(), source)
        )

    @router.post("/channels", openapi_extra=TAKES_FILE)
    async def upload_channels(
        request: Request, name: str = "channels.csv", source: str = "ads"
    ) -> ImportReport:
        """Import what visitors of channels cost, day by day; a day imported before is replaced."""
        content = await body_of(request, name, BYTES_MAX)
        replace = context.protection.replace if context.protection is not None else None
        return await questions.run(
            lambda: import_channels(store.client(), name, content, source, clock.now_ns(), replace)
        )

    return router

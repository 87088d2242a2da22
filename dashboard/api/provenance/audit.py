"""I/O: `/api/v1/audit`: who did what, and whether the chain of it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from collector.audit.log import AuditRow, AuditState, check_audit, read_audit
from dashboard.api.context import Services
from dashboard.api.provenance.paging import After, after_number

LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Rows in order."""

    rows: list[AuditRow]
    next: str  # `after` of the next page, "" on the last


def audit_router(services: Services) -> APIRouter:
    """Return the routes."""
    store, workers = services.store, services.questions
    router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

    @router.get("")
    async def list_audit(
        after: After = "", limit: Annotated[int, Query(gt=0, le=LIMIT_MAX)] = 1_000
    ) -> AuditRows:
        """Return acts, the oldest first."""
        begin = after_number(after)
        rows = await workers.run(lambda: read_audit(store.reader(), begin, limit))
        return AuditRows(rows, str(rows[-1].seq) if len(rows) == limit else "")

    @router.get("/check")
    async def verify_audit() -> AuditState:
        """Check the whole chain by its key and its head; `broken_seq` is null where it holds."""
        return await workers.run(lambda: check_audit(read_audit(store.reader()), store.audit_seal))

    return router

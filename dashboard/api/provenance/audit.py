"""I/O: `/api/v1/audit`: who did what, and whether the chain of it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from collector.audit.log import AuditRow, AuditState, check_audit, read_audit
from collector.store.connect import Connections
from dashboard.read.workers import Workers

LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Rows in order; the last one's number is where the next call goes on."""

    rows: list[AuditRow]


def audit_router(store: Connections, workers: Workers) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/audit")

    @router.get("")
    async def rows(
        after_seq: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        limit: Annotated[int, Query(gt=0, le=LIMIT_MAX)] = 1_000,
    ) -> AuditRows:
        """Return acts after a sequence number, the oldest first."""
        return AuditRows(await workers.run(lambda: read_audit(store.reader(), after_seq, limit)))

    @router.get("/check")
    async def check() -> AuditState:
        """Check the whole chain by its key and its head; `broken_seq` is null where it holds."""
        return await workers.run(lambda: check_audit(read_audit(store.reader()), store.audit_seal))

    return router

"""I/O: the routers of the audit, of sealed decisions and of stored parts."""

from __future__ import annotations

from dashboard.api.context import MakeRouter
from dashboard.api.provenance.audit import audit_router
from dashboard.api.provenance.sealed import sealed_router
from dashboard.api.provenance.stored import stored_router
from dashboard.api.provenance.verdicts import verdicts_router

ROUTERS: tuple[MakeRouter, ...] = (
    audit_router,
    verdicts_router,
    sealed_router,
    stored_router,
)

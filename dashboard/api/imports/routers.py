"""I/O: the routers of imports and of what they agree with."""

from __future__ import annotations

from dashboard.api.context import MakeRouter
from dashboard.api.imports.costs import costs_router
from dashboard.api.imports.main import imports_router
from dashboard.api.imports.reconcile import reconcile_router

ROUTERS: tuple[MakeRouter, ...] = (
    reconcile_router,
    imports_router,
    costs_router,
)

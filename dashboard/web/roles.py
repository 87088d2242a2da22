"""I/O: which role each route needs: the one table, and what holds every request to it.

Pages, `/api/v1` and `/mcp` are held to it alike. A route that is not in the table is refused to
everybody, so that a new one is closed until somebody says who may use it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.auth.roles import Role
from collector.auth.tokens import Scope as TokenScope
from collector.core.errors import PermissionDeniedError
from collector.core.http.response import problem_response
from dashboard.api.caller import refusal, require
from dashboard.web.security import asks_for_page
from dashboard.web.sign_in import refused_page


class Requirement(NamedTuple):
    """What one of is enough for a route."""

    role: Role | None = None  # the least; None: everybody, also who did not say who it is
    scope: TokenScope | None = None  # of a sender, which has no role


_BY_ROLE: Final = {
    # Before anybody has said who it is. They tell nothing.
    None: ("GET /healthz", "GET /readyz", "GET /login", "POST /login", "POST /logout"),
    Role.VIEWER: (
        "GET /metrics", "GET /api/v1/openapi.json", "POST /mcp",
        # The pages, and what Dash has for them; its callbacks only read.
        "GET /", "GET /alerts", "GET /alerts/{id:path}", "GET /explore", "GET /decisions",
        "GET /decision", "GET /budgets", "GET /velocity", "GET /network", "GET /trust",
        "GET /health", "GET /assets", "GET /bundle/{name}", "GET /_dash-layout",
        "GET /_dash-dependencies", "POST /_dash-update-component", "GET /_reload-hash",
        "GET /_favicon.ico",
        "GET /_dash-component-suites/{package_name}/{fingerprinted_path:path}",
        "GET /api/v1/alerts", "GET /api/v1/alerts/dead", "GET /api/v1/alerts/open",
        "GET /api/v1/alerts/{episode_id}", "GET /api/v1/alerts/{episode_id}/report",
        "GET /api/v1/audit", "GET /api/v1/audit/check", "GET /api/v1/budgets",
        "GET /api/v1/clocks",
        "POST /api/v1/compare", "GET /api/v1/cost", "GET /api/v1/decisions",
        "GET /api/v1/decisions.csv", "GET /api/v1/decisions/{decision_id:path}",
        "GET /api/v1/experiments", "GET /api/v1/experiments/active",
        "GET /api/v1/experiments/{name}", "GET /api/v1/health", "GET /api/v1/heatmap",
        "GET /api/v1/holds", "GET /api/v1/network", "GET /api/v1/packets/{name:path}",
        "GET /api/v1/provenance",
        "GET /api/v1/provenance/checkpoints", "POST /api/v1/provenance/copies",
        "GET /api/v1/provenance/events", "GET /api/v1/provenance/outcomes",
        "GET /api/v1/provenance/rows", "POST /api/v1/query", "GET /api/v1/reconcile",
        "GET /api/v1/reconstructions/{name:path}", "GET /api/v1/rejected",
        "GET /api/v1/retention", "GET /api/v1/review", "GET /api/v1/rules",
        "POST /api/v1/rules/import", "GET /api/v1/rules/progress/{ticket}",
        "GET /api/v1/rules/replay", "GET /api/v1/search", "GET /api/v1/silences",
        "GET /api/v1/store/parts", "GET /api/v1/store/parts/{table}/{part}",
        "POST /api/v1/silences/preview", "GET /api/v1/traces/{trace_id:path}",
        "GET /api/v1/vram/caches", "GET /api/v1/vram/channels", "GET /api/v1/vram/debt",
        "POST /api/v1/vram/debt", "GET /api/v1/vram/diff", "GET /api/v1/vram/models",
        "GET /api/v1/vram/models/{version}", "GET /api/v1/vram/modes", "GET /api/v1/vram/nodes",
        "POST /api/v1/vram/npv", "POST /api/v1/vram/tail", "POST /api/v1/vram/tiers",
        "GET /api/v1/vram/worth", "GET /api/v1/vram/verdicts", "GET /api/v1/vram/verdicts/{sha256}",
        "GET /api/v1/waterfall", "GET /api/v1/waterfall/normal", "GET /api/v1/waterfall/span",
        "POST /api/v1/what-if",
    ),
    Role.RESPONDER: (
        "POST /api/v1/alerts/{episode_id}/ack", "POST /api/v1/alerts/{episode_id}/comment",
        "POST /api/v1/silences", "POST /api/v1/silences/{number}/end",
        "POST /api/v1/experiments/{name}/stop",
    ),
    Role.OPERATOR: (
        "POST /api/v1/alerts/dead/replay", "POST /api/v1/alerts/receivers/try",
        "POST /api/v1/experiments",
        "POST /api/v1/import/channels", "POST /api/v1/import/costs",
        "POST /api/v1/import/costs/replace",
        "POST /api/v1/import/ledger", "POST /api/v1/import/outcomes",
        "POST /api/v1/import/rates", "POST /api/v1/recompute", "POST /api/v1/rejected/replay",
        "POST /api/v1/rules/{name}/demote", "POST /api/v1/rules/{name}/promote",
        "POST /api/v1/slope", "POST /api/v1/vram/model", "POST /api/v2/alerts",
    ),
    Role.ADMIN: (
        "POST /api/v1/holds", "POST /api/v1/holds/{name:path}/release", "POST /api/v1/vram/gate",
        "POST /api/v1/vram/verdicts/{sha256}/signature",
    ),
}  # fmt: skip
# What a sender's token is enough for as well.
_BY_SCOPE: Final = {
    "POST /api/v1/import/outcomes": TokenScope.OUTCOMES,
    "POST /api/v2/alerts": TokenScope.ALERTS,
}
TABLE: Final = {
    route: Requirement(role, _BY_SCOPE.get(route))
    for role, routes in _BY_ROLE.items()
    for route in routes
}
# A path of nobody is answered 404, and a wrong method 405, to whoever may look.
_NOTHING_THERE: Final = Requirement(Role.VIEWER)
_NEED: Final = "millworth.need"  # in the scope of a request that was let through


class RoleGuard:
    """Refuses a request that needs more than whoever makes it may."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 with the reason."""
        if scope["type"] == "http":
            route = declared_route(scope)
            need = TABLE.get(route) if route else _NOTHING_THERE
            try:
                _judge(route, need)
            except PermissionDeniedError as error:
                why = str(error)
                page = refused_page(why) if asks_for_page(scope) else None
                answer = page or problem_response(403, why, scope["path"])
                await answer(scope, receive, send)
                return
            scope[_NEED] = need
        await self._app(scope, receive, send)


def _judge(route: str, need: Requirement | None) -> None:
    if need is None:
        raise PermissionDeniedError(
            f"{route} is not in the table of roles, so nobody may use it; add it to "
            "dashboard/web/roles.py"
        )
    if need.role is not None:
        require(need.role, *([need.scope] if need.scope else []))


def why_not(route: str) -> str:
    """Return why whoever makes the request of this context may not use a route, "" where it may."""
    role = TABLE[route].role
    return refusal(role) if role is not None else ""


def only_reads(scope: Scope) -> bool:
    """Return whether a request that was let through is known to change nothing."""
    need: Requirement | None = scope.get(_NEED)
    return need is not None and need.role is Role.VIEWER


def declared_route(scope: Scope) -> str:
    """Return method and path of the route that answers a request, as it is declared; "" of none.

    It is found as the router finds it, so that no spelling of a path is taken for another route.
    """
    path, method = scope["path"], scope["method"]
    for route in iter_route_contexts(scope["app"].router.routes):
        pattern, methods = getattr(route, "path_regex", None), route.methods
        if pattern is None or not pattern.match(path) or (methods and method not in methods):
            continue
        # What answers GET answers HEAD; a mounted application answers what it likes.
        return f"{'GET' if method == 'HEAD' or not methods else method} {route.path}"
    return ""

"""I/O: what every request passes first: who asks, whose host it names, which site it is from."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.auth.foreign_pages import LOOPBACK_HOSTS, page_refusal
from collector.auth.gate import CHALLENGE, Gate
from collector.auth.tokens import Scope as TokenScope
from collector.core.errors import PermissionDeniedError, RateLimitedError, UnauthenticatedError
from collector.core.http.response import problem_response
from dashboard.api.caller import note_caller

LISTENER = "dashboard"
# For load balancers and supervisors, which have no token and ask by address. They tell nothing.
PROBES = frozenset({"/healthz", "/readyz"})
# A browser asks its user for a name and a password; the password is the token.
_BROWSER_CHALLENGE = 'Basic realm="millworth", charset="UTF-8"'
# What is asked with POST because the question is long.
READING_POSTS = frozenset(
    {
        "/_dash-update-component",
        "/mcp",  # its tools are reads of /api/v1
        "/api/v1/query",
        "/api/v1/what-if",
        "/api/v1/compare",
        "/api/v1/provenance/copies",
        "/api/v1/rules/import",
        "/api/v1/silences/preview",
        "/api/v1/vram/npv",
        "/api/v1/vram/tiers",
        "/api/v1/vram/tail",
        "/api/v1/vram/debt",
    }
)
# What a sender's token is enough for.
_SENT = {"/api/v1/import/outcomes": TokenScope.OUTCOMES, "/api/v2/alerts": TokenScope.ALERTS}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_BEARER = "millworth.by_bearer"  # in the scope of a request that showed a good bearer token


def content_security_policy(script_hashes: Sequence[str]) -> str:
    """Return the policy of the pages: everything from this origin, no inline script but Dash's own.

    Styles may be inline, because Mantine, ag-grid and plotly write style elements at run time.
    """
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *script_hashes)),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class RequestGuard:
    """Refuses requests that a foreign page makes in an operator's browser."""

    def __init__(self, app: ASGIApp, public_url: str = "", host: str = "127.0.0.1") -> None:
        self._app = app
        self._public_url = public_url
        public_host = urlsplit(public_url).hostname
        own = f"[{host}]" if ":" in host else host
        self._hosts = LOOPBACK_HOSTS | {own} | ({public_host} if public_host else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 with the reason."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(403, refusal, scope["path"])(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        if scope["path"] in PROBES or scope.get(_BY_BEARER):
            return None
        refusal = page_refusal(
            scope["headers"],
            self._hosts,
            public_url=self._public_url,
            reads=scope.get("method") in _READS,
        )
        return refusal and refusal.replace(
            "use 127.0.0.1", "use 127.0.0.1, or name it in dashboard.public_url"
        )


class AccessGuard:
    """Asks for a token that may do what the request does; the probes are for everybody.

    What is not known to only read needs the scope admin, so that a new action is closed until
    somebody opens it.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401, 403 or 429 with the reason."""
        if scope["type"] != "http" or not self._gate.asks or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        authorization = headers.get("authorization")
        try:
            sender = self._gate.admit(LISTENER, authorization, needed_scope(scope))
            self._gate.charge(sender, int(headers.get("content-length", "0")))
        except UnauthenticatedError as error:
            answer = problem_response(401, str(error), scope["path"])
            answer.headers.append("www-authenticate", _BROWSER_CHALLENGE)
            answer.headers.append("www-authenticate", CHALLENGE)
        except PermissionDeniedError as error:
            answer = problem_response(403, str(error), scope["path"])
        except RateLimitedError as error:
            retry = {"retry-after": str(error.retry_seconds)}
            answer = problem_response(429, str(error), scope["path"], retry)
        else:
            note_caller(sender.name, may_change=sender.may(TokenScope.ADMIN))
            # No page can make a browser send this by itself, so there is nothing to guard against.
            scope[_BY_BEARER] = str(authorization).lower().startswith("bearer ")
            await self._app(scope, receive, send)
            return
        answer.headers["x-content-type-options"] = "nosniff"
        await answer(scope, receive, send)


def needed_scope(scope: Scope) -> TokenScope:
    """Return what a token must be allowed to, for one request."""
    if only_reads(scope):
        return TokenScope.READ
    return _SENT.get(scope["path"], TokenScope.ADMIN)


def only_reads(scope: Scope) -> bool:
    """Return whether a request is known to change nothing."""
    return scope["method"] in _READS or scope["path"] in READING_POSTS


class SecurityHeaders:
    """Sets on every answer what the browser shall refuse, and caches fingerprinted assets."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                # Dash puts the time of a file's last change into its address.
                if scope["path"].startswith("/assets/") and b"m=" in scope["query_string"]:
                    headers["cache-control"] = "public, max-age=31536000, immutable"
            await send(message)

        await self._app(scope, receive, send_with_headers)

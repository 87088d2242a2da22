"""I/O: what every request passes first: who asks, whose host it names, which site it is from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.auth.foreign_pages import LOOPBACK_HOSTS, page_refusal
from collector.auth.gate import CHALLENGE, Gate, Sender
from collector.core.errors import RateLimitedError, UnauthenticatedError
from collector.core.http.response import problem_response
from dashboard.api.caller import LISTENER, note_caller
from dashboard.web.sessions import Sessions

# For load balancers and supervisors, which have no token and ask by address. They tell nothing.
PROBES = frozenset({"/healthz", "/readyz"})
SIGN_IN, SIGN_OUT = "/login", "/logout"
_OPEN = frozenset({SIGN_IN, SIGN_OUT})
BUNDLES = "/bundle/"
_FILES = ("/assets/", BUNDLES)
_CALLBACKS = "/_dash-update-component"
_STRANGER = Sender("not signed in", "stranger")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_BEARER = "millworth.by_bearer"  # in the scope of a request that showed a good bearer token
SESSIONS = "millworth.sessions"  # in the scope of every request where people are asked


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
    """Asks who makes a request: by the word of a proxy, a token, or a session of a browser.

    What it may do then is for `dashboard.web.roles` to say.
    """

    def __init__(self, app: ASGIApp, gate: Gate, sessions: Sessions) -> None:
        self._app = app
        self._gate = gate
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 303, 401, 403 or 429 with the reason."""
        if scope["type"] != "http" or not self._gate.asks_people or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        scope[SESSIONS] = self._sessions
        headers = Headers(scope=scope)
        try:
            sender = self._sender(scope, headers)
            self._gate.spend(LISTENER, sender)
            self._gate.charge(sender, int(headers.get("content-length", "0")))
        except UnauthenticatedError as error:
            if scope["path"] in _OPEN:
                note_caller(_STRANGER, self._gate)
                await self._app(scope, receive, send)
                return
            answer = _ask(scope, headers, str(error))
        except RateLimitedError as error:
            retry = {"retry-after": str(error.retry_seconds)}
            answer = problem_response(429, str(error), scope["path"], retry)
        else:
            note_caller(sender, self._gate)
            await self._app(scope, receive, send)
            return
        answer.headers["x-content-type-options"] = "nosniff"
        answer.headers["cache-control"] = "no-store"
        await answer(scope, receive, send)

    def _sender(self, scope: Scope, headers: Headers) -> Sender:
        """Return who makes a request. Raises UnauthenticatedError."""
        client: tuple[str, int] | None = scope.get("client")
        peer = client[0] if client else ""
        sender = self._gate.by_proxy(LISTENER, peer, scope["headers"])
        if sender is not None:
            return sender
        authorization = headers.getlist("authorization")
        if len(authorization) > 1:
            raise UnauthenticatedError("two authorization headers; send one")
        if not authorization:
            sender = self._sessions.find(scope)
            if sender is not None:
                return sender
            if scope["path"] in _OPEN:
                raise UnauthenticatedError("nobody has signed in yet")
        sender = self._gate.sender(LISTENER, authorization[0] if authorization else None)
        # No page can make a browser send this by itself, so there is nothing to guard against.
        scope[_BY_BEARER] = authorization[0].lower().startswith("bearer ")
        return sender


def _ask(scope: Scope, headers: Headers, why: str) -> Response:
    """Return the answer to whoever did not say who it is: to a browser the page to sign in at."""
    if scope["path"] == _CALLBACKS and "origin" in headers and "authorization" not in headers:
        # From a page: Dash reads the text of a 401, for a token of its own, and fails to read it
        # once more.
        return problem_response(403, why, scope["path"])
    if not asks_for_page(scope):
        return problem_response(401, why, scope["path"], {"www-authenticate": CHALLENGE})
    query: bytes = scope["query_string"]
    wanted = quote(scope["path"]) + (f"?{query.decode('latin-1')}" if query else "")
    sign_in = f"{SIGN_IN}?{urlencode({'next': wanted})}"
    if headers.get("sec-fetch-site") == "cross-site":
        # From a link elsewhere, such as in a chat, a browser does not send the cookie of somebody
        # who is signed in. From a page of ours it does, and signing in goes on from there.
        return HTMLResponse(
            f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={escape(sign_in)}">', 401
        )
    return RedirectResponse(sign_in, 303)


def asks_for_page(scope: Scope) -> bool:
    """Return whether a browser asks for something to show, and not a page of ours for data."""
    accept = Headers(scope=scope).get("accept", "")
    is_data = scope["method"] != "GET" or scope["path"].startswith("/api/")
    return "text/html" in accept and not is_data


class SecurityHeaders:
    """Sets on every answer what a browser shall refuse, and what it may keep: fingerprinted files.

    Of pages and data nothing: after somebody has signed out, Back would show them again.
    """

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
                # What a file holds, or when it was changed, is in its address.
                is_file = scope["path"].startswith(_FILES)
                if is_file and b"m=" in scope["query_string"]:
                    headers["cache-control"] = "public, max-age=31536000, immutable"
                elif not is_file:
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)

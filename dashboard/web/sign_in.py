"""I/O: the page to sign in at: a token is shown once, and a session cookie stands for it."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from collector.auth.gate import CHALLENGE
from collector.core.errors import RateLimitedError, UnauthenticatedError
from dashboard.api.caller import LISTENER, current
from dashboard.web.security import SESSIONS, SIGN_IN, SIGN_OUT
from dashboard.web.sessions import Sessions

_BODY_BYTES_MAX: Final = 8_192
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Millworth</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 15vh auto 0;
  padding: 0 1rem; }}
h1 {{ font-size: 1.25rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem;
  margin-top: .5rem; }}
[role=alert] {{ border-left: 4px solid #c92a2a; padding-left: .75rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_FORM: Final = """<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus
 aria-describedby="help">
<input type="hidden" name="next" value="{next}">
<button>Sign in</button>
</form>
<p id="help">A token with a role, as <code>millworth token new --role viewer</code> makes it. This
browser stays signed in for a while; a restart of the service ends that.</p>
"""
_SIGNED_IN: Final = """<p>You are {who}, with the role {role}.</p>
<p><a href="{next}">Go to the pages</a></p>
{out}"""
_OUT: Final = '<form method="post" action="/logout"><button>Sign out</button></form>\n'
_NOT_ASKED: Final = (
    '<p>Nobody is asked who it is here: there are no tokens in the settings.</p><p><a href="/">Go '
    "to the pages</a></p>"
)


def serve_sign_in(app: FastAPI) -> None:
    """Add the page, and what it posts to."""

    async def page(request: Request) -> Response:
        next_path = local_path(request.query_params.get("next", ""))
        sessions: Sessions | None = request.scope.get(SESSIONS)
        if sessions is None:
            return _answer("Sign in", _NOT_ASKED)
        sender = current()
        if sender.role is None:
            return _answer("Sign in", _FORM.format(next=escape(next_path)))
        if "next" in request.query_params:
            return RedirectResponse(next_path, 303)
        out = _OUT if sessions.find(request.scope) is not None else ""
        body = _SIGNED_IN.format(
            who=escape(str(sender)), role=sender.role, next=escape(next_path), out=out
        )
        return _answer("Signed in", body)

    async def sign_in(request: Request) -> Response:
        sessions: Sessions | None = request.scope.get(SESSIONS)
        if sessions is None:
            return _answer("Sign in", _NOT_ASKED)
        fields = await _form(request)
        next_path = local_path(fields.get("next", ""))
        try:
            sender = sessions.gate.sender(LISTENER, f"Bearer {fields.get('token', '').strip()}")
            sessions.gate.spend(LISTENER, sender)
        except UnauthenticatedError as error:
            return _refused(str(error), next_path, HTTPStatus.UNAUTHORIZED)
        except RateLimitedError as error:
            return _refused(str(error), next_path, HTTPStatus.TOO_MANY_REQUESTS)
        if sender.role is None:
            why = f"{sender} only sends; sign in with one that has a role"
            return _refused(why, next_path, HTTPStatus.FORBIDDEN)
        cookie = sessions.open(sender, request.scope)
        return RedirectResponse(next_path, 303, {"set-cookie": cookie, "cache-control": "no-store"})

    async def sign_out(request: Request) -> Response:
        sessions: Sessions | None = request.scope.get(SESSIONS)
        headers = {"cache-control": "no-store"}
        if sessions is not None:
            headers["set-cookie"] = sessions.end(request.scope)
        return RedirectResponse(SIGN_IN, 303, headers)

    app.add_api_route(SIGN_IN, page, methods=["GET"], include_in_schema=False)
    app.add_api_route(SIGN_IN, sign_in, methods=["POST"], include_in_schema=False)
    app.add_api_route(SIGN_OUT, sign_out, methods=["POST"], include_in_schema=False)


def refused_page(why: str) -> Response:
    """Return what a person sees whose role is not enough for a page, or who has none."""
    return _answer("Not allowed", f'<p role="alert">{escape(why)}</p>', HTTPStatus.FORBIDDEN)


def local_path(text: str) -> str:
    """Return a path of ours to go on to, / for what a browser would take for another site."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if is_path and text.isascii() and text.isprintable() and "\\" not in text else "/"


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES_MAX:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def _refused(why: str, wanted: str, status: HTTPStatus) -> Response:
    body = f'<p role="alert">{escape(why)}</p>\n{_FORM.format(next=escape(wanted))}'
    answer = _answer("Sign in", body, status)
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers["www-authenticate"] = CHALLENGE
    return answer


def _answer(title: str, body: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    text = _PAGE.format(title=title, body=body)
    return HTMLResponse(text, status, {"cache-control": "no-store"})

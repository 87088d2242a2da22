"""Pure: leads the link of a webhook, `/?episode=ID`, to the page of its alert."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class EpisodeLinks:
    """Turns the id of an alert into the address of its page, which says so of one not known.

    It asks nobody, so that a page is reached while the store is away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect such a link, pass anything else on."""
        wanted = _episode_id(scope)
        app = RedirectResponse(f"/alerts/{quote(wanted, safe='')}", 302) if wanted else self._app
        await app(scope, receive, send)


def _episode_id(scope: Scope) -> str:
    if scope["type"] != "http" or scope["path"] != "/":
        return ""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("episode", [""])[0]

"""I/O: begins to read what a page shows as soon as a browser asks for the page itself."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class OpenedPages:
    """Tells of each page that is opened by its address, before it is answered.

    A browser loads scripts and builds the frame before it asks for a page's layout: on two cores
    that is most of a second, in which nobody reads. What fetches a page to see whether it is there
    does not say that it opens a document, and begins nothing.

    Args:
        app: what answers.
        begin: told the path of a page and its query as a browser has it, `?` before it or "".
    """

    def __init__(self, app: ASGIApp, begin: Callable[[str, str], None]) -> None:
        self._app = app
        self._begin = begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin, and hand on."""
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and Headers(scope=scope).get("sec-fetch-dest") == "document"
        ):
            query = scope["query_string"].decode("latin-1")
            self._begin(scope["path"], query and f"?{query}")
        await self._app(scope, receive, send)

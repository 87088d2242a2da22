"""I/O: says of each request by which route or page it asks the store, and how long it took."""

from __future__ import annotations

from urllib.parse import urlsplit

from prometheus_client import Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from collector.store.client.reading import ASKER, OTHERS

_CALLBACKS = "/_dash-update-component"


class Asker:
    """Names whoever asks the store: `route /api/v1/...` as it is declared, or `page /...`.

    Args:
        app: what answers.
        pages: their paths; of others, which anybody may make up, none is named.
        seconds: of `/metrics`, by who asked.
    """

    def __init__(self, app: ASGIApp, pages: frozenset[str], seconds: Histogram) -> None:
        self._app = app
        self._pages = pages
        self._seconds = seconds
        self._clock = SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request under its name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ASKER.set(lambda: self._name(scope))
        began_ns = self._clock.monotonic_ns()
        try:
            await self._app(scope, receive, send)
        finally:
            took_ns = self._clock.monotonic_ns() - began_ns
            self._seconds.labels(self._name(scope)).observe(took_ns / NS_PER_S)

    def _name(self, scope: Scope) -> str:
        path = scope["path"]
        if path == _CALLBACKS:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            path = urlsplit(headers.get(b"referer", b"").decode("latin-1")).path or "/"
        if path not in self._pages:
            path = f"{path.rpartition('/')[0]}/{{id}}"
        if path in self._pages:
            return f"page {path}"
        route = getattr(scope.get("route"), "path", "")
        return f"route {route}" if route and scope["path"] != _CALLBACKS else OTHERS

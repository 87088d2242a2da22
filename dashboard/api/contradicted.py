"""I/O: answers with dollars say in a header where the data contradict what the dollars rest on."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.health.items import WARNING_HEADER, HealthSource

_DOLLARS: Final = tuple(
    f"/api/v1/{name}"
    for name in ("alerts", "compare", "decisions", "experiments", "review", "vram", "what-if")
)


class ContradictedDollars:
    """Adds `millworth-warning` to the answers that have dollars, while there is one.

    Args:
        app: that answers.
        health: knows whether outcomes contradict `outcomes.complete`.
    """

    def __init__(self, app: ASGIApp, health: HealthSource) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and a warning back."""
        if scope["type"] != "http" or not scope["path"].startswith(_DOLLARS):
            await self._app(scope, receive, send)
            return
        warning = self._health.contradiction()

        async def warned(message: Message) -> None:
            if warning and message["type"] == "http.response.start":
                MutableHeaders(scope=message)[WARNING_HEADER] = warning
            await send(message)

        await self._app(scope, receive, warned)

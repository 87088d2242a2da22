"""I/O: answers say in headers what amounts are stated in, and where the data contradict them."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attribution.core.money import state_in
from dashboard.health.items import CURRENCY_HEADER, WARNING_HEADER, HealthSource

_DOLLARS: Final = tuple(
    f"/api/v1/{name}"
    for name in ("alerts", "compare", "decisions", "experiments", "review", "vram", "what-if")
)


class ContradictedDollars:
    """Adds `millworth-warning` to the answers that have dollars, while there is one.

    Args:
        app: that answers.
        health: knows whether outcomes contradict `outcomes.complete`, and who samples.
    """

    def __init__(self, app: ASGIApp, health: HealthSource) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and a warning back."""
        if scope["type"] != "http" or not scope["path"].startswith(_DOLLARS):
            await self._app(scope, receive, send)
            return
        # A header is of Latin letters and one line; the name of a service may be neither.
        warning = self._health.contradiction().encode("unicode_escape").decode("ascii")

        async def warned(message: Message) -> None:
            if warning and message["type"] == "http.response.start":
                MutableHeaders(scope=message)[WARNING_HEADER] = warning
            await send(message)

        await self._app(scope, receive, warned)


class StatedAmounts:
    """States every amount of an answer in one currency, which `millworth-currency` names.

    Args:
        app: that answers, and the pages around it.
        currency: ISO 4217.
    """

    def __init__(self, app: ASGIApp, currency: str) -> None:
        self._app = app
        self._currency = currency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and the currency back; the threads that answer copy the context."""
        state_in(self._currency)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[CURRENCY_HEADER] = self._currency
            await send(message)

        await self._app(scope, receive, named)

"""I/O: ends the work for a client that has left before its answer."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.web.roles import only_reads


class AbandonedRequests:
    """Cancels what answers a reading request as soon as its client is gone.

    Without it nobody looks at a connection while a request is answered, and a query that nobody
    waits for keeps its place in the queue. A request that changes something is never cancelled:
    it is done or not done, whether anybody waits or not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and watch its connection meanwhile."""
        if scope["type"] != "http" or not only_reads(scope):
            await self._app(scope, receive, send)
            return
        # Of one: the body is read on no faster than it is taken.
        messages: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        answering = asyncio.ensure_future(self._app(scope, messages.get, send))

        async def watch() -> None:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    answering.cancel()
                    return
                await messages.put(message)

        watching = asyncio.ensure_future(watch())
        try:
            await asyncio.wait({answering})
        finally:
            watching.cancel()
            answering.cancel()
        if not answering.cancelled():
            answering.result()

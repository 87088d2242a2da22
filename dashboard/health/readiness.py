"""I/O: `/healthz` and `/readyz`, which answer before there are pages.

What serves the pages takes longer to load than all that receives and stores, so a service answers
its probes first; until the pages are there, whoever asks for one is told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from collector.core.errors import MillworthError
from collector.core.http.problem import problem
from dashboard.health.items import KEY_RING, HealthItem

_STAGE: Final = "stage."
_JOB: Final = "job."
# What a collector cannot store it takes into its log, for hours.
_RECEIVES: Final = ("received", "logged")
_WORKS: Final = ("attributed", "alerted")
_PAGES_LATER: Final = "pages: not ready: they are being loaded\n"
RETRY_S: Final = 1
# By which an open page asks how the service is.
PULSE_PATH: Final = "/pulse"
HEALTHZ: Final = "ok\n"
STOPPING: Final = "not ready\nthe service is stopping\n"
PAGES_LOADING: Final = "the pages are being loaded; ask again\n"
_API: Final = "/api/"

Answer = tuple[int, str]
Asgi = Callable[[Any, Any, Any], Any]


def must_be_ready(roles: Collection[str]) -> Collection[str]:
    """Return the stages without which a process of these roles does not do what it is for.

    What comes late is none of them in a process that receives: a balancer that took it out for
    that would stop the data as well. Pages alone need no stage: who looks for what stopped needs
    them most when all others are down.
    """
    if "collect" in roles:
        return (*_RECEIVES, "stored") if "serve" in roles else _RECEIVES
    return () if "serve" in roles else _WORKS


def readiness(
    ping: Callable[[], object], health: Callable[[], Iterable[HealthItem]], must: Collection[str]
) -> Answer:
    """Return status and text: whether a process does its work, and of every stage how it is.

    Args:
        ping: raises a MillworthError where the store does not answer.
        health: the figures of this process.
        must: the stages without which it is not ready.
    """
    try:
        ping()
    except MillworthError as error:
        return 503, f"not ready\nstored: the store does not answer: {error}\n"
    items = list(health())
    stages = [i for i in items if i.name.startswith(_STAGE)]
    lines = [f"{i.name.removeprefix(_STAGE)}: {_readiness(i)}\n" for i in stages]
    # Why is for whoever may ask for it: this page needs no token.
    lines += [
        f"{i.name}: not ready: its last run failed: see /api/v1/health\n"
        for i in items
        if i.name.startswith(_JOB) and i.status == "bad"
    ]
    lines += [
        "provenance: not ready: its key ring cannot be read: see /api/v1/health\n"
        for i in items
        if i.name == KEY_RING
    ]
    waits = any(i.status == "bad" and i.name.removeprefix(_STAGE) in must for i in stages)
    return (503, "not ready\n" + "".join(lines)) if waits else (200, "ready\n" + "".join(lines))


def _readiness(item: HealthItem) -> str:
    is_unknown = item.value is None and item.status != "ok"
    if item.status != "bad" and not is_unknown:
        return "ready"
    value = "unknown" if item.value is None else f"{item.value} {item.unit}"
    return f"not ready: {value}: {item.detail}"


class FrontDoor:
    """An ASGI application that answers the probes, until it is given the one that has the pages.

    The pulse of open pages, and that the service is stopping, it answers itself throughout.
    """

    def __init__(self, ready: Callable[[], Answer]) -> None:
        self._ready = ready
        self.pages: Asgi | None = None
        self.is_stopping = False  # a balancer shall send nothing more
        self._asking: asyncio.Future[Answer] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI has it
        """Answer, or hand on."""
        path = scope["path"] if scope["type"] == "http" else ""
        ours = path == PULSE_PATH or (self.is_stopping and path == "/readyz")
        if self.pages is not None and not ours:
            await self.pages(scope, receive, send)
            return
        if path == "/healthz":
            status, text = 200, HEALTHZ
        elif path == PULSE_PATH:
            # A browser writes every other status to its console as an error.
            text = STOPPING if self.is_stopping else (await self._shared())[1]
            status = 200
        elif self.is_stopping:
            status, text = 503, STOPPING
        elif path == "/readyz":
            status, text = await self._shared()
            text += _PAGES_LATER
        else:
            status, text = 503, PAGES_LOADING
        kind, body = "text/plain; charset=utf-8", text.encode()
        if path.startswith(_API):
            kind, body = problem(status, text.strip(), path)
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 503:
            headers.append((b"retry-after", str(RETRY_S).encode()))
        if text == PAGES_LOADING:  # programs read the header above, browsers this one
            headers.append((b"refresh", str(RETRY_S).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _shared(self) -> Answer:
        """Ask once for all who wait: a store that hangs shall not have a thread a page."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ready))
        return await asyncio.shield(self._asking)

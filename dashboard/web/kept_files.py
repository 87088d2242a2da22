"""I/O: answers files that never change under their address from memory, compressed once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.web.security import BUNDLES

# Libraries of Dash, whose version is in their address, and ours.
_PREFIXES: Final = ("/_dash-component-suites/", "/assets/vendor/", BUNDLES)
# Dash takes any version in an address: whoever makes them up gets them, and takes no memory.
_FILES_MAX: Final = 64
_BYTES_MAX: Final = 32 * 1024 * 1024


class KeptFiles:
    """Keeps each such answer as it was sent for the first time.

    Four megabytes of scripts were compressed anew for each browser that came without a cache, and
    everybody else waited meanwhile.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: dict[tuple[str, bool], tuple[Message, Message]] = {}
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is kept, and keep what is not."""
        if scope["type"] != "http" or not _is_whole(scope):
            await self._app(scope, receive, send)
            return
        key = scope["path"], "gzip" in Headers(scope=scope).get("accept-encoding", "")
        kept = self._answers.get(key)
        if kept is not None:
            for message in kept:
                await send({**message})
            return
        sent: list[Message] = []

        async def send_and_note(message: Message) -> None:
            # What goes on from here has its headers replaced.
            sent.append({**message})
            await send(message)

        await self._app(scope, receive, send_and_note)
        self._keep(key, sent)

    def _keep(self, key: tuple[str, bool], sent: list[Message]) -> None:
        start, body = sent[0], b"".join(each.get("body", b"") for each in sent[1:])
        is_whole = start["status"] == HTTPStatus.OK and not sent[-1].get("more_body", False)
        is_room = len(self._answers) < _FILES_MAX and self._bytes + len(body) <= _BYTES_MAX
        if not is_whole or not is_room or key in self._answers:
            return
        self._answers[key] = start, {"type": "http.response.body", "body": body}
        self._bytes += len(body)


def _is_whole(scope: Scope) -> bool:
    """Return whether a request is for all of a file that never changes."""
    headers = Headers(scope=scope)
    in_part = "range" in headers or "if-none-match" in headers or "if-modified-since" in headers
    return scope["method"] == "GET" and scope["path"].startswith(_PREFIXES) and not in_part

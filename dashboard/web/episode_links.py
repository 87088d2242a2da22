"""I/O: leads the link of a webhook, `/?episode=ID`, to the overview at the alert's own time."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from dashboard.read import scope as pages
from dashboard.read.reader import OPEN_STATES, Reader
from dashboard.read.rows import Episode
from dashboard.read.workers import Workers

# What is shown after an alert's end, to see that it is over.
_AFTER_NS = NS_PER_MINUTE


class EpisodeLinks:
    """Turns the id of an alert into the URL that holds its action, region and time.

    An id that is not known shows the overview as it is.
    """

    def __init__(self, app: ASGIApp, reader: Reader, workers: Workers) -> None:
        self._app = app
        self._reader = reader
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect such a link, pass anything else on."""
        wanted = _episode_id(scope)
        found = await self._workers.run(self._reader.episode, wanted) if wanted else None
        if found is None:
            await self._app(scope, receive, send)
        else:
            await RedirectResponse(overview_of(found), status_code=302)(scope, receive, send)


def overview_of(episode: Episode) -> str:
    """Return the overview of one alert: live while it is open, else frozen after its end.

    Of an alert that is not about decisions the whole of it: a service is not an action.
    """
    is_open = episode.state in OPEN_STATES
    until_ns = episode.at_ns + _AFTER_NS
    needed_ns = until_ns - episode.first_ns + episode.window_s * NS_PER_S
    fits = (name for name in pages.WINDOWS if pages.Scope(name).window_ns >= needed_ns)
    action, region = episode.scope
    shown = pages.Scope(
        window=next(fits, pages.WINDOWS[-1]),
        until_ns=None if is_open else until_ns,
        action=action,
        region=region,
    )
    return "/" + pages.format_scope(shown)


def _episode_id(scope: Scope) -> str:
    if scope["type"] != "http" or scope["path"] != "/":
        return ""
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("episode", [""])[0]

"""I/O: `millworth bench dashboard`: every page over ten million spans of a day, in Chromium.

The whole service runs as a command and is sent 60 decisions a second meanwhile, so that what pages
show is new, as it is where they are kept open.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from collector.bench.harness import Progress, own_directory
from collector.bench.open_sender import OpenSender
from collector.core.errors import InputError
from dashboard.bench.chromium import chromium
from dashboard.bench.growth.acts import PAGES
from dashboard.bench.growth.look import look
from dashboard.bench.growth.store import build, copy
from dashboard.bench.pages.operators import run_operators
from dashboard.bench.pages.visits import run_visits
from dashboard.bench.served import NO_PACKETS, Served, served

SPANS: Final = 10_000_000
_DAYS: Final = 1
_RATE: Final = 60
_SEED: Final = 4
# So long may all of it take.
_SENDS_S: Final = 3_600.0


def run_pages(
    runs: int,
    progress: Progress,
    *,
    spans: int = SPANS,
    pages: Mapping[str, str] = PAGES,
    directory: Path | None = None,
    soak_s: float = 600.0,
    watched_s: float = 60.0,
    settle_s: float = 30.0,
) -> dict[str, float]:
    """Return figures of every page, and of operators who keep pages open.

    Args:
        runs: visits a page and scope, each of a new browser without a cache.
        progress: told how far it is.
        spans: of the store, in its last day.
        pages: paths by name, `overview` among them.
        directory: where the store is kept; one that is there is used again.
        soak_s: how long one page is kept open.
        watched_s: how long no, one and eight open pages are looked at.
        settle_s: how long a start is left alone: what runs once an hour runs then.

    Keys: those of `run_visits` and of `run_operators`.

    Raises:
        InputError: Chromium or playwright is not here, or the store holds no decision.
    """
    kept = (directory or Path(tempfile.gettempdir()) / "millworth-growth") / f"{spans:_}-{_DAYS}d"
    build(kept, spans, progress, days=_DAYS)
    with own_directory() as scratch:
        copy(kept, scratch)
        with served(scratch, NO_PACKETS) as service, chromium() as browser:
            sender = OpenSender(service.http_port, _SEED)
            sender.send(_RATE, _SENDS_S)
            try:
                look(service)  # which waits until pages are there
                threading.Event().wait(settle_s)
                decision = _any_decision(service)
                figures = run_visits(browser, service, pages, decision, runs, progress)
                return figures | run_operators(browser, service, pages, watched_s, soak_s, progress)
            finally:
                sender.kill()


def _any_decision(service: Served) -> str:
    """Return the id of a decision of the last hour that is attributed."""
    answer = httpx.get(
        f"{service.pages}/api/v1/decisions?window=1h&limit=1", trust_env=False, timeout=60
    )
    rows = answer.raise_for_status().json()["decisions"]
    if not rows:
        raise InputError("bench: the store holds no decision of the last hour; build it anew")
    return str(rows[0]["decision_id"])

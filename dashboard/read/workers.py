"""I/O: the threads that read the store for the pages and for `/api/v1`.

Dash on its FastAPI backend runs a plain callback on the event loop, where one slow query would
hold up every page. So callbacks are coroutines that wait for a thread of this bounded pool; each
thread keeps its own connection to the store.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from collector.core.errors import BusyError

# A page asks some ten questions at once: a few people who open one at the same time are no flood.
WAITING_MAX = 100
RETRY_AFTER_S = 5

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A fixed number of threads; some more calls wait their turn, and the rest are refused."""

    def __init__(self, threads: int, name: str, waiting_max: int = WAITING_MAX) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._name = name
        self._calls_max = threads + waiting_max
        self._calls = 0
        self._lock = threading.Lock()

    async def run(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `read` in a thread of the pool and wait for what it returns or raises.

        Whoever is cancelled while it waits its turn gives up its place.

        Raises:
            BusyError: as many calls wait already as may.
        """
        with self._lock:
            if self._calls >= self._calls_max:
                raise BusyError(
                    f"{self._calls} requests are under way or wait here ({self._name}), which is "
                    "as many as may; ask again a little later",
                    RETRY_AFTER_S,
                )
            self._calls += 1
        bound = functools.partial(contextvars.copy_context().run, read, *args, **kwargs)
        call = self._pool.submit(bound)
        call.add_done_callback(self._ended)
        return await asyncio.wrap_future(call)

    def _ended(self, _: Future[T]) -> None:
        with self._lock:
            self._calls -= 1

    def close(self) -> None:
        """Let what runs finish, refuse what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

"""I/O: the threads that read the store for the pages and for `/api/v1`.

Dash on its FastAPI backend runs a plain callback on the event loop, where one slow query would
hold up every page. So callbacks are coroutines that wait for a thread of this bounded pool; each
thread keeps its own connection to the store.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A fixed number of threads; what does not fit waits its turn."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    async def run(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `read` in a thread of the pool and wait for what it returns or raises."""
        bound = functools.partial(contextvars.copy_context().run, read, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, bound)

    def threaded(self, read: Callable[P, T]) -> Callable[P, Awaitable[T]]:
        """Return `read` as a coroutine function for Dash."""

        @functools.wraps(read)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.run(read, *args, **kwargs)

        return call

    def close(self) -> None:
        """Let what runs finish, refuse what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)

"""I/O: the threads that read the store for the pages and for `/api/v1`, and what they share.

Dash on its FastAPI backend runs a plain callback on the event loop, where one slow query would
hold up every page. So callbacks are coroutines that wait for a thread of this bounded pool; each
thread keeps its own connection to the store.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

from collector.core.clock import Clock, SystemClock
from collector.core.errors import BusyError
from collector.core.times import NS_PER_S

# A page asks some ten questions at once: a few people who open one at the same time are no flood.
WAITING_MAX = 100
RETRY_AFTER_S = 5
_SHARED_MAX: Final = 64

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A fixed number of threads; some more calls wait their turn, and the rest are refused."""

    def __init__(self, threads: int, name: str, waiting_max: int = WAITING_MAX) -> None:
        self._threads = threads
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
        return await asyncio.wrap_future(self._submit(read, *args, **kwargs))

    def begin(self, read: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Call `read` in a thread of the pool, for nobody yet.

        Not at all, and False, where that would leave no idle thread to whoever asks meanwhile.
        """
        with self._lock:
            if self._calls + 1 >= self._threads:
                return False
            self._calls += 1
        self._submit(read, *args, **kwargs)
        return True

    def _submit(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        bound = functools.partial(contextvars.copy_context().run, read, *args, **kwargs)
        call = self._pool.submit(bound)
        call.add_done_callback(self._ended)
        return call

    def _ended(self, _: Future[T]) -> None:
        with self._lock:
            self._calls -= 1

    def close(self) -> None:
        """Let what runs finish, refuse what waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True)
class _Reading:
    """One that is under way, or what it found."""

    found: Future[Any] = field(default_factory=Future)
    until_ns: int | None = None  # monotonic; None while it is under way


class SharedReads:
    """Readings that several viewers want at the same time are made once.

    Those who open one page at one address ask the same questions every few seconds. Whoever asks
    while a reading is under way waits for it, and for a moment after it the next ones get what it
    found. A failure is handed to those who wait, and is not kept.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._readings: OrderedDict[Hashable, _Reading] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are under way or kept."""
        return len(self._readings)

    def read(
        self, key: Hashable, keep_s: float, make: Callable[[], T], *, lasting_s: float = 0.0
    ) -> T:
        """Return what `make` returns now, or returned a moment ago for the same key.

        Args:
            key: what is asked, the instant apart.
            keep_s: how long what was found is handed out.
            make: reads it; whatever it raises is raised.
            lasting_s: how much longer it has to be handed out, to whoever asks after this.
        """
        with self._lock:
            reading = self._readings.get(key)
            is_ours = reading is None or self._is_over(reading, lasting_s)
            if reading is None or is_ours:
                reading = self._readings[key] = _Reading()
                self._readings.move_to_end(key)
                while len(self._readings) > _SHARED_MAX:
                    self._readings.popitem(last=False)
        if is_ours:
            self._make(key, reading, keep_s, make)
        value: T = reading.found.result()
        return value

    def _make(
        self, key: Hashable, reading: _Reading, keep_s: float, make: Callable[[], object]
    ) -> None:
        try:
            found = make()
        except BaseException as error:  # whatever it is, those who wait have to hear of it
            with self._lock:
                if self._readings.get(key) is reading:
                    del self._readings[key]
            reading.found.set_exception(error)
            raise
        reading.until_ns = self._clock.monotonic_ns() + round(keep_s * NS_PER_S)
        reading.found.set_result(found)

    def _is_over(self, reading: _Reading, lasting_s: float) -> bool:
        then_ns = self._clock.monotonic_ns() + round(lasting_s * NS_PER_S)
        return reading.until_ns is not None and then_ns >= reading.until_ns

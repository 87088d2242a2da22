"""I/O: the threads that do the service's work, each of which goes on after whatever ends its run.

A thread that is gone takes what it does with it until somebody restarts the process, and nobody
sees it: senders wait for an answer, a job's rows stay away. So a run that ends with an exception is
logged, counted, shown on the Health page, and begun again after a pause, in the same thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.errors import first_line
from collector.core.log import get_logger
from collector.core.times import NS_PER_MINUTE

_LOG = get_logger("collector")
_PAUSE_S_MIN = 0.1
_PAUSE_S_MAX = 10.0
# A run that lasted so long was well: what ends it is no sequel of what ended the one before.
_WELL_NS = NS_PER_MINUTE


class Worker:
    """One thread, and the run that it repeats until a run returns.

    Args:
        name: of the thread, and in the log and the count.
        run: returns when its owner wants no more of it. It lets go of what it holds when it raises,
            tells those who wait for it, and can be called again.
    """

    def __init__(
        self, name: str, run: Callable[[], object], counters: Counters, clock: Clock
    ) -> None:
        self.name = name
        self.deaths = 0
        self.is_down = False  # it died, and the next run has not begun
        self.last_error = ""  # what it died of
        self._run = run
        self._counters = counters
        self._clock = clock
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Wait for the end of the run, which its owner has asked for; a pause is cut short."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_alive(self) -> bool:
        """Return whether the thread is there, at work or in a pause."""
        return self._thread.is_alive()

    def _live(self) -> None:
        with suppress(OSError):  # for `top -H` and whoever counts by thread; Linux alone has it
            Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(self.name)
        pause_s = _PAUSE_S_MIN
        while True:
            is_last = self._ending.is_set()
            began_ns = self._clock.monotonic_ns()
            try:
                self._run()
            except Exception as error:  # noqa: BLE001  whatever ends a run, the thread goes on
                self._note(error)
            else:
                return
            if is_last:
                return
            if self._clock.monotonic_ns() - began_ns >= _WELL_NS:
                pause_s = _PAUSE_S_MIN
            self._ending.wait(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)
            self.is_down = False

    def _note(self, error: Exception) -> None:
        self.deaths += 1
        self.is_down = True
        self.last_error = f"{type(error).__name__}: {first_line(error)}"
        self._counters.worker_deaths.labels(self.name).inc()
        _LOG.error("worker_died", worker=self.name, error=self.last_error, exc_info=True)

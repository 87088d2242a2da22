"""I/O: one job of the service, run again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from collector.core.clock import Clock
from collector.core.counters import Counters
from collector.core.errors import first_line
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.core.worker import Worker
from collector.store.client.reading import ASKER
from collector.store.client.unfinished import after_failure
from collector.store.connect import Connections
from collector.store.errors import unreadable_part

_log = get_logger("dashboard")


@runtime_checkable
class Advanced(Protocol):
    """What a run says that reads what is received: it may not have come up to its own instant."""

    cursor_ns: int  # all that was received by then is done


class JobLoop:
    """One job, run again and again by a thread of its own until it is stopped.

    A run that fails is logged and counted, and the next one starts afresh: a job reads what it
    has to do from the store, so nothing is lost by a failed run.
    """

    def __init__(
        self,
        name: str,
        interval_s: float,
        run: Callable[[int], object],
        clock: Clock,
        counters: Counters,
        store: Connections,
        *,
        keeps_pace: bool = False,
    ) -> None:
        self.name = name
        self._over_ns: int | None = None  # the last run that came through, by a clock without steps
        self.done_ns: int | None = None  # up to which the last run that came through did its work
        self.last_error = ""
        self.interval_s = interval_s
        self._keeps_pace = keeps_pace
        self._run = run
        self._clock = clock
        self._counters = counters
        self._store = store
        self._stopping = threading.Event()
        self._is_in_doubt = False  # an insert may have failed, and be taken for done
        self.worker = Worker(f"job-{name}", self._loop, counters, clock)

    @property
    def age_s(self) -> float | None:
        """Return since when the last run that came through is over; None before the first."""
        over_ns = self._over_ns
        return None if over_ns is None else (self._clock.monotonic_ns() - over_ns) / NS_PER_S

    def start(self) -> None:
        """Begin with a first run at once."""
        self.worker.start()

    def ask_to_stop(self) -> None:
        """Begin no other run."""
        self._stopping.set()

    def stop(self) -> None:
        """Let the current run finish, and end."""
        self.ask_to_stop()
        self.worker.end()

    def _loop(self) -> None:
        ASKER.set(lambda: f"job {self.name}")
        self._store.work_in_background()
        try:
            while not self._stopping.is_set():
                took_s = self.run_now()
                pause_s = paced_s(self.interval_s, took_s) if self._keeps_pace else self.interval_s
                self._stopping.wait(pause_s)
        finally:
            self._store.close()

    def run_now(self) -> float:
        """Run once, in the caller's thread; return how long it took, s."""
        started_ns, now_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        try:
            if self._is_in_doubt:
                self._is_in_doubt = not after_failure(self._store.config, self._store.client)
            done = self._run(now_ns)
        except Exception as error:  # noqa: BLE001  a job's loop outlives any failure of one run
            failed = f"{type(error).__name__}: {first_line(error, 500)}"
            self.last_error = f"{part}: {failed}" if (part := unreadable_part(error)) else failed
            self._counters.job_runs.labels(self.name, "failed").inc()
            _log.error("job_failed", job=self.name, error=self.last_error, exc_info=True)
            self._is_in_doubt = True
        else:
            self._over_ns = self._clock.monotonic_ns()
            self.done_ns = done.cursor_ns if isinstance(done, Advanced) else now_ns
            self.last_error = ""
            self._counters.job_runs.labels(self.name, "done").inc()
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        self._counters.job_seconds.labels(self.name).observe(elapsed_ns / NS_PER_S)
        return elapsed_ns / NS_PER_S


def paced_s(interval_s: float, took_s: float) -> float:
    """Return the pause after a run; a tenth of the interval at least.

    What comes just after a run began is done when the next has ended: after the interval, if both
    take equally long. So a cheap run comes seldom, and a long one makes nothing older.
    """
    return max(interval_s - 2 * took_s, interval_s / 10)

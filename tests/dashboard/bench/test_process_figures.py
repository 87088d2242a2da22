from __future__ import annotations

import os
import threading

from collector.core.clock import SystemClock
from collector.core.counters import Counters
from collector.core.worker import Worker
from dashboard.bench.process_figures import cpu_by_thread_s, peak_rss_mib


def test_threads_are_counted_by_the_names_that_they_have_here() -> None:
    """A figure by thread helps nobody who cannot see which thread it is."""
    seen, go_on = threading.Event(), threading.Event()

    def run() -> None:
        seen.set()
        go_on.wait()

    worker = Worker("job-of-a-long-name", run, Counters(), SystemClock())
    worker.start()
    seen.wait()
    try:
        found = cpu_by_thread_s(os.getpid())
    finally:
        go_on.set()
        worker.end()

    assert "job-of-a-long-n" in found, "Linux keeps fifteen letters"
    assert found[""] > 0
    assert peak_rss_mib(os.getpid()) > 1

"""I/O: what the benchmarks of every room share: directories, stores, collectors, children, medians.

A benchmark is a function of the number of runs and of a `Progress`; it returns figures by name.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from collector.core.clock import Clock, SystemClock
from collector.core.config import (
    AttributesConfig,
    CollectorConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate

MIB: Final = 1024 * 1024
Progress = Callable[[str], None]


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over runs that all have the same ones.

    A ratio to a rival belongs into the run, where a drift of the machine's speed cancels.
    """
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile of values in order."""
    return values[int(len(values) * 0.99)]


def cpu_s() -> float:
    """Return the CPU time of this process, the engine's threads and the kernel's part included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss_mib() -> float:
    """Return the memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


@contextmanager
def own_directory() -> Iterator[Path]:
    """Yield a new directory, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="millworth-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def own_database(url: str, database: str) -> Iterator[Connections]:
    """Yield a store with its tables and views in a database that is dropped afterwards."""
    store = Connections(StoreConfig(url=url, database=database))
    try:
        prepare(store)
        yield store
    finally:
        statement = "DROP DATABASE IF EXISTS {name:Identifier}"
        store.client().command(statement, parameters={"name": database})
        store.close()


def prepare(store: Connections) -> None:
    """Make the tables and views of a store, as the shipped settings have them."""
    now_ns = SystemClock().now_ns()
    migrate(store.client(), now_ns)
    apply_views(store.client(), AttributesConfig(), DecisionsConfig(), OutcomesConfig(), now_ns)


def start_collector(
    store: Connections,
    wal_dir: Path,
    clock: Clock | None = None,
    disk: Disk | None = None,
    **settings: float,
) -> CollectorService:
    """Start a collector on free ports; its store is prepared, or away."""
    config = CollectorConfig.model_validate({"grpc_port": 0, "http_port": 0, **settings})
    service = CollectorService(
        config, store, wal_dir, Counters(), clock or SystemClock(), disk=disk
    )
    service.start()
    return service


def start_function(
    target: Callable[..., None], *arguments: object
) -> tuple[Connection, BaseProcess]:
    """Run a function in a process of its own; return this end of its pipe, and the process.

    The other end is its first argument.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=target, args=(theirs, *arguments), daemon=True
    )
    process.start()
    theirs.close()  # so that an end of the process is heard
    return ours, process


@contextmanager
def module_process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of ours, which speaks by `say`; it is gone at the end, whatever happens."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(  # noqa: S603  this interpreter and a module of ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def say(message: Mapping[str, object]) -> None:
    """Say one JSON object to whoever started this process."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def heard(process: subprocess.Popen[str]) -> dict[str, Any] | None:
    """Return what a process says next, None where it has ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line.endswith("\n") else None

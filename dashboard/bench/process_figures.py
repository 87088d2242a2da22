"""I/O: what a process and its children take of a machine, by thread name, as Linux counts it."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
# Of a pool: QueryPool-12 is QueryPool.
_NUMBER: Final = re.compile(r"[-_:#/]?\d+$")


def cpu_by_thread_s(pid: int) -> dict[str, float]:
    """Return seconds of CPU by thread name, and under "" those of all threads that ever were.

    Threads that ended are under no name of their own.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for each in _family(pid):
        with suppress(OSError):
            found[""] += _cpu_s(_PROC / str(each) / "stat")
        for task in (_PROC / str(each) / "task").glob("*"):
            with suppress(OSError):
                name = (task / "comm").read_text().strip()
                found[_NUMBER.sub("", name)] += _cpu_s(task / "stat")
    return found


def peak_rss_mib(pid: int) -> float:
    """Return the most memory that the process had at a time; that of its children is not in it."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from _family(int(child))


def _cpu_s(stat: Path) -> float:
    # The name may hold anything, but no field behind it holds a bracket.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S

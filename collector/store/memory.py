"""I/O: how much memory this process may have: the machine's, or that of its cgroups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def memory_bytes(root: Path = Path("/")) -> int | None:
    """Return the least of what the machine has and its cgroups allow, None where nobody says.

    Args:
        root: of the file system, for a test.
    """
    return min(_limits(root), default=None)


def _limits(root: Path) -> Iterator[int]:
    with suppress(OSError):
        found = re.search(r"^MemTotal:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
        if found:
            yield int(found[1]) * 1024
    groups = root / "sys/fs/cgroup"
    own = ""
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), "")
    # A group is bound by every group that it is in; inside a container the first is all there is.
    group = groups / own.strip("/")
    for each in (group, *(up for up in group.parents if up.is_relative_to(groups))):
        with suppress(OSError, ValueError):  # no such file, or "max"
            yield int((each / "memory.max").read_text())
    with suppress(OSError, ValueError):  # version 1, where a number beyond any machine is no limit
        yield int((groups / "memory/memory.limit_in_bytes").read_text())

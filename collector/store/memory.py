"""I/O: how much memory this process may have, of machine and cgroups, and who takes which share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from collector.core.config import StoreConfig

_MIB = 1024 * 1024
# What a service takes beside the engine, and the least with which the engine is of use.
_ELSE_BYTES = 448 * _MIB
_ENGINE_BYTES_MIN = 256 * _MIB
# Of a span in an answer, as objects and as JSON; and what is shown on any machine.
_SPAN_BYTES = 4_096
_SPANS_MIN = 20_000
_SOME_BYTES = 4 * 1024 * _MIB  # where nobody says how much there is


def memory_bytes(root: Path = Path("/")) -> int | None:
    """Return the least of what the machine has and its cgroups allow, None where nobody says.

    Args:
        root: of the file system, for a test.
    """
    return min(_limits(root), default=None)


def engine_memory_bytes(config: StoreConfig, has_bytes: int | None) -> int:
    """Return what the embedded engine may take of a process that may have so much, if known."""
    configured_bytes = config.memory_max_mib * _MIB
    if has_bytes is None:
        return configured_bytes
    left = max(_ENGINE_BYTES_MIN, (has_bytes - _ELSE_BYTES) * 2 // 3)
    return min(configured_bytes, has_bytes // 2, left)


def read_memory_bytes(
    config: StoreConfig, has_bytes: int | None, *, is_outside: bool = False
) -> int:
    """Return what one read may take: of the embedded engine half, or a quarter from outside.

    Two statements from outside run at a time; receivers and jobs need the rest.
    """
    configured_bytes = config.query_memory_max_mib * _MIB
    if config.embedded_path is None:
        return configured_bytes
    return min(configured_bytes, engine_memory_bytes(config, has_bytes) // (4 if is_outside else 2))


def answer_spans_max(has_bytes: int | None) -> int:
    """Return how many spans one answer may have: four at a time take half of what there is."""
    return max(_SPANS_MIN, (has_bytes or _SOME_BYTES) // 8 // _SPAN_BYTES)


def _limits(root: Path) -> Iterator[int]:
    with suppress(OSError):
        match = re.search(r"^MemTotal:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
        if match:
            yield int(match[1]) * 1024
    lines: list[str] = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    path_by_kind = {kind: path for line in lines for kind, path in _groups(line)}
    groups = root / "sys/fs/cgroup"
    yield from _allowed(groups, path_by_kind.get("", ""), "memory.max")
    yield from _allowed(groups / "memory", path_by_kind.get("memory", ""), "memory.limit_in_bytes")


def _groups(line: str) -> Iterator[tuple[str, str]]:
    """Yield the group of a line by what it bounds; version 2 names nothing."""
    _, kinds, path = (*line.split(":", 2), "", "")[:3]
    yield from ((kind, path) for kind in kinds.split(","))


def _allowed(groups: Path, own_group: str, name: str) -> Iterator[int]:
    """Yield the limits of a group and of every group that it is in, which bind it as well.

    Inside a container the first is all there is. A number beyond any machine is no limit.
    """
    group = groups / own_group.strip("/")
    for each in (group, *(up for up in group.parents if up.is_relative_to(groups))):
        with suppress(OSError, ValueError):  # no such file, or "max"
            yield int((each / name).read_text())

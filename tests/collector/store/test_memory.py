from __future__ import annotations

from pathlib import Path

import pytest

from collector.core.config import StoreConfig
from collector.store.connect import Connections
from collector.store.memory import (
    answer_spans_max,
    engine_memory_bytes,
    memory_bytes,
    read_memory_bytes,
)

GIB, MIB = 2**30, 2**20


def machine(root: Path, files: dict[str, str]) -> Path:
    """Write the files that a kernel shows."""
    for name, text in {"proc/meminfo": f"MemTotal: {64 * GIB // 1024} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "has_gib"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 64),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": f"{3 * GIB}\n",
          "sys/fs/cgroup/a/b/memory.max": f"{5 * GIB}\n"}, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{2 * GIB}\n"}, 2),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n"}, 4),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 64),
        ({"proc/self/cgroup": "4:memory:/a/b\n1:cpu:/c\n0::/\n",
          "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{3 * GIB}\n",
          "sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{2 * GIB}\n",
          "sys/fs/cgroup/memory/c/memory.limit_in_bytes": f"{GIB}\n",
          "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 2),
        ({"proc/self/cgroup": "4:cpuacct,memory:/docker/1\n",
          "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n"}, 4),
    ],
)  # fmt: skip
def test_memory_is_the_least_that_anybody_allows(
    tmp_path: Path, files: dict[str, str], has_gib: int
) -> None:
    """In a container of 2 GiB an engine that takes 4 is killed, and with it the service."""
    assert memory_bytes(machine(tmp_path, files)) == has_gib * GIB


def test_engine_takes_half_of_what_there_is_or_its_setting() -> None:
    """The other half is the service's own: requests, answers, the kernels of attribution."""
    config = StoreConfig(memory_max_mib=4096)
    assert engine_memory_bytes(config, None) == 4 * GIB
    assert engine_memory_bytes(config, 64 * GIB) == 4 * GIB
    assert engine_memory_bytes(config, 3 * GIB) == 3 * GIB // 2


@pytest.mark.parametrize(
    ("has_mib", "engine_mib", "page_mib", "outside_mib"),
    [
        (768, 256, 128, 64),
        (1024, 384, 192, 96),
        (2048, 1024, 512, 256),
        (4096, 2048, 1024, 512),
        (65536, 4096, 1024, 1024),
    ],
)
def test_reads_stay_below_what_the_engine_may_take(
    has_mib: int, engine_mib: int, page_mib: int, outside_mib: int
) -> None:
    """One statement of a viewer took all there was in 768 MiB, and the service was killed."""
    config, has = StoreConfig(), has_mib * MIB
    assert engine_memory_bytes(config, has) == engine_mib * MIB
    assert read_memory_bytes(config, has) == page_mib * MIB
    assert read_memory_bytes(config, has, is_outside=True) == outside_mib * MIB


def test_reads_of_a_server_have_the_limit_that_is_set() -> None:
    """Its memory is that of another machine, of which this one says nothing."""
    config = StoreConfig(url="http://store:8123")
    assert read_memory_bytes(config, GIB, is_outside=True) == 1024 * MIB


@pytest.mark.parametrize(
    ("has_bytes", "spans"),
    [(None, 131_072), (GIB, 32_768), (GIB // 4, 20_000), (24 * GIB, 786_432)],
)
def test_answer_has_as_many_spans_as_memory_is_enough_for(
    has_bytes: int | None, spans: int
) -> None:
    """Four answers at a time take half of it, and a trace of usual size is always shown."""
    assert answer_spans_max(has_bytes) == spans


def test_merged_parts_are_removed_by_the_thread_that_finds_them(store: Connections) -> None:
    """114 threads were made for a hundred parts, and stayed: 30 MiB of an engine that has 256.

    Some minutes after a start, which no test waits for: it asks the engine what it goes by.
    """
    asked = "SELECT value FROM system.merge_tree_settings WHERE name = {name:String}"
    name = {"name": "concurrent_part_removal_threshold"}
    assert int(store.client().query(asked, parameters=name).result_rows[0][0]) >= 100_000
